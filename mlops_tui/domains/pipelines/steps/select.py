"""Choose which prepared columns the model sees. Fitting the choice is part of training, so that no fold sees the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_tui.domains.pipelines.work import Work

OUTPUTS = ("selector.joblib",)
TREES = 50


def run(work: Work) -> dict[str, Any]:
    """Write `selector`, unfitted; say what it would keep of the training rows."""
    from sklearn.base import clone

    rows, target = work.part("train")
    prepared: Any = rows
    names = [str(name) for name in rows.columns]
    if work.recipe.model.preprocess != "none":
        transformer = clone(work.read_object("transformer"))
        prepared = transformer.fit_transform(rows, target)
        names = _names(transformer, prepared.shape[1])
    selector = _build(work, prepared.shape[1])
    fitted = clone(selector).fit(prepared, target if work.recipe.labelled else None)
    kept = [name for name, keep in zip(names, fitted.get_support(), strict=True) if keep]
    dropped = [name for name in names if name not in kept]
    work.say(f"kept {', '.join(kept)}")
    if dropped:
        work.say(f"left out {', '.join(dropped)}")
    work.write_object("selector", selector)
    return {
        "kept": kept,
        "dropped": dropped,
        "detail": f"{work.recipe.select.method}: {len(kept)} of {len(names)} columns",
    }


def _build(work: Work, columns: int) -> Any:
    from sklearn import feature_selection as theirs
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    settings, seed = work.recipe.select, work.recipe.split.seed
    count = min(settings.k, columns)
    if settings.method == "variance":
        return theirs.VarianceThreshold(settings.threshold)
    if settings.method == "k_best":
        return theirs.SelectKBest(theirs.f_classif if work.recipe.classes else theirs.f_regression, k=count)
    forest = ExtraTreesClassifier if work.recipe.classes else ExtraTreesRegressor
    judge = forest(n_estimators=TREES, random_state=seed)
    return theirs.SelectFromModel(judge, max_features=count, threshold=-np.inf)


def _names(transformer: Any, count: int) -> list[str]:
    try:
        return [str(name) for name in transformer.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):  # a transformer of the project may not know
        return [f"column {place}" for place in range(count)]
