"""What the model looks at: permutation importance, how its answer moves with its most important columns, SHAP values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.pipelines import shapley
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.registry import metrics, package

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.criteria import Explain
    from mlops_tui.domains.registry.metrics import Array

OUTPUTS = ("explanation.json", "shap.csv")
DEPENDENCE_ROWS = 300


def run(work: Work) -> dict[str, Any]:
    """Write `explanation.json`: {"metric", "rows", "importance": [...], "dependence": [...]}, and with `shap` that of `shapley`
    beside them; the values of each row go to `shap.csv`.
    """
    settings = work.recipe.explain
    assert settings is not None
    model = work.read_object("model")
    rows, target = work.part("test")
    chosen = np.random.default_rng(work.recipe.split.seed).permutation(len(rows))[: settings.rows]
    rows, target = rows.iloc[np.sort(chosen)], target.iloc[np.sort(chosen)]
    importance = _importance(work, model, rows, target, settings)
    top = [item["column"] for item in importance if item["mean"] > 0][: settings.top]
    dependence = [found for name in top if (found := _dependence(work, model, rows, name, settings)) is not None]
    report = {"metric": work.recipe.primary, "rows": len(rows), "importance": importance, "dependence": dependence}
    if settings.shap:
        report["shap"] = _shap(work, model)
    work.write_json("explanation", report)
    for item in importance:
        work.say(f"{item['column']}: {item['mean']:.6g} +- {item['sd']:.3g}")
    first = ", ".join(f"{item['column']} {item['mean']:.3g}" for item in importance[:3])
    return {"importance": importance, "detail": f"{work.recipe.primary} lost without: {first}"}


def publish(work: Work, result: dict[str, Any]) -> None:
    """Show the importances with the run, and the file."""
    work.log_metrics({f"importance/{item['column']}": item["mean"] for item in result["importance"]})
    work.log_files("explanation.json", "shap.csv")


def _shap(work: Work, model: Any) -> dict[str, Any]:
    """Of the sample stored with the model, against rows it has learned from."""
    sample = package.sample(work.folder / PACKAGE)[work.inputs]
    report, values = shapley.explain(
        model, sample, work.part("train")[0], work.recipe.model.task, work.recipe.split.seed
    )
    staged = work.folder / ".shap.csv"
    values.to_csv(staged, index=False)
    staged.replace(work.folder / "shap.csv")
    for one in report["columns"]:
        work.say(f"{one['column']}: moves an answer by {one['mean']:.6g} on average")
    return report


def _importance(
    work: Work, model: Any, rows: pd.DataFrame, target: pd.Series[Any], settings: Explain
) -> list[dict[str, Any]]:
    """By how much the primary metric gets worse when a column is shuffled (Breiman 2001), most first."""
    name, sign = work.recipe.primary, 1 if HIGHER_IS_BETTER[work.recipe.primary] else -1
    generator = np.random.default_rng(work.recipe.split.seed)

    def worth(frame: pd.DataFrame) -> float:
        answer, labels = answer_of(model, frame, work.recipe.model.task)
        return sign * metrics.score(name, places_of(target, labels), answer)

    whole = worth(rows)
    found = []
    for column in rows.columns:
        losses = []
        for _ in range(settings.repeats):
            mixed = rows[column].iloc[generator.permutation(len(rows))].set_axis(rows.index)
            losses.append(whole - worth(rows.assign(**{str(column): mixed})))
        mean, sd = float(np.mean(losses)), float(np.std(losses, ddof=1))
        found.append({"column": str(column), "mean": mean + 0.0, "sd": sd})
    return sorted(found, key=lambda item: -float(str(item["mean"])))


def _dependence(work: Work, model: Any, rows: pd.DataFrame, column: str, settings: Explain) -> dict[str, Any] | None:
    """The mean answer with the column set to each of its values for all rows (Friedman 2001); None for times."""
    values = _grid(rows[column], settings.points)
    if values is None:
        return None
    some = rows.head(DEPENDENCE_ROWS)
    means = []
    for value in values:
        answer, labels = answer_of(model, _set(some, column, value), work.recipe.model.task)
        means.append(_mean(answer))
        names = labels
    shown = None if names is None else names[1:] if len(names) == 2 else names
    return {"column": column, "labels": shown, "values": [_plain(value) for value in values], "answers": means}


def _grid(column: pd.Series[Any], points: int) -> list[Any] | None:
    if pd.api.types.is_datetime64_any_dtype(column):
        return None
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and known.nunique() > points:
        return list(np.unique(np.quantile(known.to_numpy(dtype=float), np.linspace(0.02, 0.98, points))))
    return sorted(known.value_counts().index[:points].tolist())


def _set(rows: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    kind = rows[column].dtype
    whole = pd.api.types.is_integer_dtype(kind) and not float(value).is_integer()
    return rows.assign(**{column: pd.Series([value] * len(rows), index=rows.index, dtype="float64" if whole else kind)})


def _mean(answer: Array) -> Any:
    if answer.ndim == 1:
        return float(answer.mean())
    means = answer.mean(axis=0)
    return float(means[1]) if len(means) == 2 else [float(value) for value in means]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
