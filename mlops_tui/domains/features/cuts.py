"""Cut points of a column, and what the counts between them tell: histogram bars, quantiles, zeros and negatives.

A count belongs to a cut: the rows above the cut before it, up to and including it. Around every value that a sample shows to
be common a cut lies just before and one on it, so that a value that many rows share keeps its exact count and place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.records import BIGINT, DOUBLE, TIMESTAMP, VARCHAR, quote

if TYPE_CHECKING:
    import duckdb

BARS = 20
_TOP = 10
_SHARES = (0.01, *(step / 40 for step in range(1, 40)), 0.99)


def guides(connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]) -> dict[str, list[Any]]:
    """Where the values of each column lie in `source`, a sample: quantiles of numbers and times, the commonest texts."""
    shares = ", ".join(map(str, _SHARES))
    wanted = []
    for place, (name, kind) in enumerate(columns.items()):
        column = quote(name)
        if kind == VARCHAR:
            wanted.append(f"approx_top_k({column}, {_TOP}) AS g{place}")
        elif kind in (BIGINT, DOUBLE, TIMESTAMP):
            value = f"epoch_us({column})" if kind == TIMESTAMP else column
            there = f"isfinite({column})" if kind != BIGINT else f"{column} IS NOT NULL"
            wanted.append(f"quantile_disc({value}, [{shares}]) FILTER ({there}) AS g{place}")
    if not wanted:
        return {name: [] for name in columns}
    row = fetch(connection, f"SELECT {', '.join(wanted)} FROM {source}").to_pylist()[0]
    found = {name: row.get(f"g{place}") or [] for place, name in enumerate(columns)}
    return {name: [value for value in values if value is not None] for name, values in found.items()}


def edges(kind: str, low: Any, high: Any, guide: Sequence[Any]) -> list[float]:
    """The cuts of a column from its least to its greatest value, rising; none for a column without numbers."""
    if kind not in (BIGINT, DOUBLE, TIMESTAMP) or low is None or high is None:
        return []
    if kind == DOUBLE:
        low, high = float(low), float(high)
        spread = high - low
        if not math.isfinite(spread):
            return []
        even = [low + spread * (step / BARS) for step in range(BARS)]
        near = [near for value in guide for near in (math.nextafter(value, -math.inf), float(value))]
        zero = [math.nextafter(0.0, -math.inf), 0.0]
    else:
        low, high = int(low), int(high)
        even = [cut for cut in _whole_marks(low, high, BARS) if cut >= low]
        near = [near for value in guide for near in (int(value) - 1, int(value))]
        zero = [-1, 0] if kind == BIGINT else []
    inside = {cut for cut in (*even, *near, *zero) if low <= cut < high}
    return [*sorted(inside), high]


def _whole_marks(low: int, high: int, wanted: int) -> list[int]:
    """Marks between whole numbers, from just below the least: each bar has as many of them, or one of them."""
    span = high - low + 1
    return sorted({low - 1 + span * step // wanted for step in range(wanted + 1)})


def literal(values: Sequence[float]) -> str:
    """The cuts as a SQL list."""
    kind = "BIGINT" if all(isinstance(value, int) for value in values) else "DOUBLE"
    return f"[{', '.join(f'({value!r})' for value in values)}]::{kind}[]"


def bars(lines: Sequence[float], counts: Sequence[int], wanted: int) -> tuple[list[float], list[int]]:
    """(edges, counts) of at most `wanted` bars of equal width, made of whole cuts; nothing for a single value."""
    low, high = lines[0], lines[-1]
    if low == high:
        return [], []
    marks: list[float] = (
        [*_whole_marks(low, high, wanted)]
        if isinstance(low, int) and isinstance(high, int)
        else [*(low + (high - low) * (step / wanted) for step in range(wanted)), high]
    )
    found = [0] * (len(marks) - 1)
    at = 0
    for line, count in zip(lines, counts, strict=True):
        while at < len(found) - 1 and line > marks[at + 1]:
            at += 1
        found[at] += count
    return marks, found


def quantiles(
    lines: Sequence[float], counts: Sequence[int], shares: Sequence[float], *, whole: bool
) -> list[float | None]:
    """The values below which these shares of the rows lie, straight lines drawn between cuts."""
    total = sum(counts)
    if not total:
        return [None] * len(shares)
    found: list[float | None] = []
    for share in shares:
        wanted, passed = share * total, 0
        for place, count in enumerate(counts):
            if count and passed + count >= wanted:
                below = lines[place - 1] if place else lines[0]
                value = below + (lines[place] - below) * ((wanted - passed) / count)
                found.append(math.ceil(value) if whole else value)
                break
            passed += count
        else:
            found.append(lines[-1])
    return found


def signs(lines: Sequence[float], counts: Sequence[int]) -> tuple[int, int]:
    """(negative rows, rows of nought): both are cuts wherever the range reaches them."""
    negatives = sum(count for line, count in zip(lines, counts, strict=True) if line < 0)
    zeros = sum(count for line, count in zip(lines, counts, strict=True) if line == 0)
    return negatives, zeros
