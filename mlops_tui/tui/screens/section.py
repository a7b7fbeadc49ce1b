"""A part of a desk as a value: what it lists, how a row and its detail look, and what is inside a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from mlops_tui.tui import filtering
from mlops_tui.tui.blocks import Block
from mlops_tui.tui.lines import Line, Span, line
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench


@dataclasses.dataclass(frozen=True, slots=True)
class Inside:
    """What is inside a row: another part of this desk, filtered by what `filter` says of the row."""

    section: str
    filter: Callable[[Any], str]
    title: str


@dataclasses.dataclass(frozen=True)
class Section:
    """One list of a desk. `load` and `detail` run in a worker; `cell` functions must not do any I/O.

    A section with `draw` is a picture instead of a list: `load` gives any frozen value, `draw(value, width, height)`
    its lines. `watches` names the databases whose changes make it read again.
    """

    id: str
    title: str
    load: Callable[[Workbench], Any]
    columns: tuple[Column, ...] = ()
    key: Callable[[Any], str] = str
    empty: Empty | None = None
    detail: Callable[[Workbench, Any], Sequence[Block]] | None = None
    inside: Inside | None = None
    watches: frozenset[str] = frozenset({"catalog"})
    draw: Callable[[Any, int, int], Sequence[Line]] | None = None
    names: Callable[[Any], dict[str, object]] = lambda record: {}


class Rows:
    """Records as table rows, formatted when asked for and remembered."""

    def __init__(self, records: Sequence[Any], columns: tuple[Column, ...], now: int) -> None:
        self.records = records
        self._columns = columns
        self._now = now
        self._cells: dict[int, tuple[Span, ...]] = {}

    @property
    def count(self) -> int:
        return len(self.records)

    def cells(self, index: int) -> tuple[Span, ...]:
        found = self._cells.get(index)
        if found is None:
            found = line(*(column.cell(self.records[index], self._now) for column in self._columns))
            self._cells[index] = found
        return found


@dataclasses.dataclass
class Memory:
    """What a desk remembers of a section while the user is elsewhere."""

    records: Any = None
    failure: Failure | None = None
    loaded: bool = False
    filter: str = ""
    sort: int = -1
    reverse: bool = False
    selected: str = ""
    wanted: str = ""
    detail_of: str = ""
    detail: Sequence[Block] | Failure = ()
    came_from: str = ""

    def visible(self, section: Section, now: int) -> Rows:
        """The records after filter and sort, as rows."""
        records: Sequence[Any] = self.records or ()
        terms = filtering.parse(self.filter)
        if terms:
            titles = [column.title for column in section.columns]
            rows = Rows(records, section.columns, now)
            records = [
                record
                for index, record in enumerate(records)
                if filtering.matches(terms, titles, [text for text, _ in rows.cells(index)])
            ]
        if 0 <= self.sort < len(section.columns):
            records = self._sorted(records, section.columns[self.sort], now)
        return Rows(records, section.columns, now)

    def _sorted(self, records: Sequence[Any], column: Column, now: int) -> list[Any]:
        def key(record: Any) -> tuple[int, Any]:
            value = column.sort(record) if column.sort else column.cell(record, now)
            value = value[0] if isinstance(value, tuple) else value
            return (0, value) if value is not None else (1, 0)

        try:
            return sorted(records, key=key, reverse=self.reverse)
        except TypeError:  # values of mixed kinds: by their text, so that the order is at least stable
            return sorted(records, key=lambda record: str(key(record)[1]), reverse=self.reverse)
