"""What is in one column, as blocks beside the rows of a table: shape, counts, quantiles, common values, warnings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Pair, Raw, Text, heading
from mlops_tui.tui.charts.histogram import histogram
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.charts.small import bars
from mlops_tui.tui.lines import Line, Span, clean, number, percent

if TYPE_CHECKING:
    from mlops_tui.domains.features.profile_records import ColumnProfile, Profile

TOP = 8
TOGETHER = 0.1
"""Weaker correlations are not worth a line."""
_LABEL = 24


@dataclasses.dataclass(frozen=True)
class Shape(Pair):
    """The histogram of a column; `bins` are the lower ends of its bars."""

    def draw(self, width: int, view: View | None = None) -> list[Line]:
        kind = view.canvas if view else "braille"
        body = histogram(self.current, width, self.height, bins=self.bins, names=("rows", ""), kind=kind)
        return [*heading(self.name if isinstance(self.name, str) else self.name[0]), *body[:-1]]


@dataclasses.dataclass(frozen=True)
class Common(Text):
    """The commonest values with a bar each."""

    pairs: tuple[tuple[str, float], ...] = ()

    def draw(self, width: int) -> list[Line]:
        return [*heading(self.title), *bars(self.pairs, width)]


def of_column(profile: Profile, name: str, exact_to_come: str = "") -> Sequence[Block]:
    """Everything the profile knows of a column; `exact_to_come` says what is still being counted."""
    column = profile.column(name)
    if column is None:
        return (Text(f"Nothing is known of {name}.", "muted"),)
    how = "" if profile.exact else f"from a sample of {profile.sampled:,} of {profile.rows:,} rows"
    said: list[Block] = [_facts(column, profile.rows, how)]
    if exact_to_come:
        said.append(Text(exact_to_come, "busy"))
    if column.warnings:
        said.append(Raw(tuple((("▲ ", "warn"), (clean(one), "warn")) for one in column.warnings)))
    if column.counts:
        said.append(Shape("Histogram", (), tuple(map(float, column.counts)), _edges(column), height=8))
    if column.quantiles:
        said.append(_quantiles(column))
    if column.top:
        said.append(_common(column))
    together = [
        (a if b == name else b, r) for a, b, r in profile.correlations if name in (a, b) and abs(r) >= TOGETHER
    ][:4]
    if together:
        rows = tuple((clean(other), f"{r:+.2f}") for other, r in together)
        said.append(Grid(("Goes with", "r"), rows, title="Correlation"))
    return tuple(said)


def _facts(column: ColumnProfile, rows: int, how: str) -> Fields:
    there = column.rows - column.missing
    share = percent(column.missing_share, 1)
    missing: Span | str = (
        (f"~{share}" if how else f"{column.missing:,} ({share})", "warn") if column.missing else "none"
    )
    distinct = f"{'' if column.distinct_exact else '~'}{column.distinct:,}"
    of = f" ({percent(min(1.0, column.distinct / there))} of the values)" if there else ""
    lengths = (column.length_min, column.length_mean, column.length_max)
    pairs: list[tuple[str, Span | str]] = [
        ("Type", column.type.lower()),
        ("Rows", f"{rows:,}"),
        ("Missing", missing),
        ("Distinct", distinct + of),
        ("Least", value(column.min)),
        ("Greatest", value(column.max)),
        ("Mean", "" if column.mean is None else number(column.mean)),
        ("Deviation", "" if column.std is None else number(column.std)),
        ("Skewness", "" if column.skew is None else number(round(column.skew, 3))),
        ("Zeros", _share(column.zeros, there)),
        ("Negative", _share(column.negatives, there)),
        ("Infinite", _share(column.infinite, there)),
        ("Lengths", "" if lengths[0] is None else f"{lengths[0]} to {lengths[2]}, mean {number(lengths[1])}"),
        ("Counted", (how, "warn") if how else ("all rows", "muted")),
    ]
    return Fields(tuple(pairs), title=clean(column.name))


def _share(count: int, of: int) -> str:
    return f"{count:,} ({percent(count / of, 1)})" if count and of else ""


def _edges(column: ColumnProfile) -> tuple[str, ...]:
    if column.type == "TIMESTAMPTZ":
        return tuple(clock.local(int(edge / 1000))[:10] for edge in column.edges[:-1])
    first = 1 if column.type == "BIGINT" else 0  # a bar begins above its lower edge
    return tuple(number(edge + first, 3) for edge in column.edges[:-1])


def _quantiles(column: ColumnProfile) -> Block:
    rows = tuple((f"{share * 100:g} %", value(at)) for share, at in column.quantiles)
    return Grid(("Of the rows", "at most"), rows, title="Quantiles")


def _common(column: ColumnProfile) -> Block:
    pairs = tuple((clean(value(one)) or "(empty)", float(count)) for one, count in column.top[:TOP])
    return Common("", title="Commonest values", pairs=tuple((name[:_LABEL], count) for name, count in pairs))


def value(one: Any) -> str:
    """A value of a profile for people; nothing for None."""
    if one is None:
        return ""
    if isinstance(one, (int, float)) and not isinstance(one, bool):
        return number(one, 6)
    text = clean(one)
    return f"{text[:10]} {text[11:16]}" if len(text) >= 20 and text[10:11] == "T" and text.endswith("Z") else text
