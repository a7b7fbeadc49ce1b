"""The page of one object in front of the desk that lists it: parts and panes as on a desk, a line that names the object."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.message import Message

from mlops_tui.tui.actions import PAGES, Situation
from mlops_tui.tui.history import Place
from mlops_tui.tui.lines import Line
from mlops_tui.tui.screens import chrome
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.screens.section import Section, nothing
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Bar, Part
from mlops_tui.workbench import Workbench

TAKE_IN_S = 1.0
"""How often what training processes wrote is taken in while somebody looks; the daemon does it every 15 s."""
SWEEP_EVERY = 5
NARROW = 100


class TakesIn(Desk):
    """A desk that shows runs as they are written, whether or not a daemon runs."""

    _turns_taken = 0

    def on_mount(self) -> None:
        super().on_mount()
        self._take_in()
        self.set_interval(TAKE_IN_S, self._take_in)

    def _take_in(self) -> None:
        """In a worker; what it finds is seen by the watcher like any change. What fails is tried again a second later."""
        app = self.workbench_app
        if not self.is_current or not app.watches:
            return
        sweep = self._turns_taken % SWEEP_EVERY == 0
        self._turns_taken += 1
        self.run_worker(
            lambda: app.source.attempt(partial(_take_in, sweep=sweep)),
            thread=True,
            exclusive=True,
            group="take-in",
            exit_on_error=False,
        )


def _take_in(bench: Workbench, *, sweep: bool) -> None:
    if sweep:
        bench.experiments.sweep()  # also marks runs whose process is gone
    else:
        bench.experiments.take_in(wait=False)


class Page(TakesIn):
    """A desk of one object, pushed over its home desk; esc goes back there.

    A section whose `load` takes the object's key first is named in `LOADS`. `head` says in one line which object it is.
    """

    SHORT: ClassVar[dict[str, str]] = {}
    """Titles of parts for a narrow terminal, where they are not short anyway."""

    class Headed(Message):
        """A worker has what the head says, or why not."""

        def __init__(self, found: Any) -> None:
            super().__init__()
            self.found = found

    def __init__(self, of: str) -> None:
        self.of = of
        self.subject: Any = None
        self.SECTIONS = tuple(self._bound(one) for one in type(self).SECTIONS)  # type: ignore[misc]
        super().__init__()

    def _bound(self, section: Section) -> Section:
        """The section for this object."""
        load = self.LOADS.get(section.id)
        return dataclasses.replace(section, load=partial(load, self.of) if load else nothing)

    LOADS: ClassVar[dict[str, Any]] = {}

    def compose(self) -> ComposeResult:
        for widget in super().compose():
            if widget.id == "parts":
                yield Bar(id="head")
            yield widget

    def begin(self) -> None:
        self._read_head()
        super().begin()

    def note_changed(self, changed: frozenset[str]) -> None:
        super().note_changed(changed)
        if changed & {"catalog", "metrics"}:
            self._read_head()

    def _read_head(self) -> None:
        source, of, read = self.workbench_app.source, self.of, self.read_subject
        self.run_worker(
            lambda: self.post_message(self.Headed(source.attempt(lambda bench: read(bench, of)))),
            thread=True,
            exclusive=True,
            group="head",
            exit_on_error=False,
        )

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> Any:
        """What the head and the actions need of the object (in a worker)."""
        return None

    @on(Headed)
    def _headed(self, message: Headed) -> None:
        if message.found is not None and not isinstance(message.found, Failure):
            self.subject = message.found
            self.chrome()

    def head(self, width: int) -> Line:
        """Which object this is, in one line."""
        return ()

    def chrome(self) -> None:
        super().chrome()
        if self.is_mounted:
            self.query_one("#head", Bar).show([(self.head(self.size.width), "")])

    def parts(self) -> list[Part]:
        """The parts, without counts and with short titles where there is little room."""
        return super().parts() if self.size.width >= NARROW else chrome.short_parts(self, self.SHORT)

    @property
    def situation(self) -> Situation:
        """Actions of a page are about its object, whatever row is selected."""
        return dataclasses.replace(super().situation, record=self.acted_on, names=self.names())

    @property
    def acted_on(self) -> Any:
        """What the rules of actions look at."""
        return self.subject

    def names(self) -> dict[str, object]:
        """What command lines call the object."""
        return {"id": self.of}

    @property
    def place(self) -> Place:
        return Place(self.HOME, self.ID, self.of)

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this page; any other place is the home desk's business."""
        if section == self.ID and key == self.of:
            return
        if not section or section in {one.id for one in self.SECTIONS}:
            super().go(section, key, filter)
            return
        home = self.home
        if section not in PAGES:
            while self.app.screen is not home:
                self.app.pop_screen()
        home.go(section, key, filter)

    @property
    def home(self) -> Desk:
        """The desk at the bottom."""
        found = self.app.screen_stack[0]
        assert isinstance(found, Desk)
        return found

    async def step_back(self) -> None:
        """Back to what is behind this page."""
        app = self.workbench_app
        self.app.pop_screen()
        app.history.returned(app.place)
