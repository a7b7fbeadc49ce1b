"""Which engine a version gets: each is asked for the stored sample, the quickest of those that agree with the reference wins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.registry.engines.exact import ExactEngine
from mlops_tui.domains.registry.engines.graph import GraphEngine
from mlops_tui.domains.registry.engines.preparing import Uncompiled
from mlops_tui.domains.registry.engines.reference import (
    ArrayEngine,
    Columns,
    Engine,
    FrameEngine,
    columns_of,
    single_threaded,
)
from mlops_tui.domains.registry.records import ENGINES, EngineChoice, EngineTrial

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FEW, MANY = 1, 32
FEW_ROWS = 8
_BUDGET_S = 0.004
_MOST_REPEATS = 30


def choose(
    estimator: Any,
    described: dict[str, Any],
    sample: pd.DataFrame,
    *,
    folder: Path | None = None,
    more: pd.DataFrame | None = None,
    only: str = "",
) -> tuple[Engine, EngineChoice]:
    """Try every engine on the sample; the quickest for one row that agrees, and what each showed.

    `folder` may hold `model.onnx`. On rows `more` (test rows) it must agree as well. `only` names the one engine to use: it
    must agree, else InvalidInput.
    """
    reference = FrameEngine(estimator, described, sample)
    with single_threaded(estimator):
        expected = _behaviour(reference, columns_of(sample))
        further = columns_of(more) if more is not None and len(more) else {}
        if further:
            expected.append(reference.answer(further, len(next(iter(further.values())))))
        makers = _makers(reference, described, sample, folder)
        tried = [
            _try(name, make, expected, sample, further)
            for name, make in makers
            if not only or name in {only, FrameEngine.name}
        ]
    engines = {trial.engine: engine for engine, trial in tried if engine is not None and trial.agrees}
    trials = tuple(trial for _, trial in tried)
    if only and only not in engines:
        reason = next((trial.note for trial in trials if trial.engine == only), "there is no engine of that name")
        raise InvalidInput(
            f"The engine {only!r} cannot serve this model: {reason}.", hint=f"Engines: {', '.join(ENGINES)}."
        )
    best = only or min((trial for trial in trials if trial.agrees), key=lambda trial: trial.us_one).engine
    return engines[best], EngineChoice(best, bool(only), trials)


def open_engine(
    name: str, estimator: Any, described: dict[str, Any], sample: pd.DataFrame, folder: Path | None = None
) -> tuple[Engine, str]:
    """Make one engine and compare its answers to the sample again; the reference and the reason when they differ here."""
    reference = FrameEngine(estimator, described, sample)
    expected = _behaviour(reference, columns_of(sample))
    for known, make in _makers(reference, described, sample, folder):
        if known == name:
            engine, trial = _try(known, make, expected, sample, timed=False)
            if engine is not None and trial.agrees:
                return engine, ""
            return reference, f"engine {name} is not used here: {trial.note}"
    return reference, f"there is no engine {name!r} here"


def _makers(
    reference: FrameEngine, described: dict[str, Any], sample: pd.DataFrame, folder: Path | None
) -> Iterator[tuple[str, Callable[[], Engine]]]:
    names = [item["name"] for item in described["inputs"]]
    yield "frame", lambda: reference
    if sklearn_made(reference.estimator):
        if all(str(sample[name].dtype) in {"float64", "int64"} for name in names):
            yield "arrays", lambda: ArrayEngine(reference, names)
        yield "exact", lambda: ExactEngine(reference, described, sample)
    if folder is not None and (folder / GraphEngine.FILE).exists():
        yield "onnx", lambda: GraphEngine(folder / GraphEngine.FILE, described, reference)


def sklearn_made(estimator: Any) -> bool:
    """Whether an estimator follows scikit-learn; others are only ever asked as they were written."""
    return hasattr(estimator, "get_params") and hasattr(estimator, "n_features_in_")


def _try(
    name: str,
    make: Callable[[], Engine],
    expected: list[Any],
    sample: pd.DataFrame,
    further: Columns | None = None,
    *,
    timed: bool = True,
) -> tuple[Engine | None, EngineTrial]:
    columns = columns_of(sample)
    try:
        engine = make()
        found = expected if isinstance(engine, FrameEngine) else _behaviour(engine, columns)
        if further and found is not expected:
            found.append(engine.answer(further, len(next(iter(further.values())))))
    except Uncompiled:
        return None, EngineTrial(name, False, None, 0, 0.0, 0.0, "a part of the model is not compiled")
    except WorkbenchError as error:
        return None, EngineTrial(name, False, None, 0, 0.0, 0.0, error.message.rstrip("."))
    except Exception as error:  # another engine's way of saying no
        return None, EngineTrial(
            name, False, None, 0, 0.0, 0.0, " ".join(str(error).split())[:200] or type(error).__name__
        )
    apart, flipped = _difference(expected, found)
    agrees = not flipped and apart <= engine.tolerance
    note = "" if agrees else f"it answers the stored rows otherwise: {flipped} labels, numbers by {apart:.2g}"
    if not agrees or not timed:
        return engine, EngineTrial(name, agrees, apart if math.isfinite(apart) else None, flipped, 0.0, 0.0, note)
    few, many = (_microseconds(engine, columns, rows) for rows in (FEW, MANY))
    return engine, EngineTrial(name, True, apart, flipped, few, many, "")


def _behaviour(engine: Engine, columns: Columns) -> list[Any]:
    """Answers to all rows together, to all of them a few at a time, to the first two alone, and to rows of nulls and of texts
    never seen (or that it refuses).
    """
    rows = len(next(iter(columns.values())))
    asked = [
        columns,
        *({name: values[row : row + 1] for name, values in columns.items()} for row in range(min(rows, 2))),
    ]
    nothing: Columns = {name: [None] for name in columns}
    unseen: Columns = {
        name: ["\x00 never seen"] if isinstance(values[0], str) else values[:1] for name, values in columns.items()
    }
    found: list[Any] = [engine.answer(each, len(next(iter(each.values())))) for each in asked]
    found.append(found[0] if isinstance(engine, FrameEngine) else _by_few(engine, columns, rows))
    for odd in (nothing, unseen):
        try:
            found.append(engine.answer(odd, 1))
        except Exception as error:  # which rows are refused is part of what an engine must repeat
            found.append(("refused", type(error).__name__))
    return found


def _by_few(engine: Engine, columns: Columns, rows: int) -> tuple[list[Any], list[Any] | None]:
    """The answers to all rows, asked as few as come together in a request: engines take another way for many."""
    predicted: list[Any] = []
    wide: list[Any] = []
    for start in range(0, rows, FEW_ROWS):
        part = {name: values[start : start + FEW_ROWS] for name, values in columns.items()}
        said, probabilities = engine.answer(part, len(next(iter(part.values()))))
        predicted += said
        wide += probabilities or []
    return predicted, wide or None


def _difference(expected: list[Any], found: list[Any]) -> tuple[float, int]:
    """Return the largest difference of numbers, relative to their size, and how many labels differ."""
    apart, flipped = 0.0, 0
    for (predicted, wide), (other, others) in zip(expected, found, strict=True):
        if "refused" in (predicted, other):
            flipped += (predicted == "refused") != (other == "refused")
            continue
        if len(predicted) != len(other) or (wide is None) != (others is None):
            return float("inf"), len(predicted)
        for one, two in zip(predicted, other, strict=True):
            if isinstance(one, float) and isinstance(two, float):
                apart = max(apart, _apart(one, two))
            else:
                flipped += type(one) is not type(two) or one != two
        for row, again in zip(wide or [], others or [], strict=True):
            apart = max([apart, *map(_apart, row, again)])
    return apart, flipped


def _apart(one: float, two: float) -> float:
    if one != one and two != two:
        return 0.0
    gap = abs(one - two) / max(1.0, abs(one))
    return gap if gap == gap else float("inf")


def _microseconds(engine: Engine, columns: Columns, rows: int) -> float:
    """The quickest of several calls for `rows` rows, in time of a core, so that a busy machine does not choose."""
    some = {name: (values * rows)[:rows] for name, values in columns.items()}
    best, spent = float("inf"), 0.0
    for _ in range(_MOST_REPEATS):
        begun = time.thread_time()
        engine.answer(some, rows)
        took = time.thread_time() - begun
        best, spent = min(best, took), spent + took
        if spent > _BUDGET_S:
            break
    return round(best * 1e6, 1)
