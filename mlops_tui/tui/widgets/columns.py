"""The columns of a table: which are shown, in what order and how wide, as pure functions of what there is room for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlops_tui.tui.lines import Span

GAP = 2
"""Cells between two columns."""
LEAST = 4
"""A column is never squeezed below this."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: `cell(record, now_ms)` gives text or a span; `sort` a sort key (default: the text).

    `width` is the most it takes (0: 40), `rank` who leaves first when the table is narrow (higher leaves first).
    `order` is what the store calls the column when it sorts ("" = it cannot); `whole` the value uncut, for a look at it.
    `kind` is what a query takes `sort` for: number, time, span, size or text.
    """

    title: str
    cell: Callable[[Any, int], Span | str]
    sort: Callable[[Any], Any] | None = None
    width: int = 0
    right: bool = False
    rank: int = 1
    grow: bool = False
    order: str = ""
    whole: Callable[[Any], object] | None = None
    kind: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrangement:
    """What a user made of a table's columns: titles in order (the others follow in their own order) and hidden ones."""

    order: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    def apply(self, columns: Sequence[Column]) -> list[int]:
        """Indexes of the columns to show. A table is never left without any."""
        place = {title: at for at, title in enumerate(self.order)}
        known = sorted(range(len(columns)), key=lambda at: (place.get(columns[at].title, len(place)), at))
        return [at for at in known if columns[at].title not in self.hidden] or known[:1]


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """Columns as laid out: {index: cells} from the left, and how many more there are before and after them."""

    widths: Mapping[int, int]
    before: int = 0
    after: int = 0


def fit_columns(
    columns: Sequence[Column], wanted: Sequence[int], room: int, shown: Sequence[int] | None = None
) -> dict[int, int]:
    """Which columns are shown and how wide, as {index: cells}, within `room` cells.

    Columns leave by rank, the highest first; what is left over goes to the growing column, what is missing is taken
    from the widest column.
    """
    kept = list(range(len(columns)) if shown is None else shown)

    def total() -> int:
        return sum(wanted[at] for at in kept) + GAP * (len(kept) - 1)

    while len(kept) > 1 and total() > room and max(columns[at].rank for at in kept) > 1:
        kept.remove(max(kept, key=lambda at: (columns[at].rank, at)))
    widths = {at: wanted[at] for at in kept}
    _squeeze(widths, total() - room)
    growing = next((at for at in kept if columns[at].grow), None)
    if growing is not None and total() < room:
        widths[growing] += room - total()
    return widths


def _squeeze(widths: dict[int, int], over: int) -> None:
    """Take `over` cells from the widest columns, one after the other."""
    for _ in range(max(0, over)):
        widest = max(widths, key=lambda at: widths[at])
        if widths[widest] <= LEAST:
            return
        widths[widest] -= 1


def spread(columns: Sequence[Column], shown: Sequence[int], wanted: Sequence[int], room: int, at: int) -> Spread:
    """Lay out the `shown` columns so that the one under the column cursor (`at`, a column index) can be seen.

    As long as it is among those that fit from the left nothing scrolls; else the first column stays and the others
    move left, just far enough.
    """
    fitted = fit_columns(columns, wanted, room, shown)
    if at in fitted or at not in shown or len(shown) < 2:
        return Spread(fitted, 0, len(shown) - len(fitted))
    first, *others = shown
    widths = {first: min(wanted[first], max(LEAST, room // 2))}
    left = room - widths[first] - GAP
    end = others.index(at) + 1
    start = end - 1
    used = min(wanted[at], max(1, left))
    while start > 0 and used + GAP + wanted[others[start - 1]] <= left:
        start -= 1
        used += GAP + wanted[others[start]]
    widths.update({one: min(wanted[one], max(1, left)) for one in others[start:end]})
    for one in others[end:]:
        if used + GAP + wanted[one] > left:
            break
        used += GAP + wanted[one]
        widths[one] = wanted[one]
    return Spread(widths, start, len(shown) - start - len(widths))
