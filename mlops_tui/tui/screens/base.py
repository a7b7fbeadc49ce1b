"""What every desk can do: move between parts, filter, sort, and carry out actions in workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action
from mlops_tui.tui.screens.frame import Frame
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

PROGRESS_S = 0.1
"""Progress is drawn at most this often."""


def bindings(desk: str) -> list[BindingType]:
    """The keys of a desk's own actions, from the registry."""
    return [Binding(key, f"act('{key}')", show=False) for key in actions.keys(desk)]


class Desk(Frame):
    """Base of the desks; a desk names itself and its sections and has a method `act_<verb>` per action."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("/", "filter", show=False),
        Binding("escape", "back", show=False),
        Binding("left,[", "section(-1)", show=False),
        Binding("right,]", "section(1)", show=False),
        Binding("tab,shift+tab", "pane", show=False),
        Binding("o", "inside", show=False),
        Binding("s", "sort", show=False),
        Binding("S", "reverse", show=False),
        Binding("R", "refresh", show=False),
        Binding("y", "copy", show=False),
        Binding("x", "menu", show=False),
        Binding("?", "help", show=False),
    ]

    class Progress(Message):
        """How far a worker is; None when it is over."""

        def __init__(self, title: str, text: str | None) -> None:
            super().__init__()
            self.title, self.text = title, text

    class Performed(Message):
        """A worker has carried an action out, or why not."""

        def __init__(self, title: str, said: str | Failure, then: Callable[[], None] | None) -> None:
            super().__init__()
            self.title, self.said, self.then = title, said, then

    # -- moving -------------------------------------------------------------------------------------------------------

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """Show a part, with a filter, and put the cursor on an object."""
        if section:
            self.section = self.by_id(section)
        if key:
            self.here.wanted, self.here.filter = key, ""  # it may not have been read yet
        if filter:
            self.here.filter = filter
        self.show_section()
        self.load(self.section)

    def action_section(self, step: int) -> None:
        """The part before or after this one."""
        at = self.SECTIONS.index(self.section) + step
        self.go(self.SECTIONS[at % len(self.SECTIONS)].id)

    def action_show_part(self, section: str) -> None:
        self.go(section)

    def action_pane(self) -> None:
        """From the list to the detail and back."""
        detail = self.query_one("#detail", LinesView)
        if detail.display and self.focused is not detail:
            detail.focus()
        elif self.query_one("#table").display:
            self.query_one("#table").focus()
        else:
            self.query_one("#note").focus()

    @on(VirtualTable.Opened, "#table")
    def _opened(self) -> None:
        if self.section.detail is None:
            self.action_inside()
            return
        self.add_class("-open")
        self.query_one("#detail").focus()
        self.chrome()

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and getattr(self.focused, "id", "") == "detail":
            self.action_inside()

    def action_inside(self) -> None:
        """The part that lists what is inside the selected row."""
        record, inside = self.record, self.section.inside
        if record is None or inside is None:
            return
        came_from = self.section.id
        self.go(inside.section, filter=inside.filter(record))
        self.here.came_from = came_from

    def action_back(self) -> None:
        """One rung: filter line, detail, filter, the part it was opened from."""
        memory = self.here
        if self.query_one("#filter").display:
            self._filter_done("")
        elif self.has_class("-open") or self.focused is self.query_one("#detail"):
            self.remove_class("-open")
            self.query_one("#table").focus()
        elif memory.came_from:
            target, memory.came_from, memory.filter = memory.came_from, "", ""
            self.go(target)
        elif memory.filter:
            memory.filter = ""
            self.show_rows()
        self.chrome()

    # -- filter and order ---------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the filter line."""
        if self.section.draw is not None:
            return
        line = self.query_one("#filter", Input)
        line.display = True
        line.value = self.here.filter
        line.focus()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.input.display and event.value != self.here.filter:
            self.here.filter = event.value
            self.show_rows()
            event.input.focus()

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self._filter_done(self.here.filter)

    def _filter_done(self, text: str) -> None:
        self.here.filter = text
        self.query_one("#filter").display = False
        self.query_one("#table").focus()
        self.show_rows()

    def action_sort(self) -> None:
        """Sort by the next column; after the last one the order of the service again."""
        memory = self.here
        memory.sort = memory.sort + 1 if memory.sort + 1 < len(self.section.columns) else -1
        self.show_rows()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.here.reverse = not self.here.reverse
        self.show_rows()

    # -- doing --------------------------------------------------------------------------------------------------------

    def action_refresh(self) -> None:
        """Read again."""
        self.here.detail_of = ""
        self.load(self.section)

    def action_copy(self) -> None:
        if self.record is not None:
            self.workbench_app.copy(self.section.key(self.record))

    async def action_act(self, key: str) -> None:
        """Carry out what a key means here."""
        action = actions.find(self.ID, self.section.id, key)
        if action is not None:
            await self.carry_out(action)

    async def carry_out(self, action: Action) -> None:
        """Call the desk's method for an action, or say why not."""
        reason = action.why_not(self.situation)
        if reason:
            self.notify(reason, title=action.title, severity="warning", markup=False)
            return
        await getattr(self, f"act_{action.id.partition('.')[2]}")()

    def command(self, action_id: str) -> str:
        """The command line that does the same as an action for the selected record."""
        action = next(one for one in actions.ACTIONS if one.id == action_id)
        return actions.command(action, self.situation.names)

    def perform(self, title: str, work: Callable[[Workbench], str], *, then: Callable[[], None] | None = None) -> None:
        """Carry out `work` in a worker; what it returns is said in a toast, and the desk is read again."""
        source = self.workbench_app.source
        self.progress[title] = "..."
        self.chrome()
        self.run_worker(
            lambda: self.post_message(self.Performed(title, source.attempt(work), then)),
            thread=True,
            group="act",
            exit_on_error=False,
        )

    def report(self, title: str) -> Callable[[int, int | None, str], None]:
        """A progress callback for a worker: shown in the bar of the desk."""
        last = 0.0

        def step(done: int, total: int | None, note: str = "") -> None:
            nonlocal last
            if time.monotonic() - last >= PROGRESS_S:
                last = time.monotonic()
                text = f"{done:,} of {total:,} {note}" if total else f"{done:,} {note}"
                self.post_message(self.Progress(title, text))

        return step

    @on(Progress)
    def _progressed(self, message: Progress) -> None:
        if message.title in self.progress and message.text is not None:
            self.progress[message.title] = message.text
            self.chrome()

    @on(Performed)
    def _performed(self, message: Performed) -> None:
        self.progress.pop(message.title, None)
        if isinstance(message.said, Failure):
            text = "\n".join(part for part in (message.said.message, message.said.hint) if part)
            self.notify(text, title="Not done", severity="error", timeout=10, markup=False)
        else:
            self.notify(message.said, markup=False)
            if message.then is not None:
                message.then()
        self.here.detail_of = ""
        self.load(self.section)
        self.chrome()

    def action_help(self) -> None:
        """The keys that are valid here."""
        from mlops_tui.tui.widgets.help import Help

        self.app.push_screen(Help(self.ID, self.section.id, self.situation))

    def action_menu(self) -> None:
        """What can be done here, and why not."""
        from mlops_tui.tui.widgets.help import Menu

        async def chosen(action: Action | None) -> None:
            if action is not None:
                await self.carry_out(action)

        self.app.push_screen(Menu(self.ID, self.section.id, self.situation), chosen)
