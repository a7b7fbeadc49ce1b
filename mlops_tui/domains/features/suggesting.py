"""Checks that a profile suggests: what held in this version, with room to breathe."""

from __future__ import annotations

from mlops_tui.domains.features.check_records import Check, Severity
from mlops_tui.domains.features.profile_records import ColumnProfile, Profile
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, VARCHAR, Table

_FEW = 10
_ENOUGH_ROWS = 30  # of fewer a range or a set says little


def suggest(profile: Profile, table: Table) -> list[Check]:
    """Presence, uniqueness, sets, ranges, lengths, means and distributions as they were seen; loose ones as warnings."""
    found = [Check("row_change", low=-0.5, severity=Severity.WARN)]
    for column in profile.columns:
        if column.missing == column.rows:
            continue
        found += _presence(column, table)
        if column.rows >= _ENOUGH_ROWS and column.name not in table.special:
            found += _values(column, profile.version)
    return found


def _presence(column: ColumnProfile, table: Table) -> list[Check]:
    found = []
    if not column.missing and column.name not in (*table.keys, table.time):  # those are checked anyway
        found.append(Check("not_null", (column.name,)))
    elif column.missing:
        allowed = min(1.0, round(column.missing_share * 1.5 + 0.01, 3))
        found.append(Check("not_null", (column.name,), severity=Severity.WARN, tolerate=allowed))
    if column.distinct_exact and column.distinct == column.rows - column.missing > 1:
        found.append(Check("unique", (column.name,)))
    return found


def _values(column: ColumnProfile, version: int) -> list[Check]:
    there = column.rows - column.missing
    name = (column.name,)
    every = sum(count for _, count in column.top) == there and 0 < len(column.top) < _FEW
    if column.type == BOOLEAN:
        return [Check("distribution", name, against=version, severity=Severity.WARN)]
    if every and (column.type == VARCHAR or column.distinct <= 5):
        values = tuple(sorted((value for value, _ in column.top), key=str))
        return [
            Check("in_set", name, values=values),
            Check("distribution", name, against=version, severity=Severity.WARN),
        ]
    if column.type == VARCHAR:
        if column.length_min == column.length_max and column.length_min:
            size = float(column.length_min)
            return [Check("length", name, low=size, high=size, severity=Severity.WARN)]
        return []
    if (
        column.type in (BIGINT, DOUBLE)
        and isinstance(column.min, (int, float))
        and isinstance(column.max, (int, float))
    ):
        return _numbers(column, float(column.min), float(column.max), version)
    return []


def _numbers(column: ColumnProfile, least: float, most: float, version: int) -> list[Check]:
    name, room = (column.name,), (most - least) * 0.25
    low = 0.0 if 0 <= least <= room else _rounded(least - room)
    found = [Check("range", name, low=low, high=_rounded(most + room), severity=Severity.WARN)]
    if column.mean is not None and column.std:
        found.append(
            Check(
                "mean",
                name,
                low=_rounded(column.mean - column.std / 2),
                high=_rounded(column.mean + column.std / 2),
                severity=Severity.WARN,
            )
        )
    return [*found, Check("distribution", name, against=version, severity=Severity.WARN)]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
