"""How much each column moves each single answer: SHAP values (Lundberg and Lee, 2017) of the sample stored with a version.

The model is asked as a whole, preparation and all, so that values are of the columns people know and in the unit of the answer.
Columns of any type work: the explainer sees each value as its place in a pool of rows.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.extras import need
from mlops_tui.domains.pipelines.answers import answer_of

if TYPE_CHECKING:
    from mlops_tui.domains.registry.metrics import Array

ROWS, BACKGROUND, PERMUTATIONS = 100, 50, 4


def explain(model: Any, rows: pd.DataFrame, others: pd.DataFrame, task: str, seed: int) -> tuple[dict[str, Any], Any]:
    """The values of the first ROWS of `rows` against up to BACKGROUND of `others`: what to report, and a frame of them all.

    Of two labels the probability of the second is explained, of more that of the label said. The report has "rows",
    "background", "label", "base" (the mean answer of `others`) and per column "mean" of the absolute values, "low" and "high"
    (the 5th and 95th percentile), most first. Raises Unavailable when shap is not installed.
    """
    shap = need("shap", "shap")
    rows = rows.head(ROWS).reset_index(drop=True)
    picked = np.random.default_rng(seed).permutation(len(others))[:BACKGROUND]
    pool = pd.concat([rows, others.iloc[np.sort(picked)][list(rows.columns)]], ignore_index=True)
    places = np.tile(np.arange(len(pool))[:, None], (1, pool.shape[1])).astype(float)
    _, labels = answer_of(model, rows.head(1), task)

    def ask(codes: Array) -> Array:
        taken = codes.astype(int)
        columns = {name: pool[name].take(taken[:, place]).array for place, name in enumerate(pool.columns)}
        answer, _ = answer_of(model, pd.DataFrame(columns), task)
        return answer[:, 1] if answer.ndim == 2 and answer.shape[1] == 2 else answer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about its own dependencies
        masker = shap.maskers.Independent(places[len(rows) :], max_samples=BACKGROUND)
        explainer = shap.PermutationExplainer(ask, masker, seed=seed)
        found = explainer(places[: len(rows)], max_evals=PERMUTATIONS * (2 * pool.shape[1] + 1), silent=True)
    values, base = np.asarray(found.values, dtype=float), np.asarray(found.base_values, dtype=float)
    said = np.full(len(rows), labels[1] if labels and len(labels) == 2 else None, dtype=object)
    if values.ndim == 3:
        place = ask(places[: len(rows)]).argmax(axis=1)
        each = np.arange(len(rows))
        values, base = values[each, :, place], np.broadcast_to(base, values.shape[::2])[each, place]
        said = np.array(labels, dtype=object)[place]
    base = np.broadcast_to(base, len(rows))
    return _report(values, base, rows, len(pool) - len(rows), labels), _frame(values, base, rows, said)


def _report(
    values: Array, base: Array, rows: pd.DataFrame, background: int, labels: list[Any] | None
) -> dict[str, Any]:
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    columns = [
        {"column": str(name), "mean": float(size), "low": float(low[place]), "high": float(high[place])}
        for place, (name, size) in enumerate(zip(rows.columns, np.abs(values).mean(axis=0), strict=True))
    ]
    label = "" if labels is None else str(labels[1]) if len(labels) == 2 else "the label said"
    return {
        "rows": len(rows),
        "background": background,
        "label": label,
        "base": float(base.mean()),
        "columns": sorted(columns, key=lambda one: -float(str(one["mean"]))),
    }


def _frame(values: Array, base: Array, rows: pd.DataFrame, said: Array) -> pd.DataFrame:
    """Each row's inputs, then `shap COLUMN` of each; base and values add up to the answer."""
    told = pd.DataFrame(values, columns=[f"shap {name}" for name in rows.columns])
    ends = {"base": base, "answer": base + values.sum(axis=1)}
    labels = {} if said[0] is None else {"label": said}
    return pd.concat([rows, told], axis=1).assign(**ends, **labels)
