"""What each input added to one answer. Pure: a fitted estimator, one row and some background rows in, numbers out.

Three ways, the first that fits:

- **trees**: the path of the row through every tree. At each split the mean of the rows behind the chosen branch replaces the
  mean of both, and the difference belongs to the input that was asked (Saabas, 2014). The steps of all paths and the means at
  the roots sum up to the answer exactly. Boosted trees of XGBoost and LightGBM tell the Shapley values of their trees
  themselves (Lundberg et al., 2020), which sum up to the answer too.
- **a sum of terms, one for each input** (linear models behind scalers, encoders, splines): an input's term at its value minus
  the mean of the term over the background. That this is the whole answer is checked, so it is exact where it is said to be.
- **occlusion** otherwise: the answer minus the mean answer when that input alone is taken from the background rows. What inputs
  do together is counted with each of them, so the parts need not sum up; what is missing is said as the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry.engines.reference import last_step
from mlops_tui.domains.registry.package import prepare
from mlops_tui.domains.registry.profile import level_text
from mlops_tui.domains.serving.reasons import paths

if TYPE_CHECKING:
    import pandas as pd

MOST_BACKGROUND = 100
MOST_ASKED = 20_000
CLOSE = 1e-6

Found = tuple[str, str, float, float, dict[str, float]]  # what is explained, how, base, answer, parts


def explain(estimator: Any, described: dict[str, Any], row: pd.DataFrame, background: pd.DataFrame) -> Found:
    """Explain the answer to `row` (one row, as the estimator's frame) against `background`."""
    while hasattr(estimator, "threshold") and hasattr(estimator, "estimator"):  # where the label is cut is no reason
        estimator = estimator.estimator
    if described.get("texts"):
        return _words(estimator, described, row)
    some = background.iloc[np.unique(np.linspace(0, len(background) - 1, MOST_BACKGROUND).astype(int))]
    some = some.iloc[: max(1, MOST_ASKED // max(1, row.shape[1]))]
    found = paths.through_trees(estimator, described, row, some)
    return found if found is not None else _by_replacing(estimator, described, row, some)


def _by_replacing(estimator: Any, described: dict[str, Any], row: pd.DataFrame, background: pd.DataFrame) -> Found:
    of, measure = _measure(estimator, described, row)
    answer, base = float(measure(row)[0]), float(measure(background).mean())
    parts = {}
    for name in row.columns:
        repeated = row.iloc[[0] * len(background)].reset_index(drop=True)
        repeated[name] = background[name].to_numpy() if name in background else repeated[name]
        parts[str(name)] = answer - float(measure(repeated.astype(row.dtypes.to_dict(), errors="ignore")).mean())
    if abs(base + sum(parts.values()) - answer) <= CLOSE * max(1.0, abs(answer), abs(base)):
        return of, "exact: the model is a sum of terms, one for each input", base, answer, parts
    said = f"occlusion: each input alone replaced by those of {len(background)} stored rows"
    return of, said, base, answer, parts


def _measure(estimator: Any, described: dict[str, Any], row: pd.DataFrame) -> tuple[str, Callable[[Any], Any]]:
    """What is explained, and the function from rows to it."""

    def ask(method: str) -> Callable[[Any], Any]:
        return lambda rows: np.asarray(getattr(estimator, method)(prepare(described, rows)), dtype="float64")

    if described["task"] == "regression":
        return f"the predicted {described['target'] or 'value'}", lambda rows: ask("predict")(rows).reshape(len(rows))
    if described["task"] == "anomaly" and hasattr(estimator, "decision_function"):
        return "how ordinary the row is (below 0: an outlier)", ask("decision_function")
    said = estimator.predict(prepare(described, row))[0]
    classes = [level_text(one) for one in getattr(estimator, "classes_", [])]
    place = classes.index(level_text(said)) if level_text(said) in classes else None
    if place is not None and hasattr(last_step(estimator), "coef_") and hasattr(estimator, "decision_function"):
        margin, logarithm = ask("decision_function"), "LogisticRegression" in type(last_step(estimator)).__name__
        of = f"the {'log-odds' if logarithm else 'margin'} of {level_text(said)}"
        if len(classes) == 2:
            return of, lambda rows: margin(rows) * (1 if place else -1)
        return of.replace("log-odds", "score"), lambda rows: margin(rows)[:, place]
    if place is not None and hasattr(estimator, "predict_proba"):
        probability = ask("predict_proba")
        return f"the probability of {level_text(said)}", lambda rows: probability(rows)[:, place]
    return (
        f"whether it says {level_text(said)} (1) or not (0)",
        lambda rows: np.asarray(estimator.predict(prepare(described, rows)) == said, dtype="float64"),
    )


def _words(estimator: Any, described: dict[str, Any], row: pd.DataFrame) -> Found:
    """Of a text: the answer minus the answer without the word."""
    of, measure = _measure(estimator, described, row)
    name = str(row.columns[0])
    words = str(row.iloc[0, 0]).split()
    distinct = list(dict.fromkeys(words))[:MOST_BACKGROUND]
    without = [" ".join(word for word in words if word != gone) for gone in distinct]
    answers = measure(type(row)({name: [" ".join(words), "", *without]}))
    parts = {word: float(answers[0] - answers[place + 2]) for place, word in enumerate(distinct)}
    return of, "occlusion: each word left out", float(answers[1]), float(answers[0]), parts
