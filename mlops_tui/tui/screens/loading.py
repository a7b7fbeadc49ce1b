"""How a desk reads: in workers, once at a time per part, the newest wish only, and never without a way out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.message import Message
from textual.screen import Screen

from mlops_tui.tui.screens.section import Ask, Memory, Section, open_pages
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.states import SLOW_S, stopped

if TYPE_CHECKING:
    from mlops_tui.tui.app import MlopsApp

PATIENCE_S = 0.15
"""Before this nothing is said about loading."""


class Loading(Screen[None]):
    """A screen of sections that are read in workers; subclasses draw them."""

    SECTIONS: ClassVar[tuple[Section, ...]] = ()

    class Loaded(Message):
        """A worker has the records of a section, or why not. `turn` tells a reading from one the user gave up."""

        def __init__(self, section: str, records: Any, turn: int, ask: Ask | None) -> None:
            super().__init__()
            self.section, self.records, self.turn, self.ask = section, records, turn, ask

    def __init__(self) -> None:
        super().__init__()
        self.memory = {section.id: Memory() for section in self.SECTIONS}
        self.section = self.SECTIONS[0]
        self._busy: dict[str, float] = {}
        self._again: set[str] = set()
        self._turn = 0
        self._turns: dict[str, int] = {}
        self._changed: set[str] = set()

    @property
    def workbench_app(self) -> MlopsApp:
        """The application, typed."""
        from mlops_tui.tui.app import MlopsApp

        assert isinstance(self.app, MlopsApp)
        return self.app

    @property
    def now(self) -> int:
        return self.workbench_app.source.now()

    def by_id(self, section: str) -> Section:
        """The section of this name, else the first."""
        return next((one for one in self.SECTIONS if one.id == section), self.SECTIONS[0])

    def load(self, section: Section) -> None:
        """Read a section in a worker; while one reading is under way only one more is remembered."""
        if section.id in self._busy:
            self._again.add(section.id)
            return
        self._turn += 1
        turn = self._turns[section.id] = self._turn
        self._busy[section.id] = time.monotonic()
        self._changed -= section.watches
        ask, work = self._work(section)
        self.run_worker(
            lambda: self.post_message(self.Loaded(section.id, work(), turn, ask)),
            thread=True,
            group=f"load-{section.id}",
            exit_on_error=False,
        )
        if not self.memory[section.id].loaded:
            self.set_timer(PATIENCE_S, self.show_rows)
        self.set_timer(SLOW_S, lambda: self._still(section.id, turn))

    def _work(self, section: Section) -> tuple[Ask | None, Callable[[], Any]]:
        source = self.workbench_app.source
        if section.paged is None:
            return None, lambda: source.attempt(section.load)
        memory, now = self.memory[section.id], self.now
        ask, wanted = memory.ask(section), memory.wanted
        first = self.first_row(section) if ask == memory.asked else 0
        return ask, lambda: open_pages(source, section, ask, now, first, wanted)

    def first_row(self, section: Section) -> int:
        """The first row on screen of a section."""
        return 0

    def _still(self, section: str, turn: int) -> None:
        """Say once a second how long it has taken, as long as it goes on."""
        if section in self._busy and self._turns[section] == turn:
            if self.is_current and self.on_screen(section):
                self.show_rows()
            self.set_timer(1.0, lambda: self._still(section, turn))

    def waited(self, section: str) -> float:
        """Seconds a reading of a section has taken so far; 0 when none is under way."""
        begun = self._busy.get(section)
        return 0.0 if begun is None else time.monotonic() - begun

    def stop_waiting(self) -> bool:
        """Give up a reading that takes long; whether there was one. What it would bring is thrown away."""
        section, waited = self.section.id, self.waited(self.section.id)
        if waited < SLOW_S:
            return False
        self._busy.pop(section, None)
        self._again.discard(section)
        self._turns[section] = 0
        memory = self.memory[section]
        memory.loaded, memory.failure, memory.asked = True, stopped(waited), memory.ask(self.section)
        self.show_rows()
        return True

    @on(Loaded)
    def _loaded(self, message: Loaded) -> None:
        memory, section = self.memory[message.section], self.by_id(message.section)
        if self._turns.get(message.section) != message.turn:
            return
        self._busy.pop(message.section, None)
        memory.loaded = True
        memory.home = message.ask != memory.asked
        memory.asked = message.ask
        if isinstance(message.records, Failure):
            memory.failure = message.records
        else:
            self._keep(section, memory, message.records)
        if self.on_screen(message.section):
            self.show_rows()
        if message.section in self._again:
            self._again.discard(message.section)
            self.load(section)

    def _keep(self, section: Section, memory: Memory, records: Any) -> None:
        memory.failure = None
        memory.renew(section, self.arrived(section.id, records))
        memory.detail_of = ""
        memory.read_at = self.now

    def arrived(self, section: str, records: Any) -> Any:
        """What to remember of what a worker read."""
        return records

    def on_screen(self, section: str) -> bool:
        """Whether this part is what the user sees."""
        return section == self.section.id

    def show_rows(self) -> None:
        """Draw what is remembered."""
        raise NotImplementedError
