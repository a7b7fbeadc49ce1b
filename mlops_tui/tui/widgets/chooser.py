"""Which columns a table shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mlops_tui.tui.lines import Line, line
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.columns import Arrangement, Column
from mlops_tui.tui.widgets.table import VirtualTable


class Chooser(ModalScreen["Arrangement | None"]):
    """A list of column titles: space shows or hides, J and K move, 0 starts over; dismisses with the arrangement."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,C", "dismiss(None)", show=False),
        Binding("space", "switch", show=False, priority=True),
        Binding("J,shift+down", "shift(1)", show=False),
        Binding("K,shift+up", "shift(-1)", show=False),
        Binding("0", "reset", show=False),
        Binding("enter", "keep", show=False, priority=True),
    ]

    def __init__(self, columns: Sequence[Column], arrangement: Arrangement) -> None:
        super().__init__()
        self._all = tuple(columns[at].title for at in range(len(columns)))
        known = Arrangement(arrangement.order).apply(columns)
        self._order = [columns[at].title for at in known]
        self._hidden = set(arrangement.hidden)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Bar(id="dialog-title")
            yield VirtualTable(header=False, id="dialog-table")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#dialog-title", Bar).show([(line((" Columns", "title")), "")])
        keys = line((" space", "key"), " show/hide ", ("J K", "key"), " move ", ("0", "key"), " as it was ",
                    ("enter", "key"), " use ", ("esc", "key"), " cancel")  # fmt: skip
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self.query_one("#dialog-table").styles.height = max(1, len(self._order))
        self._draw(0)

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#dialog-table", VirtualTable)

    def _draw(self, cursor: int) -> None:
        columns = (Column("", lambda row, now: "", width=3), Column("", lambda row, now: "", width=60, grow=True))
        self._table.show(columns, _Titles(tuple(self._order), frozenset(self._hidden)), cursor=cursor)

    def action_switch(self) -> None:
        at = self._table.cursor
        self._hidden ^= {self._order[at]}
        if self._hidden >= set(self._order):  # one column stays
            self._hidden -= {self._order[at]}
        self._draw(min(at + 1, len(self._order) - 1))

    def action_shift(self, step: int) -> None:
        at = self._table.cursor
        to = at + step
        if 0 <= to < len(self._order):
            self._order[at], self._order[to] = self._order[to], self._order[at]
            self._draw(to)

    def action_reset(self) -> None:
        self._order, self._hidden = list(self._all), set()
        self._draw(0)

    def action_keep(self) -> None:
        own = tuple(self._order) == self._all
        self.dismiss(Arrangement(() if own else tuple(self._order), frozenset(self._hidden & set(self._order))))


class _Titles:
    def __init__(self, titles: tuple[str, ...], hidden: frozenset[str]) -> None:
        self._titles, self._hidden = titles, hidden

    @property
    def count(self) -> int:
        return len(self._titles)

    def cells(self, index: int) -> Line:
        title = self._titles[index]
        hidden = title in self._hidden
        return (("[ ]" if hidden else "[x]", "muted" if hidden else "good"), (title, "muted" if hidden else "text"))
