"""Served values against the offline join at the same moments: the proof that training and serving see the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mlops_tui.domains.features.derived_records import SkewColumn
from mlops_tui.domains.features.records import BIGINT, DOUBLE, TIMESTAMP
from mlops_tui.domains.features.transforming import typed

AT = "_served_at"
_EXAMPLES = 5


def spine_of(vectors: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """A spine of the entities asked (keys and request fields by type) and the moment of each answer."""
    columns = {name: typed(name, [one["row"].get(name) for one in vectors], kind) for name, kind in kinds.items()}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(vectors)))
    frame[AT] = pd.to_datetime([one["at"] for one in vectors], unit="ms", utc=True)
    for name, kind in kinds.items():
        if kind == BIGINT and not frame[name].isna().any():
            frame[name] = frame[name].astype("int64")
    return frame


def compare(
    column: str, kind: str, vectors: Sequence[Mapping[str, Any]], offline: pd.Series, difference: float
) -> SkewColumn:
    """How one column was served, row by row against the join. Numbers may differ by the share `difference` of the larger."""
    places = [place for place, one in enumerate(vectors) if column in one["values"]]
    served = pd.Series(typed(column, [vectors[place]["values"][column] for place in places], kind))
    wanted = pd.Series(typed(column, offline.iloc[places].array, kind))
    lost = served.isna() != wanted.isna()
    there = ~served.isna() & ~wanted.isna()
    largest = None
    if kind in (BIGINT, DOUBLE):
        left, right = served.astype("float64"), wanted.astype("float64")
        gap = (left - right).abs().where(left != right, 0.0)
        room = pd.concat([left.abs(), right.abs()], axis=1).max(axis=1) * (difference if kind == DOUBLE else 0.0)
        odd = lost | (there & ~(gap <= room))
        largest = float(gap[there].max()) if there.any() else None
    else:
        odd = lost | (there & (served.astype("object") != wanted.astype("object")).fillna(False).astype(bool))
    bad = [int(place) for place in odd[odd].index[:_EXAMPLES]]
    examples = tuple(
        {
            "row": vectors[places[place]]["row"],
            "at": vectors[places[place]]["at"],
            "served": _shown(served.iloc[place], kind),
            "offline": _shown(wanted.iloc[place], kind),
        }
        for place in bad
    )
    differing = int(odd.sum())
    return SkewColumn(column, len(places), differing, differing / len(places), largest, examples)


def _shown(value: Any, kind: str) -> Any:
    if pd.isna(value):
        return None
    if kind == TIMESTAMP:
        return value.isoformat().replace("+00:00", "Z")
    return value.item() if hasattr(value, "item") else value
