"""Feast's words for lookups: what its clients POST to `/get-online-features`, and the answer they read.

The shape is that of Feast 0.67: one result per entity column and feature, each with parallel values, statuses and event
timestamps (protos/feast/serving/ServingService.proto and sdk/python/feast/feature_server_utils.py in its repository). A feature
view is a table or an on-demand transformation here, a reference is `table:column`. Feature services are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.records import Found

# What Feast gives where it knows no time: for entity columns, and for values that are not there.
_UNSET = "1970-01-01T00:00:00Z"
_ABSENT = {"missing": "NOT_FOUND", "expired": "OUTSIDE_MAX_AGE"}


class Asked(msgspec.Struct):
    """The body of a request."""

    entities: dict[str, list[Any]]
    features: list[str] = []
    feature_service: str | None = None
    full_feature_names: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What one table answered: its columns asked for, its time column (looked up too), one answer per entity."""

    table: str
    columns: Sequence[str]
    time: str | None
    found: Sequence[Found]


def read(asked: Asked) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    """The columns wanted by table, and a row per entity. Raises InvalidInput."""
    if asked.feature_service is not None:
        raise InvalidInput(
            f"There is no feature service {asked.feature_service!r}: none are kept here.",
            hint='Name the features instead: {"features": ["table:column"], "entities": {...}}',
        )
    if not asked.features:
        raise InvalidInput("No features are named.", hint='Name them: "features": ["table:column"]')
    counts = {len(values) for values in asked.entities.values()}
    if len(counts) != 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in asked.entities.items()) or "none are given"
        raise InvalidInput(f"Entities need lists of one length: {lengths}.", hint='"entities": {"customer_id": [7, 8]}')
    wanted: dict[str, list[str]] = {}
    for reference in asked.features:
        table, sign, column = reference.partition(":")
        if not sign or not table or not column:
            raise InvalidInput(f"{reference!r} names no feature.", hint="Write table:column.")
        if column in wanted.setdefault(table, []):
            raise InvalidInput(f"{reference!r} is asked for twice.", hint="Ask for it once.")
        wanted[table].append(column)
    names = [*asked.entities, *(_name(asked, table, column) for table, some in wanted.items() for column in some)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The answer would have two columns {twice!r}.", hint='Send "full_feature_names": true.')
    return wanted, [dict(zip(asked.entities, row, strict=True)) for row in zip(*asked.entities.values(), strict=True)]


def answer(asked: Asked, rows: Sequence[dict[str, Any]], parts: Sequence[Part]) -> dict[str, Any]:
    """The body of the answer: entity columns first, then the features, table by table."""
    names: list[str] = list(asked.entities)
    results = [
        {"values": values, "statuses": ["PRESENT"] * len(rows), "event_timestamps": [_UNSET] * len(rows)}
        for values in asked.entities.values()
    ]
    for part in parts:
        for column in part.columns:
            names.append(_name(asked, part.table, column))
            values = [one.values[column] for one in part.found]
            results.append(
                {
                    "values": values,
                    "statuses": [_status(one, value) for one, value in zip(part.found, values, strict=True)],
                    "event_timestamps": [_moment(one.values[part.time]) if part.time else _UNSET for one in part.found],
                }
            )
    return {"metadata": {"feature_names": names}, "results": results}


def _name(asked: Asked, table: str, column: str) -> str:
    return f"{table}__{column}" if asked.full_feature_names else column


def _status(one: Found, value: Any) -> str:
    if value is not None:  # a count is 0 where nothing was ever seen
        return "PRESENT"
    return _ABSENT.get(one.status, "NULL_VALUE")


def _moment(text: str | None) -> str:
    """Protobuf's JSON of a time: no fraction, 3 digits or 6."""
    return _UNSET if text is None else text.replace("000Z", "Z") if "." in text else text
