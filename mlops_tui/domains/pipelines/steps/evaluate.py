"""Judge the model on the test rows, which nothing was chosen by, and pack it with what is needed to serve and watch it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines import gate, metrics
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.pipelines.metrics import Array

MIN_SLICE = 20
MAX_SLICES = 20


def run(work: Work) -> dict[str, Any]:
    """Write the folder `package`; return metrics with their intervals, and the primary metric by slice."""
    model = work.read_object("model")
    rows, target = work.part("test")
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    truth = places_of(target, labels)
    found = {
        name: value for name, value in metrics.scores(work.recipe.metrics, truth, answer).items() if np.isfinite(value)
    }
    intervals = {name: _interval(work, name, truth, answer) for name in found}
    for name, value in found.items():
        low, high = intervals[name]
        work.say(f"test {name} {value:.6g} [{low:.6g}, {high:.6g}]")
    slices = _slices(work, truth, answer)
    _pack(work, model, rows, target, labels)
    work.log_metrics(found)
    work.log_metrics({f"validation/{name}": value for name, value in work.results["train"]["validation"].items()})
    work.log_report({"metrics": found, "intervals": intervals, "slices": slices, "rows": len(rows)})
    primary = work.recipe.primary
    shown = (
        ""
        if primary not in found
        else f"{primary} {found[primary]:.4g} [{intervals[primary][0]:.4g}, {intervals[primary][1]:.4g}]"
    )
    return {
        "metrics": found,
        "intervals": intervals,
        "slices": slices,
        "rows": len(rows),
        "detail": f"{shown} on {len(rows):,} rows".strip(),
    }


def _interval(work: Work, name: str, truth: Array, answer: Array) -> tuple[float, float]:
    confidence, resamples = work.recipe.gate.confidence, work.recipe.evaluate.resamples
    low, high = gate.interval(name, truth, answer, confidence=confidence, resamples=resamples)
    value = metrics.score(name, truth, answer)
    return (low, high) if np.isfinite(low) else (value, value)


def _slices(work: Work, truth: Array, answer: Array) -> list[dict[str, Any]]:
    """The primary metric for each level of the slice columns, the largest levels first."""
    frame = work.read_frame("test")
    found = []
    for column in work.recipe.evaluate.slices:
        if column not in frame.columns:
            work.say(f"no column {column} to slice by")
            continue
        texts = frame[column].map(level_text, na_action="ignore").astype(object).fillna("missing").to_numpy()
        levels, counts = np.unique(texts.astype(str), return_counts=True)
        for level in levels[np.argsort(-counts)][:MAX_SLICES]:
            chosen = texts == level
            value = metrics.score(work.recipe.primary, truth[chosen], answer[chosen])
            if chosen.sum() >= MIN_SLICE and np.isfinite(value):
                found.append({"column": column, "level": str(level), "rows": int(chosen.sum()), "value": value})
                work.say(f"{column}={level}: {work.recipe.primary} {value:.6g} on {int(chosen.sum()):,} rows")
    return found


def _pack(work: Work, model: Any, rows: pd.DataFrame, target: pd.Series[Any], labels: list[Any] | None) -> None:
    """Reference profile: inputs of all rows it learned from; errors of the test rows, which are honest ones."""
    import pandas as pd

    learned = pd.concat([work.part("train")[0], work.part("validation")[0]], ignore_index=True)
    shutil.rmtree(work.folder / PACKAGE, ignore_errors=True)
    package.save(
        work.folder / PACKAGE,
        model,
        sample=rows,
        task=work.recipe.model.task,
        target=work.recipe.data.target,
        labels=labels,
        reference=learned,
        held_out=(rows, target),
        modules=work.project_modules(),
    )
