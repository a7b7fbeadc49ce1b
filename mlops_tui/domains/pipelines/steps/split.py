"""Cut the rows into a part to learn from, a part to choose by and a part to judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import leakage
from mlops_tui.domains.pipelines.work import PARTS, Work

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlops_tui.domains.pipelines.making import Split


OUTPUTS = tuple(f"{name}.parquet" for name in PARTS)


def run(work: Work) -> dict[str, Any]:
    """Write the frames train, validation and test."""
    frame = work.read_frame("frame")
    parts = assign(frame, work.recipe.split, target=work.recipe.data.target, time=work.results["load"]["time"])
    counts = {name: int((parts == place).sum()) for place, name in enumerate(PARTS)}
    if not counts["train"] or not counts["test"]:
        raise InvalidInput(
            f"{len(frame):,} rows leave {counts['train']} to train and {counts['test']} to test.",
            hint="Use more rows, other shares, or another split.",
        )
    if work.recipe.classes:
        labels = frame.loc[parts == 0, work.recipe.data.target].dropna().unique()
        if len(labels) < 2:
            only = f"only the label {labels[0]}" if len(labels) else "no label"
            raise InvalidInput(
                f"The {counts['train']:,} rows to learn from have {only}; a classification needs two.",
                hint='Look at the data, or split by = "stratified".',
            )
    for place, name in enumerate(PARTS):
        work.write_frame(name, frame[parts == place])
    detail = ", ".join(f"{counts[name]:,} {name}" for name in PARTS)
    work.say(f"by {work.recipe.split.by}: {detail}")
    leaks = _leaks(work, frame, parts)
    more = f"; {len(leaks)} leakage warning{'s' if len(leaks) != 1 else ''}: {leaks[0]}" if leaks else ""
    return {**counts, "warnings": leaks, "detail": detail + more}


def _leaks(work: Work, frame: pd.DataFrame, parts: np.ndarray[Any, Any]) -> list[str]:
    split, target = work.recipe.split, work.recipe.data.target
    if split.leakage == "off":
        return []
    time = work.results["load"]["time"]
    leaks = leakage.found(frame, parts, split, inputs=work.inputs, target=target, time=time)
    for text in leaks:
        work.say(f"leakage: {text}")
    if leaks and split.leakage == "error":
        raise InvalidInput(
            f"The test rows would not be new to the model: {'; '.join(leaks)}.",
            hint='Drop the column, split otherwise, or set [split] leakage = "warn".',
        )
    return leaks


def assign(frame: pd.DataFrame, split: Split, *, target: str, time: str | None) -> np.ndarray[Any, Any]:
    """Give each row its part: 0 train, 1 validation, 2 test.

    time: the newest rows are the test part, and rows of one moment stay together. group: so do rows of one group.
    stratified: each class is cut alike.
    """
    import numpy as np

    generator = np.random.default_rng(split.seed)
    if split.by == "time":
        if time is None:
            raise InvalidInput("A split by time needs a spine with an event time.", hint='Use [split] by = "random".')
        return _cut_ordered(frame[time].to_numpy(), split)
    if split.by == "group":
        if split.group not in frame.columns:
            raise InvalidInput(f"There is no column {split.group!r} to group by.", hint="See [split] group.")
        groups, codes = np.unique(frame[split.group].astype(str), return_inverse=True)
        shuffled = generator.permutation(len(groups))[codes]
        return _cut_ordered(shuffled, split)
    if split.by == "random":
        return _cut_places(generator.permutation(len(frame)), len(frame), split)
    parts = np.zeros(len(frame), dtype=int)
    for label in frame[target].unique():
        rows = np.flatnonzero((frame[target] == label).to_numpy())
        parts[rows] = _cut_places(generator.permutation(len(rows)), len(rows), split)
    return parts


def _cut_places(places: np.ndarray[Any, Any], count: int, split: Split) -> np.ndarray[Any, Any]:
    import numpy as np

    test = max(1, round(count * split.test))
    validation = round(count * split.validation)
    parts: np.ndarray[Any, Any] = np.where(
        places >= count - test, 2, np.where(places >= count - test - validation, 1, 0)
    )
    return parts


def _cut_ordered(values: np.ndarray[Any, Any], split: Split) -> np.ndarray[Any, Any]:
    """Cut by value at the wanted shares; equal values are never separated."""
    import numpy as np

    ordered = np.sort(values)
    count = len(ordered)
    first_test = ordered[min(count - 1, count - max(1, round(count * split.test)))]
    before = int(np.searchsorted(ordered, first_test, side="left"))
    wanted = round(count * split.validation)
    parts = np.where(values >= first_test, 2, 0)
    if wanted and before:
        first_validation = ordered[max(0, before - wanted)]
        parts = np.where((values >= first_validation) & (parts == 0), 1, parts)
    return parts
