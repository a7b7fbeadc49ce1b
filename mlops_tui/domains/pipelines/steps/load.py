"""Join the spine with its features, point in time, from snapshots that are pinned here and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import estimators
from mlops_tui.domains.pipelines.fitting import UNLABELLED
from mlops_tui.domains.pipelines.work import Work, function_of

if TYPE_CHECKING:
    import pandas as pd

FEW = 20  # rows of a rare label that a sample keeps
OUTPUTS = ("frame.parquet", f"{UNLABELLED}.parquet")


def run(work: Work) -> dict[str, Any]:
    """Write `frame`: one row per labelled spine row, oldest first where the spine has a time."""
    data = work.recipe.data
    estimators.build(work.recipe)  # a wrong estimator or setting should cost seconds, not a join
    snapshot = work.features.snapshot(data.spine)
    table = work.features.get(snapshot.table)
    spine = work.features.frame(snapshot.reference)
    if data.target:
        _need_column(data.target, list(spine.columns), snapshot.reference)
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
    frame = _extra_steps(work, frame, "load")
    if frame.empty:
        raise InvalidInput(
            f"{snapshot.reference} has no labelled rows to learn from.", hint="Ingest labels, or widen the window."
        )
    inputs = _inputs(work, frame, {*table.special, data.target})
    _check_named(work, [str(name) for name in frame.columns], inputs)
    if task == "semi-supervised":
        known = frame[data.target].notna()
        work.write_frame(UNLABELLED, frame[~known])
        skipped, frame = int((~known).sum()), frame[known].reset_index(drop=True)
        work.say(f"{skipped:,} rows without a label are learned from too")
    work.write_frame("frame", frame)
    work.say(f"{len(frame):,} rows, {len(inputs)} inputs: {', '.join(inputs)}")
    return {
        "rows": len(frame),
        "unlabelled": skipped,
        "outside_window": outside,
        "inputs": inputs,
        "time": table.time,
        "snapshots": [snapshot.reference, *dict.fromkeys(read)],
        "pins": {"spine": snapshot.reference, "features": references, "at": read},
        "detail": f"{len(frame):,} rows x {len(inputs)} inputs",
    }


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


def _inside_window(spine: pd.DataFrame, time: str | None, window: str) -> tuple[pd.DataFrame, int]:
    if not window:
        return spine, 0
    if time is None:
        raise InvalidInput("A window needs a spine with an event time.", hint="Leave out [data] window.")
    import pandas as pd

    newest = spine[time].max()
    kept = spine[spine[time] > newest - pd.Timedelta(milliseconds=clock.parse_span(window))]
    return kept, len(spine) - len(kept)


def _inputs(work: Work, frame: pd.DataFrame, special: set[str]) -> list[str]:
    data = work.recipe.data
    columns = [str(name) for name in frame.columns]
    for name in (*data.drop, *data.keep):
        _need_column(name, columns, "the joined rows")
    inputs = [name for name in columns if (name not in special or name in data.keep) and name not in data.drop]
    inputs = [name for name in inputs if name != data.target]
    if not inputs:
        raise InvalidInput(
            "No column is left for the model to learn from.", hint="Name feature tables in [data] features."
        )
    return inputs


def _check_named(work: Work, columns: list[str], inputs: list[str]) -> None:
    """Find a column that a later section names and the rows do not have, all of them now rather than after the training."""
    recipe = work.recipe
    named = [("[preprocess.columns]", name, inputs) for name in recipe.preprocess.columns]
    named += [("[split] group", recipe.split.group, columns)] if recipe.split.group else []
    named += [
        ("[fairness] sensitive", name, columns) for name in (recipe.fairness.sensitive if recipe.fairness else [])
    ]
    for test in recipe.tests:
        named += [(f"test {test.name}", test.column, inputs)] if test.kind != "minimum" else []
        named += [(f"the slice of test {test.name}", name, columns) for name in test.slice]
    wrong = [(place, name, known) for place, name, known in named if name not in known]
    if wrong:
        said = "; ".join(f"{place} names {name!r}, which is not there" for place, name, _ in wrong)
        _, name, known = wrong[0]
        raise InvalidInput(f"{said}.", hint=ids.did_you_mean(name, known, f"Columns: {', '.join(known)}."))


def _extra_steps(work: Work, frame: pd.DataFrame, after: str) -> pd.DataFrame:
    import pandas as pd

    for extra in work.recipe.steps:
        if extra.after != after:
            continue
        changed = function_of(extra.uses, work.project)(frame, **extra.params)
        if not isinstance(changed, pd.DataFrame):
            raise InvalidInput(f"Step {extra.name} returned {type(changed).__name__}.", hint="Return a DataFrame.")
        work.say(f"{extra.name}: {len(frame):,} rows in, {len(changed):,} out")
        frame = changed.reset_index(drop=True)
    return frame


def _need_column(name: str, columns: list[str], place: str) -> None:
    if name not in columns:
        hint = ids.did_you_mean(name, columns, f"Columns: {', '.join(columns)}.")
        raise InvalidInput(f"There is no column {name!r} in {place}.", hint=hint)
