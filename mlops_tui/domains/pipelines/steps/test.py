"""Ask the model the behavioural tests of the definition. A test that fails is for the gate to judge, not an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import fitting
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.work import Work
from mlops_tui.domains.registry import metrics
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.criteria import Behaviour
    from mlops_tui.domains.registry.metrics import Array

MIN_ROWS = 5


def run(work: Work) -> dict[str, Any]:
    """Return {"tests": [{"name", "passed", "rows", "value", "limit", "detail"}]}; `passed` None: too few rows."""
    model, frame = work.read_object("model"), work.read_frame("test")
    ask = {"invariance": _invariance, "direction": _direction, "minimum": _minimum}
    found: list[dict[str, Any]] = []
    for test in work.recipe.tests:
        rows = _rows(work, frame, test)
        outcome = _too_few(rows) if len(rows) < MIN_ROWS else ask[test.kind](work, model, rows, test)
        found.append({"name": test.name, **outcome})
        word = {True: "yes", False: "NO", None: "open"}[outcome["passed"]]
        work.say(f"{word:>4}  {test.name}  {outcome['detail']}")
    passed = sum(item["passed"] is True for item in found)
    return {"tests": found, "detail": f"{passed} of {len(found)} behavioural tests passed"}


def _too_few(rows: pd.DataFrame) -> dict[str, Any]:
    return {"passed": None, "rows": len(rows), "value": None, "limit": "", "detail": f"only {len(rows)} rows"}


def _rows(work: Work, frame: pd.DataFrame, test: Behaviour) -> pd.DataFrame:
    """The test rows of the slice; a minimum looks at all of them, the others at as many as asked."""
    for column, wanted in test.slice.items():
        texts = frame[column].map(level_text, na_action="ignore")
        frame = frame[(texts == level_text(wanted)).to_numpy()]
    if test.kind == "minimum":
        return frame
    return frame.head(test.rows)


def _invariance(work: Work, model: Any, frame: pd.DataFrame, test: Behaviour) -> dict[str, Any]:
    before = _ask(work, model, frame)
    moved = np.zeros(len(frame))
    for value in test.values:
        after = _ask(work, model, _changed(frame, test.column, [value] * len(frame)))
        moved = np.maximum(moved, np.abs(after - before).reshape(len(frame), -1).max(axis=1))
    return _judged(moved > test.within + 1e-12, float(moved.max()), f"moves <= {test.within:g}", test, frame)


def _direction(work: Work, model: Any, frame: pd.DataFrame, test: Behaviour) -> dict[str, Any]:
    if not pd.api.types.is_numeric_dtype(frame[test.column]):
        raise InvalidInput(f"Test {test.name}: {test.column} is no number to raise.", hint="Use a test of invariance.")
    before = _one(_ask(work, model, frame))
    after = _one(_ask(work, model, _changed(frame, test.column, frame[test.column] + test.change)))
    sign = 1 if test.expect == "up" else -1
    against = -sign * (after - before)
    limit = f"{'never falls' if sign > 0 else 'never rises'} by more than {test.within:g}"
    return _judged(against > test.within + 1e-12, float(against.max()), limit, test, frame)


def _minimum(work: Work, model: Any, frame: pd.DataFrame, test: Behaviour) -> dict[str, Any]:
    name = test.metric or work.recipe.primary
    rows, target = work.divided(frame)
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    shown = metrics.decided(name, answer, fitting.threshold_of(model)) if work.recipe.classes else answer
    value = metrics.score(name, places_of(target, labels), shown)
    low = -np.inf if test.at_least is None else test.at_least
    high = np.inf if test.at_most is None else test.at_most
    bounds = [(">=", test.at_least), ("<=", test.at_most)]
    limit = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    known = bool(np.isfinite(value))
    detail = (
        f"{name} {value:.4g} on {len(frame):,} rows, wanted {limit}" if known else f"{name} cannot be computed there"
    )
    passed = bool(low <= value <= high) if known else None
    return {"passed": passed, "rows": len(frame), "value": value if known else None, "limit": limit, "detail": detail}


def _judged(broken: Array, worst: float, limit: str, test: Behaviour, frame: pd.DataFrame) -> dict[str, Any]:
    count = int(broken.sum())
    passed = count <= test.allow * len(frame)
    allowed = f", {test.allow:.0%} may" if test.allow else ""
    detail = f"{test.kind} of {test.column}: {count:,} of {len(frame):,} rows break it{allowed}, worst {worst:.4g}"
    return {"passed": passed, "rows": len(frame), "value": worst, "limit": limit, "detail": detail}


def _ask(work: Work, model: Any, frame: pd.DataFrame) -> Array:
    return answer_of(model, frame[work.inputs], work.recipe.model.task)[0]


def _one(answer: Array) -> Array:
    """One number a row: the probability of the last label, which of two is the positive one."""
    return answer if answer.ndim == 1 else np.asarray(answer[:, -1])


def _changed(frame: pd.DataFrame, column: str, values: Any) -> pd.DataFrame:
    changed = pd.Series(np.asarray(values), index=frame.index)
    kind = frame[column].dtype
    try:
        changed = changed.astype(kind)
    except (ValueError, TypeError):
        pass  # such as half a step of a whole number: the model takes floats
    return frame.assign(**{column: changed})
