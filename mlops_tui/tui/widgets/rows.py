"""Where a table gets its rows from: a list in memory, or pages of a store of which only a few are kept."""

from __future__ import annotations

import dataclasses
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mlops_tui.tui.lines import Line, line
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.columns import Column

PAGE = 200
KEPT_PAGES = 40
AROUND = (1, -1)
"""Pages beside those on screen that are read once somebody scrolls, so that the rows are there before the keys are."""
SCAN = 1000
"""Rows read at once when keys of many rows are asked for."""


class Cells(Protocol):
    """The least a table needs."""

    @property
    def count(self) -> int: ...

    def cells(self, index: int) -> Line | None: ...


class Rows:
    """Rows of a table. `count` is how many are known; with `exact` False there are more than that.

    `cells`, `record` and `key` answer None for a row that is not in memory; `missing`, `fetch` and `take` get it there.
    """

    count: int = 0
    exact: bool = True
    columns: tuple[Column, ...] = ()

    def cells(self, index: int) -> Line | None:
        raise IndexError(index)

    def record(self, index: int) -> Any:
        return None

    def key(self, index: int) -> str | None:
        return str(index)

    def find(self, key: str) -> int | None:
        """Where the row with this key is, as far as it is in memory."""
        return None

    def missing(self, first: int, last: int) -> int | None:
        """The page to read next when the rows from `first` to `last` are on screen; None when there is nothing to do."""
        return None

    def fetch(self, page: int) -> Batch | Failure:
        """Read a page (in a worker)."""
        return Batch((), 0)

    def take(self, page: int, batch: Batch) -> None:
        """Keep what was read (in the thread of the table)."""

    def keys(self, first: int, last: int) -> list[str] | Failure:
        """The keys of all rows from `first` up to (without) `last`; may read, so in a worker."""
        return [key for index in range(first, min(last, self.count)) if (key := self.key(index)) is not None]

    @property
    def said(self) -> str:
        """How many rows, never a false total: ``1,204`` or ``>500``."""
        return f"{'' if self.exact else '>'}{self.count:,}"


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Records of one page; `total` is how many there are in all where that is cheap to know."""

    records: Sequence[Any]
    total: int | None = None


class Simple(Rows):
    """Anything with `count` and `cells` as rows."""

    def __init__(self, source: Cells) -> None:
        self._source = source

    @property
    def count(self) -> int:  # type: ignore[override]
        return self._source.count

    def cells(self, index: int) -> Line | None:
        return self._source.cells(index)


def as_rows(source: Rows | Cells) -> Rows:
    """The source itself, or wrapped."""
    return source if isinstance(source, Rows) else Simple(source)


class Listed(Rows):
    """Records in memory, formatted when asked for and remembered."""

    def __init__(
        self, records: Sequence[Any], columns: tuple[Column, ...], now: int, key: Callable[[Any], str] = str
    ) -> None:
        self.records = records
        self.columns = columns
        self._now = now
        self._key = key
        self._cells: dict[int, Line] = {}
        self._places: dict[str, int] | None = None

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.records)

    def cells(self, index: int) -> Line:
        found = self._cells.get(index)
        if found is None:
            found = line(*(column.cell(self.records[index], self._now) for column in self.columns))
            self._cells[index] = found
        return found

    def record(self, index: int) -> Any:
        return self.records[index] if 0 <= index < len(self.records) else None

    def key(self, index: int) -> str | None:
        return self._key(self.records[index]) if 0 <= index < len(self.records) else None

    def find(self, key: str) -> int | None:
        if self._places is None:
            # The first of two rows with one key counts.
            self._places = {self._key(record): at for at, record in reversed(list(enumerate(self.records)))}
        return self._places.get(key)


Read = Callable[[int, int], "Batch | Failure"]


class Pages(Rows):
    """Rows of a store, read a page at a time by `read(offset, limit)` in a worker; the pages used last are kept.

    Without a total from the store the count grows as pages arrive, and is exact once the last one has.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        read: Read,
        now: int,
        key: Callable[[Any], str] = str,
        *,
        page: int = PAGE,
        kept: int = KEPT_PAGES,
    ) -> None:
        self.columns = columns
        self.count = 0
        self.exact = False
        self._read, self._now, self._key = read, now, key
        self._size, self._kept = page, kept
        self._pages: OrderedDict[int, Sequence[Any]] = OrderedDict()
        self._cells: dict[int, Line] = {}

    def __len__(self) -> int:
        return self.count

    def at(self, now: int) -> Pages:
        """The same rows with ages as of `now`."""
        if now != self._now:
            self._now = now
            self._cells.clear()
        return self

    def _page(self, index: int) -> Sequence[Any] | None:
        number = index // self._size
        page = self._pages.get(number)
        if page is not None:
            self._pages.move_to_end(number)
        return page

    def record(self, index: int) -> Any:
        page = self._page(index) if 0 <= index < self.count else None
        at = index % self._size
        return page[at] if page is not None and at < len(page) else None

    def key(self, index: int) -> str | None:
        record = self.record(index)
        return None if record is None else self._key(record)

    def cells(self, index: int) -> Line | None:
        found = self._cells.get(index)
        if found is None and (record := self.record(index)) is not None:
            found = line(*(column.cell(record, self._now) for column in self.columns))
            self._cells[index] = found
        return found

    def find(self, key: str) -> int | None:
        for number, page in self._pages.items():
            for at, record in enumerate(page):
                if self._key(record) == key:
                    return number * self._size + at
        return None

    def missing(self, first: int, last: int) -> int | None:
        wanted = range(max(0, first) // self._size, max(0, last) // self._size + 1)
        for number in wanted:
            if number not in self._pages and (not self.exact or number * self._size < self.count):
                return number
        after = wanted[-1] + 1
        # Near the end of what is known the next page is read ahead, to find out how many rows there are.
        if not self.exact:
            return after if after not in self._pages and last + self._size // 2 >= self.count else None
        near = (wanted[-1] + step if step > 0 else wanted[0] + step for step in AROUND) if first > 0 else ()
        return next((at for at in near if at >= 0 and at * self._size < self.count and at not in self._pages), None)

    def fetch(self, page: int) -> Batch | Failure:
        return self._read(page * self._size, self._size)

    def take(self, page: int, batch: Batch) -> None:
        self._pages[page] = batch.records
        self._pages.move_to_end(page)
        start, end = page * self._size, page * self._size + len(batch.records)
        for index in range(start, start + self._size):
            self._cells.pop(index, None)
        if batch.total is not None:
            self.count, self.exact = batch.total, True
        elif len(batch.records) < self._size:
            self.count, self.exact = (end if batch.records else min(self.count, start)), True
        elif not self.exact:
            self.count = max(self.count, end)
        while len(self._pages) > self._kept:
            gone, _ = self._pages.popitem(last=False)
            for index in range(gone * self._size, (gone + 1) * self._size):
                self._cells.pop(index, None)

    def keys(self, first: int, last: int) -> list[str] | Failure:
        out: list[str] = []
        for offset in itertools.count(first, SCAN):
            limit = min(SCAN, last - offset)
            batch = self._read(offset, limit) if limit > 0 else Batch(())
            if isinstance(batch, Failure):
                return batch
            out += [self._key(record) for record in batch.records]
            if len(batch.records) < SCAN:
                break
        return out
