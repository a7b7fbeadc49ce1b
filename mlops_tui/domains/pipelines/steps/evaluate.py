"""Judge the model on the test rows, which nothing was chosen by, and pack it with what is needed to serve and watch it."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines import bootstrap, fitting, slicing, unsupervised
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.registry import metrics, package

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.registry.metrics import Array

OUTPUTS = (PACKAGE, "report.json", "examples.csv")
MAX_CONFUSED = 20


def run(work: Work) -> dict[str, Any]:
    """Write the folder `package`, `report.json` and `examples.csv`; return metrics with intervals, slices, calibration."""
    model = work.read_object("model")
    report = _labelled(work, model) if work.recipe.labelled else _unlabelled(work, model)
    for name, value in report["metrics"].items():
        low, high = report["intervals"].get(name, (None, None))
        work.say(f"test {name} {value:.6g}" + (f" [{low:.6g}, {high:.6g}]" if low is not None else ""))
    for found in report["slices"]:
        work.say(
            f"{found['column']}={found['level']}: {work.recipe.primary} {found['value']:.6g} on {found['rows']:,} rows"
        )
    rows, target = work.part("test")
    _pack(work, model, rows, target, report["labels"])
    work.write_json("report", report)
    return {**report, "detail": _detail(work, report)}


def publish(work: Work, result: dict[str, Any]) -> None:
    """Show metrics and files with the run."""
    work.log_metrics(result["metrics"])
    validation = work.results.get("calibrate", work.results["train"])["validation"]
    work.log_metrics({f"validation/{name}": value for name, value in validation.items()})
    work.log_files("report.json", "pipeline.toml", "examples.csv")


def _detail(work: Work, report: dict[str, Any]) -> str:
    primary = work.recipe.primary
    value, span = report["metrics"].get(primary), report["intervals"].get(primary)
    shown = "" if value is None else f"{primary} {value:.4g}"
    shown += f" [{span[0]:.4g}, {span[1]:.4g}]" if span else ""
    return f"{shown} on {report['rows']:,} rows".strip()


def _labelled(work: Work, model: Any) -> dict[str, Any]:
    frame = work.read_frame("test")
    rows, target = work.divided(frame)
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    truth = places_of(target, labels)
    threshold = fitting.threshold_of(model)
    found = fitting.score_all(work, truth, answer, threshold)
    report = _report(work, found, _intervals(work, list(found), truth, answer, threshold), len(rows), labels, answer)
    report["slices"] = slicing.by_slice(work, frame, truth, answer, threshold)
    report["threshold"] = threshold
    report["threshold_by"] = work.results.get("calibrate", work.results["train"])["threshold_by"]
    if work.recipe.classes:
        report["calibration"] = {
            "bins": metrics.bins_of(answer, truth, work.recipe.evaluate.bins),
            "ece": metrics.score("ece", truth, answer),
            "brier": metrics.score("brier", truth, answer),
        }
        report["confusion"] = _confusion(truth, metrics.decided("f1", answer, threshold), labels or [])
    _examples(work, frame, model.predict(rows), _errors(work, truth, answer))
    return report


def _unlabelled(work: Work, model: Any) -> dict[str, Any]:
    import pandas as pd

    frame = work.read_frame("test")
    rows = work.divided(frame)[0]
    learned = pd.concat([work.part("train")[0], work.part("validation")[0]], ignore_index=True)
    confidence = work.recipe.gate.confidence

    def again(part: pd.DataFrame) -> Any:
        return fitting.assemble(work, {}).fit(part)

    if work.recipe.model.task == "clustering":
        found, intervals, more = unsupervised.judge_groups(model, rows, again, learned, confidence)
        wanted = {name: value for name, value in found.items() if np.isfinite(value)}
        return {**_report(work, wanted, intervals, len(rows), None, unsupervised.groups(model, rows)), **more}
    found = unsupervised.judge_outliers(model, rows, again, learned)
    answer, labels = answer_of(model, rows, "anomaly")
    intervals = {}
    strange = answer[:, 1]
    if work.recipe.data.target:
        known = frame[work.recipe.data.target].notna().to_numpy()
        truth = places_of(frame[work.recipe.data.target][known], labels)
        scored = fitting.score_all(work, truth, answer[known])
        found.update(scored)
        intervals = _intervals(work, list(scored), truth, answer[known], None)
    _examples(work, frame, model.predict(rows), strange)
    wanted = {name: value for name, value in found.items() if np.isfinite(value)}
    return _report(work, wanted, intervals, len(rows), None, answer)


def _report(
    work: Work,
    found: dict[str, float],
    intervals: dict[str, tuple[float, float]],
    rows: int,
    labels: list[Any] | None,
    answer: Array,
) -> dict[str, Any]:
    return {
        "task": work.recipe.model.task,
        "primary": work.recipe.primary,
        "metrics": found,
        "intervals": intervals,
        "confidence": work.recipe.gate.confidence,
        "slices": [],
        "rows": rows,
        "labels": labels,
        # Two runs that made the same model have the same digest: equal to the last digit, row by row.
        "answers": hashlib.sha256(np.ascontiguousarray(answer, dtype=float).tobytes()).hexdigest(),
    }


def _intervals(
    work: Work, names: list[str], truth: Array, answer: Array, threshold: float | None
) -> dict[str, tuple[float, float]]:
    """Of the metrics whose interval can be computed."""
    confidence, resamples = work.recipe.gate.confidence, work.recipe.evaluate.resamples
    found = {}
    for name in names:
        shown = metrics.decided(name, answer, threshold) if answer.ndim > 1 else answer
        low, high = bootstrap.interval(name, truth, shown, confidence=confidence, resamples=resamples)
        if np.isfinite(low):
            found[name] = (low, high)
    return found


def _confusion(truth: Array, shown: Array, labels: list[Any]) -> dict[str, Any] | None:
    """How often each true label (a row) was said as each other (a column); None with too many labels to read."""
    if len(labels) > MAX_CONFUSED:
        return None
    matrix = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(matrix, (truth.astype(int), np.argmax(shown, axis=1)), 1)
    return {"labels": labels, "matrix": matrix.tolist()}


def _errors(work: Work, truth: Array, answer: Array) -> Array:
    """How wrong each row was: the distance, or the probability that did not go to the true label."""
    if not work.recipe.classes:
        return np.asarray(np.abs(truth - answer))
    return np.asarray(1 - answer[np.arange(len(truth)), truth.astype(int)])


def _examples(work: Work, frame: pd.DataFrame, said: Any, errors: Array) -> None:
    """Write the rows the model was most wrong about, or finds strangest, worst first."""
    worst = np.argsort(-errors, kind="stable")[: work.recipe.evaluate.examples]
    shown = frame.iloc[worst].assign(prediction=np.asarray(said)[worst], error=errors[worst])
    staged = work.folder / ".examples.csv"
    shown.to_csv(staged, index=False)
    staged.replace(work.folder / "examples.csv")


def _pack(work: Work, model: Any, rows: pd.DataFrame, target: pd.Series[Any], labels: list[Any] | None) -> None:
    """Reference profile: inputs of all rows it learned from; errors of the test rows, which are honest ones."""
    import pandas as pd

    learned = pd.concat([work.part("train")[0], work.part("validation")[0]], ignore_index=True)
    shutil.rmtree(work.folder / PACKAGE, ignore_errors=True)
    package.save(
        work.folder / PACKAGE,
        model,
        sample=rows,
        task=work.package_task,
        target=work.recipe.data.target,
        labels=labels,
        reference=learned,
        held_out=(rows, target) if work.recipe.labelled else None,
        modules=work.project_modules(),
    )
