"""The saved views of a list: choose one to see it, or keep the present filter as one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlops_tui.tui import saved
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import Line, clean, line
from mlops_tui.tui.saved import Saved
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.table import Column, VirtualTable

if TYPE_CHECKING:
    from mlops_tui.tui.screens.base import Desk


class _Rows:
    def __init__(self, found: list[Saved]) -> None:
        self._found = found
        self.count = len(found)

    def cells(self, index: int) -> Line:
        one = self._found[index]
        return ((one.name, "title"), (clean(one.query), "text"), (one.command, "muted"))


class ViewMenu(ModalScreen["tuple[Saved, bool] | None"]):
    """The saved views of a list; dismisses with the chosen one and whether it is to be forgotten."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,w", "dismiss(None)", show=False),
        Binding("d", "forget", show=False),
    ]

    def __init__(self, list_: str, found: list[Saved]) -> None:
        super().__init__()
        self._list, self._found = list_, found

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Bar(id="dialog-title")
            yield VirtualTable(header=False, id="dialog-table")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" enter", "key"), " shows  ", ("d", "key"), " removes  ", ("esc", "key"), " close")
        self.query_one("#dialog-title", Bar).show([(line((f" Saved views of {self._list}", "title")), "")])
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        table = self.query_one("#dialog-table", VirtualTable)
        columns = (
            Column("", lambda row, now: "", width=24),
            Column("", lambda row, now: "", width=60, grow=True),
            Column("", lambda row, now: "", width=50, rank=3),
        )
        table.show(columns, _Rows(self._found))
        table.styles.height = min(len(self._found), 16)

    def action_forget(self) -> None:
        self.dismiss((self._found[self.query_one("#dialog-table", VirtualTable).cursor], True))

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.dismiss((self._found[message.index], False))


async def choose(desk: Desk) -> None:
    """Offer the saved views of the list on screen."""
    list_ = desk.situation.list
    found = await asyncio.to_thread(desk.workbench_app.source.attempt, lambda bench: saved.of_list(bench, list_))
    if isinstance(found, Failure):
        desk.notify(f"{found.message}\n{found.hint}", severity="warning", markup=False)
    elif not found:
        desk.notify(f"No view of {list_} is saved yet: filter with /, then W.", timeout=4, markup=False)
    else:
        desk.app.push_screen(ViewMenu(list_, found), lambda chosen: _chosen(desk, chosen))


def _chosen(desk: Desk, chosen: tuple[Saved, bool] | None) -> None:
    if chosen is None:
        return
    view, away = chosen
    if not away:
        desk.workbench_app.leave()
        desk.look(view.query)
        return
    undo = Undo(saved.command_of(view, away=True), saved.command_of(view), lambda bench: saved.keep(bench, view))
    desk.perform("view", lambda bench: saved.forget(bench, view), command=undo.title, undo=undo)


def ask_name(desk: Desk) -> None:
    """Keep the filter of the list on screen under a name."""
    now = desk.situation

    def made(answers: Answers) -> Saved:
        return Saved(now.list, answers["name"], now.filter)

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            view = made(answers)
            line_ = saved.command_of(view)
            undo = Undo(line_, saved.command_of(view, away=True), lambda bench: saved.forget(bench, view))
            desk.perform("view", lambda bench: saved.keep(bench, view), command=line_, undo=undo)

    field = Field("name", "Name", placeholder="such as failed-today")
    desk.app.push_screen(
        Form(f"Save this filter of {now.list}", (field,), "Save", lambda answers: saved.command_of(made(answers))),
        answered,
    )
