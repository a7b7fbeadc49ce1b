"""Join the spine with its features, point in time, from snapshots that are pinned here and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import estimators, rows
from mlops_tui.domains.pipelines.fitting import UNLABELLED
from mlops_tui.domains.pipelines.work import JOINED, Work

if TYPE_CHECKING:
    import pandas as pd

FEW = 20  # rows of a rare label that a sample keeps
OUTPUTS = ("frame.parquet", f"{UNLABELLED}.parquet", f"{JOINED}.parquet")


def run(work: Work) -> dict[str, Any]:
    """Write `frame`: one row per labelled spine row, oldest first where the spine has a time."""
    data = work.recipe.data
    estimators.build(work.recipe)  # a wrong estimator or setting should cost seconds, not a join
    snapshot = work.features.snapshot(data.spine)
    table = work.features.get(snapshot.table)
    spine = work.features.frame(snapshot.reference)
    if data.target:
        rows.need_column(data.target, list(spine.columns), snapshot.reference)
    if "until" in work.options:
        spine = known_by(spine, table.created or table.time, work.options["until"])
    spine, corrected = as_known_last(spine, [*table.keys, table.time], table.created)
    spine, outside = _inside_window(spine, table.time, data.window)
    task = work.recipe.model.task
    # Without a label a row teaches nothing, unless the task is to learn from such rows too.
    frame = spine[spine[data.target].notna()] if work.recipe.labelled and task != "semi-supervised" else spine
    skipped = len(spine) - len(frame)
    if table.time:
        frame = frame.sort_values(table.time, kind="stable")
    if "test" in work.options:
        frame = sample(frame, work.options["test"]["rows"], data.target if work.recipe.classes else "")
    # What is read is named here and now, so that it can be read again; a run like another reads what that one read.
    references, read = work.features.pinned(data.features)
    read = work.options.get("pins", {}).get("at", read)
    frame = frame.reset_index(drop=True)
    if references:
        ttl = clock.parse_span(data.ttl) if data.ttl else None
        frame = work.features.join(frame, references, mode=data.mode, ttl=ttl, time=table.time, at=read)
    found = {
        "time": table.time,
        "special": list(table.special),
        "outside_window": outside,
        "corrected": corrected,
        "unlabelled": skipped,
        "snapshots": [snapshot.reference, *dict.fromkeys(read)],
        "pins": {"spine": snapshot.reference, "features": references, "at": read},
    }
    if work.recipe.steps:  # the project's own steps change these rows before anybody else looks at them
        work.write_frame(JOINED, frame)
        return {**found, "rows": len(frame), "detail": f"{len(frame):,} rows"}
    return {**found, **rows.hand_on(work, frame, found)}


def sample(frame: pd.DataFrame, rows: int, label: str = "") -> pd.DataFrame:
    """At most about `rows` rows, evenly over the whole, so that every season is there; and some of every label."""
    import numpy as np

    if len(frame) <= rows:
        return frame
    chosen = {int(place) for place in np.linspace(0, len(frame) - 1, rows)}
    if label:
        for places in frame.groupby(label, dropna=False).indices.values():
            chosen |= {int(places[int(at)]) for at in np.linspace(0, len(places) - 1, min(FEW, len(places)))}
    return frame.iloc[sorted(chosen)]


def known_by(spine: pd.DataFrame, column: str | None, until: int) -> pd.DataFrame:
    """The rows that were known at a moment (ms since the epoch), by when they became known or else when they happened.

    Raises InvalidInput for rows of which neither is known.
    """
    import pandas as pd

    if column is None:
        raise InvalidInput("A backfill needs a spine with a time.", hint="Which rows were there then cannot be told.")
    moment = pd.Timestamp(until, unit="ms", tz="UTC")
    return spine[spine[column] <= (moment if spine[column].dt.tz is not None else moment.tz_localize(None))]


def as_known_last(spine: pd.DataFrame, same: list[str | None], created: str | None) -> tuple[pd.DataFrame, int]:
    """The spine with one row for each key and time, the one that became known last, and how many rows gave way to a correction.

    Without a column that says when a row became known nobody can tell a correction from a second event: all rows stay.
    """
    columns = [column for column in same if column is not None]
    if created is None or len(columns) < len(same) or not (again := spine.duplicated(columns)).any():
        return spine, 0
    kept = (
        spine.sort_values(created, kind="stable", na_position="first")
        .drop_duplicates(columns, keep="last")
        .sort_index()
    )
    return kept, int(again.sum())


def _inside_window(spine: pd.DataFrame, time: str | None, window: str) -> tuple[pd.DataFrame, int]:
    if not window:
        return spine, 0
    if time is None:
        raise InvalidInput("A window needs a spine with an event time.", hint="Leave out [data] window.")
    import pandas as pd

    newest = spine[time].max()
    kept = spine[spine[time] > newest - pd.Timedelta(milliseconds=clock.parse_span(window))]
    return kept, len(spine) - len(kept)
