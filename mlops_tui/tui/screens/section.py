"""A part of a desk as a value: what it lists, how a row and its detail look, and what is inside a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence, Set
from typing import Any

from mlops_tui.core.query import Fields
from mlops_tui.tui import filtering
from mlops_tui.tui.blocks import Block
from mlops_tui.tui.filtering import Typed
from mlops_tui.tui.lines import Line
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.views import View
from mlops_tui.tui.widgets.columns import Arrangement, Column
from mlops_tui.tui.widgets.marks import Marks
from mlops_tui.tui.widgets.rows import PAGE, SCAN, Batch, Listed, Pages
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

FIND_IN = 100_000
"""Rows looked through for an object that is to be selected."""


@dataclasses.dataclass(frozen=True, slots=True)
class Inside:
    """What is inside a row: another part of this desk, filtered by what `filter` says of the row."""

    section: str
    filter: Callable[[Any], str]
    title: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """What of a store's rows is wanted: a query, an order (`-name` descends), of which object, where there are several, and
    the titles of columns the user chose, where there are more than are shown by themselves.
    """

    filter: str = ""
    order: str = ""
    of: str = ""
    chosen: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Paged:
    """Rows too many to be in memory. All run in a worker: `read(bench, ask, offset, limit)`, `total` where it is cheap.

    `columns` are those of what is asked for, where the section does not know them.
    """

    read: Callable[[Workbench, Ask, int, int], Sequence[Any]]
    total: Callable[[Workbench, Ask], int | None] = lambda bench, ask: None
    columns: Callable[[Workbench, Ask], tuple[Column, ...]] | None = None


def nothing(bench: Workbench) -> Any:
    """What a section with pages reads besides them."""
    return ()


@dataclasses.dataclass(frozen=True)
class Section:
    """One list of a desk. `load` and `detail` run in a worker; `cell` functions must not do any I/O.

    A section with `draw` is a picture instead of a list: `load` gives any frozen value, `draw(value, width, height)`
    its lines. `watches` names the databases whose changes make it read again. With `paged` rows are read by window. `limit` is
    how many `load` reads at most, so that a full list is not taken for all there is. `fields` gives, in a worker, what a
    query may ask of rows the store selects; of rows in memory it may ask for every column and for what `asks` holds, the fields of the
    same list on the command line. `tree(records, folded, flat)` says which rows of a tree are to be seen, those below the keys in
    `folded` being hidden; it is asked for plain rows (`flat`) when a filter or an order has taken the tree apart.
    """

    id: str
    title: str
    load: Callable[[Workbench], Any] = nothing
    columns: tuple[Column, ...] = ()
    key: Callable[[Any], str] = str
    empty: Empty | None = None
    detail: Callable[[Workbench, Any], Sequence[Block]] | None = None
    inside: Inside | None = None
    watches: frozenset[str] = frozenset({"catalog"})
    draw: Callable[[Any, int, int], Sequence[Line]] | None = None
    names: Callable[[Any], dict[str, object]] = lambda record: {}
    paged: Paged | None = None
    limit: int = 0
    fields: Callable[[Workbench], Fields] | None = None
    asks: Fields | None = None
    tree: Callable[[Sequence[Any], Set[str], bool], Sequence[Any]] | None = None

    def said(self, records: Any) -> str:
        """How many rows there are, never a false total."""
        if isinstance(records, Pages):
            return records.said
        return f"{'>' if self.limit and len(records) >= self.limit else ''}{len(records):,}"


def open_pages(source: Source, section: Section, ask: Ask, now: int, first: int, wanted: str) -> Pages | Failure:
    """The pages of a section with the one around row `first` (or, if it is found, row `wanted`) read. In a worker."""
    paged = section.paged
    assert paged is not None

    def read(offset: int, limit: int) -> Batch | Failure:
        return source.attempt(lambda bench: Batch(paged.read(bench, ask, offset, limit)))

    def begin(bench: Workbench) -> Pages:
        columns = paged.columns(bench, ask) if paged.columns else section.columns
        pages = Pages(columns, read, now, section.key)
        total = paged.total(bench, ask)
        page = (_place(bench, section, ask, wanted) if wanted else first) // PAGE
        records = paged.read(bench, ask, page * PAGE, PAGE)
        if not records and page:  # there are fewer rows than there were
            page, records = 0, paged.read(bench, ask, 0, PAGE)
        pages.take(page, Batch(records, total))
        return pages

    return source.attempt(begin)


def _place(bench: Workbench, section: Section, ask: Ask, key: str) -> int:
    """Which row an object is; 0 when it is not among the first."""
    assert section.paged is not None
    for offset in range(0, FIND_IN, SCAN):
        records = section.paged.read(bench, ask, offset, SCAN)
        for at, record in enumerate(records):
            if section.key(record) == key:
                return offset + at
        if len(records) < SCAN:
            break
    return 0


@dataclasses.dataclass
class Memory:
    """What a desk remembers of a section while the user is elsewhere.

    `filter` is what stands in the filter line, `typed` what of it can be read, `fields` what a query may ask of the store.
    `asked` is what `records` are the answer to, `home` that the cursor starts at the top in a new answer.
    """

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
    of: str = ""
    typed: Typed = dataclasses.field(default_factory=Typed)
    fields: Fields | None = None
    asked: Ask | None = None
    read_at: int = 0
    home: bool = False
    column: int = 0
    sort_title: str = ""
    arrangement: Arrangement = dataclasses.field(default_factory=Arrangement)
    marks: Marks = dataclasses.field(default_factory=Marks)
    folded: set[str] = dataclasses.field(default_factory=set)

    def columns(self, section: Section) -> tuple[Column, ...]:
        """The columns of what was read."""
        return self.records.columns if isinstance(self.records, Pages) else section.columns

    def ask(self, section: Section) -> Ask:
        """What a section with pages is to read."""
        columns, order = self.columns(section), ""
        if 0 <= self.sort < len(columns) and columns[self.sort].order:
            order = ("-" if self.reverse else "") + columns[self.sort].order
        return Ask(self.reading(section, 0).good, order, self.of, self.arrangement.order)

    def reading(self, section: Section, now: int) -> Typed:
        """What the filter line says, as far as it can be read."""
        fields = self.fields
        if section.paged is None:
            fields = filtering.fields_of(section.columns, now, lambda: self.records or (), section.asks)
        if (self.typed.text, self.typed.fields) != (self.filter, fields):
            self.typed.take(self.filter, fields, now)
        return self.typed

    def visible(self, section: Section, now: int) -> Listed | Pages:
        """The records after filter and sort, as rows."""
        if isinstance(self.records, Pages):
            return self.records.at(now)
        records: Sequence[Any] = self.records or ()
        if self.filter or self.typed.text:
            records = self.reading(section, now).select(records, now)
        if 0 <= self.sort < len(section.columns):
            records = self._sorted(records, section.columns[self.sort], now)
        if section.tree is not None:
            records = section.tree(records, self.folded, bool(self.filter) or self.sort >= 0)
        return Listed(records, section.columns, now, section.key)

    def view(self, section: Section) -> View:
        """How the list is shown, for the next session."""
        columns = self.columns(section)
        title = columns[self.sort].title if 0 <= self.sort < len(columns) else self.sort_title
        return View(self.filter, title, self.reverse, self.arrangement.order, tuple(sorted(self.arrangement.hidden)))

    def restore(self, view: View, section: Section) -> None:
        """Show the list as it was shown in the last session."""
        self.filter, self.reverse, self.sort_title = view.filter, view.reverse, view.sort
        self.arrangement = Arrangement(view.order, frozenset(view.hidden))
        self.find_sort(section)

    def renew(self, section: Section, records: Any) -> None:
        """Take other rows, whose columns may be others, too: the order stays with its column."""
        columns = self.columns(section)
        if 0 <= self.sort < len(columns):
            self.sort_title = columns[self.sort].title
        self.records = records
        if isinstance(records, Pages):
            self.sort = -1
            self.find_sort(section)

    def find_sort(self, section: Section) -> None:
        """The column of the remembered order, once the columns are known."""
        titles = [column.title for column in self.columns(section)]
        if self.sort < 0 and self.sort_title and self.sort_title in titles:
            self.sort = titles.index(self.sort_title)

    def _sorted(self, records: Sequence[Any], column: Column, now: int) -> list[Any]:
        def key(record: Any) -> tuple[int, Any]:
            value = column.sort(record) if column.sort else column.cell(record, now)
            value = value[0] if isinstance(value, tuple) else value
            missing = 0 if self.reverse else 2  # what has no value comes last either way
            return (1, value) if value is not None else (missing, 0)

        try:
            return sorted(records, key=key, reverse=self.reverse)
        except TypeError:  # values of mixed kinds: by their text, so that the order is at least stable
            return sorted(records, key=lambda record: str(key(record)[1]), reverse=self.reverse)
