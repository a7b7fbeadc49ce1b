"""The rows as the built-in steps take them: which columns the model sees, and whether all that is named is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.fitting import UNLABELLED
from mlops_tui.domains.pipelines.work import Work

if TYPE_CHECKING:
    import pandas as pd


def hand_on(work: Work, frame: pd.DataFrame, read: dict[str, Any]) -> dict[str, Any]:
    """Write `frame`, labelled rows only, and return {"rows", "unlabelled", "inputs", "detail"}; `read` is what load found.

    Raises InvalidInput when no row or no input is left, or a column that is named is not there.
    """
    target = work.recipe.data.target
    if frame.empty:
        raise InvalidInput(
            f"{read['pins']['spine']} has no labelled rows to learn from.", hint="Ingest labels, or widen the window."
        )
    inputs = _inputs(work, frame, {*read["special"], target})
    _check_named(work, [str(name) for name in frame.columns], inputs)
    skipped = read["unlabelled"]
    if work.recipe.model.task == "semi-supervised":
        known = frame[target].notna()
        work.write_frame(UNLABELLED, frame[~known])
        skipped, frame = int((~known).sum()), frame[known].reset_index(drop=True)
        work.say(f"{skipped:,} rows without a label are learned from too")
    work.write_frame("frame", frame)
    work.say(f"{len(frame):,} rows, {len(inputs)} inputs: {', '.join(inputs)}")
    detail = f"{len(frame):,} rows x {len(inputs)} inputs"
    if read.get("corrected"):
        detail += f", {read['corrected']:,} earlier rows corrected by later ones"
    return {"rows": len(frame), "unlabelled": skipped, "inputs": inputs, "detail": detail}


def _inputs(work: Work, frame: pd.DataFrame, special: set[str]) -> list[str]:
    data = work.recipe.data
    columns = [str(name) for name in frame.columns]
    for name in (*data.drop, *data.keep):
        need_column(name, columns, "the joined rows")
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


def need_column(name: str, columns: list[str], place: str) -> None:
    """Raise InvalidInput, with the nearest name, for a column that is not there."""
    if name not in columns:
        hint = ids.did_you_mean(name, columns, f"Columns: {', '.join(columns)}.")
        raise InvalidInput(f"There is no column {name!r} in {place}.", hint=hint)
