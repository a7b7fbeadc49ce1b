"""A step of the project: `run(frame, **params) -> frame` on the rows of the steps it needs, laid side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import graph
from mlops_tui.domains.pipelines.work import JOINED, Work, function_of

if TYPE_CHECKING:
    import pandas as pd


def run(work: Work, name: str) -> dict[str, Any]:
    """Write the rows the function returns. Raises InvalidInput when it returns something else."""
    import pandas as pd

    extra = next(step for step in work.recipe.steps if step.name == name)
    frame = beside(work, graph.own_needs(work.recipe.steps)[name])
    changed = function_of(extra.uses, work.project)(frame, **extra.params)
    if not isinstance(changed, pd.DataFrame):
        raise InvalidInput(f"Step {name} returned {type(changed).__name__}.", hint="Return a DataFrame.")
    work.write_frame(name_of(name), changed.reset_index(drop=True))
    added = [str(column) for column in changed.columns if column not in frame.columns]
    said = f"{len(frame):,} rows in, {len(changed):,} out" + (f", with {', '.join(added[:5])}" if added else "")
    work.say(said)
    return {"rows": len(changed), "detail": said}


def beside(work: Work, steps: tuple[str, ...] | list[str]) -> pd.DataFrame:
    """The rows of these steps side by side: each brings the columns it added or changed.

    Raises InvalidInput when they have not the same number of rows, or two changed one column differently.
    """
    first, *others = [(name, work.read_frame(name_of(name))) for name in steps]
    whole, joined = first[1], work.read_frame(JOINED) if others else None
    brought = {str(column): first[0] for column in whole if not _as_joined(joined, whole, str(column))}
    for name, frame in others:
        if len(frame) != len(whole):
            raise InvalidInput(
                f"{name} hands on {len(frame):,} rows and {first[0]} {len(whole):,}; they cannot stand side by side.",
                hint="Steps side by side may add columns; let one that drops rows come before or after them.",
            )
        for column in map(str, frame.columns):
            if _as_joined(joined, frame, column):
                continue
            if column in brought and not whole[column].equals(frame[column]):
                raise InvalidInput(
                    f"{brought[column]} and {name} both make the column {column!r}.", hint="Let one need the other."
                )
            brought[column] = name
            whole = whole.assign(**{column: frame[column].to_numpy()})
    return whole


def name_of(step: str) -> str:
    """The frame that a step hands on."""
    return JOINED if step == graph.LOAD else f"step_{step}"


def _as_joined(joined: pd.DataFrame | None, frame: pd.DataFrame, column: str) -> bool:
    """Whether a branch left a column as it was."""
    if joined is None or column not in joined:
        return False
    return column in frame and len(frame) == len(joined) and bool(joined[column].equals(frame[column]))
