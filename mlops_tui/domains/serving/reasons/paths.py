"""The path of one row through the trees of a model, step by step; see `contributions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry.engines.preparing import inner
from mlops_tui.domains.registry.package import prepare
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.serving.reasons.contributions import Found

Array = Any
FORESTS = (
    "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
    "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
)  # fmt: skip
CLOSE = 1e-6
PATHS = "exact: the row's path through every tree"
SHAPLEY = "exact: Shapley values of the trees, as the library computes them"


def through_trees(
    estimator: Any, described: dict[str, Any], row: pd.DataFrame, background: pd.DataFrame
) -> Found | None:
    """Explain the answer of a model of trees; None for any other, and where a column is made of several inputs."""
    final, before = estimator, None
    if hasattr(estimator, "steps"):
        final, before = estimator.steps[-1][1], estimator[:-1] if len(estimator.steps) > 1 else None
    transformed = ""
    if type(final).__name__ == "TransformedTargetRegressor":
        transformed = getattr(getattr(final.transformer_, "func", None), "__name__", "the transformation") + " of "
        final = final.regressor_
    kind, home = type(final).__name__, type(final).__module__.partition(".")[0]
    if not (home in {"xgboost", "lightgbm"} or (home == "sklearn" and (kind in FORESTS or "GradientBoosting" in kind))):
        return None
    x = _matrix(before, described, row)[0]
    owners = list(range(row.shape[1])) if before is None else _owners(before, described, row, background)
    if owners is None or len(owners) != len(x):
        return None
    classes = list(getattr(final, "classes_", [])) if described["task"] == "classification" else []
    said = estimator.predict(prepare(described, row))[0] if classes else None
    place = [level_text(one) for one in classes].index(level_text(said)) if classes else 0
    try:
        found = _added(final, x, place, len(classes), prepare(described, row) if before is None else x.reshape(1, -1))
    except (AttributeError, ValueError, TypeError):  # a form of tree that is not known here
        return None
    if found is None:
        return None
    of, method, base, steps, answer = found
    parts = dict.fromkeys(map(str, row.columns), 0.0)
    for column, owner in enumerate(owners):
        if owner is not None:
            parts[str(row.columns[owner])] += float(steps[column])
    if abs(base + float(np.sum(steps)) - answer) > CLOSE * max(1.0, abs(answer)):
        return None
    target = described["target"] or "value"
    return transformed + of.format(label=level_text(said), target=target), method, base, answer, parts


def _added(final: Any, x: Array, place: int, classes: int, rows: Any) -> tuple[str, str, float, Array, float] | None:
    """What is explained, how, the base, what each column added, and the answer."""
    kind, home = type(final).__name__, type(final).__module__.partition(".")[0]
    of = "the log-odds of {label}" if classes == 2 else "the score of {label}" if classes else "the predicted {target}"
    sign = -1.0 if classes == 2 and place == 0 else 1.0
    if home == "xgboost":
        import xgboost

        data = xgboost.DMatrix(rows, feature_names=final.get_booster().feature_names)
        shares = np.asarray(final.get_booster().predict(data, pred_contribs=True), dtype="float64")[0]
        answer = np.asarray(final.get_booster().predict(data, output_margin=True), dtype="float64").reshape(-1)
        shares, value = (shares[place], answer[place]) if shares.ndim > 1 else (shares, answer[0])
        return of, SHAPLEY, sign * shares[-1], sign * shares[:-1], sign * float(value)
    if home == "lightgbm":
        flat = np.asarray(final.booster_.predict(rows, pred_contrib=True), dtype="float64").reshape(-1, len(x) + 1)
        answer = np.asarray(final.booster_.predict(rows, raw_score=True), dtype="float64").reshape(-1)
        shares, value = (flat[place], answer[place]) if len(flat) > 1 else (flat[0], answer[0])
        return of, SHAPLEY, sign * shares[-1], sign * shares[:-1], sign * float(value)
    single = x.astype("float32").astype("float64")
    if kind in FORESTS:
        members = getattr(final, "estimators_", [final])
        found = [_walk(*_sklearn(member.tree_), single) for member in members]
        base = float(np.mean([start[place] for start, _ in found]))
        steps = np.mean([added[:, place] for _, added in found], axis=0)
        said = final.predict_proba(rows)[0, place] if classes else np.asarray(final.predict(rows)).reshape(-1)[0]
        return "the probability of {label}" if classes else of, PATHS, base, steps, float(said)
    column = place if classes > 2 else 0
    if kind.startswith("HistGradientBoosting"):
        trees = [each[column] for each in inner(final, "_predictors")]
        if any(tree.nodes["is_categorical"].any() for tree in trees) or inner(final, "_preprocessor") is not None:
            return None
        found = [_walk(*_histogram(tree.nodes), x) for tree in trees]
        start, rate = float(np.asarray(inner(final, "_baseline_prediction")).reshape(-1)[column]), 1.0
        if not classes and type(inner(final, "_loss").link).__name__ != "IdentityLink":
            return None
    else:
        found = [_walk(*_sklearn(tree.tree_), single) for tree in final.estimators_[:, column]]
        start, rate = float(inner(final, "_raw_predict_init")(single.reshape(1, -1))[0, column]), final.learning_rate
    base = start + rate * sum(float(first[0]) for first, _ in found)
    steps = rate * np.sum([added[:, 0] for _, added in found], axis=0)
    raw = (final.decision_function if classes else final.predict)(rows)
    value = float(np.asarray(raw, dtype="float64").reshape(-1)[column])
    return of, PATHS, sign * base, sign * steps, sign * value


Tree = tuple[Array, Array, Array, Array, Array, Array, Array]


def _sklearn(tree: Any) -> Tree:
    values = tree.value[:, 0, :]
    return (
        tree.feature, tree.threshold, tree.children_left, tree.children_right,
        tree.children_left == -1, tree.missing_go_to_left, _means(values, tree.children_left, tree.children_right,
                                                                  tree.weighted_n_node_samples),
    )  # fmt: skip


def _histogram(nodes: Array) -> Tree:
    left, right = nodes["left"].astype("int64"), nodes["right"].astype("int64")
    leaf = nodes["is_leaf"].astype(bool)
    left, right = np.where(leaf, -1, left), np.where(leaf, -1, right)
    means = _means(nodes["value"].reshape(-1, 1), left, right, nodes["count"])
    return nodes["feature_idx"], nodes["num_threshold"], left, right, leaf, nodes["missing_go_to_left"], means


def _means(values: Array, left: Array, right: Array, weights: Array) -> Array:
    """The mean of the leaves below every node, by the rows in them; children come after their parents."""
    means = np.array(values, dtype="float64")
    for node in range(len(left) - 1, -1, -1):
        if left[node] != -1:
            one, other = float(weights[left[node]]), float(weights[right[node]])
            means[node] = (one * means[left[node]] + other * means[right[node]]) / (one + other)
    return means


def _walk(
    feature: Array,
    threshold: Array,
    left: Array,
    right: Array,
    leaf: Array,
    missing_left: Array,
    means: Array,
    x: Array,
) -> tuple[Array, Array]:
    """The mean at the root, and what each column changed on the way down: (outputs,), (columns, outputs)."""
    added = np.zeros((len(x), means.shape[1]))
    node = 0
    while not leaf[node]:
        value = x[feature[node]]
        goes_left = bool(missing_left[node]) if np.isnan(value) else value <= threshold[node]
        below = int(left[node] if goes_left else right[node])
        added[feature[node]] += means[below] - means[node]
        node = below
    return means[0], added


def _matrix(before: Any, described: dict[str, Any], rows: pd.DataFrame) -> Array:
    made = prepare(described, rows) if before is None else before.transform(prepare(described, rows))
    dense = made.toarray() if hasattr(made, "toarray") else made
    return np.asarray(dense, dtype="float64")


def _owners(before: Any, described: dict[str, Any], row: pd.DataFrame, background: pd.DataFrame) -> list[Any] | None:
    """Which input each column is made of, found by changing one input at a time; None when one is made of several."""
    import pandas as pd

    plain = pd.concat([background, row], ignore_index=True).astype(row.dtypes.to_dict(), errors="ignore")
    expected = _matrix(before, described, plain)
    owners: list[Any] = [None] * expected.shape[1]
    for place, name in enumerate(row.columns):
        mixed = plain.copy()
        mixed[name] = np.roll(plain[name].to_numpy(), 1)
        once = plain.copy()
        once[name] = [row[name].iloc[0]] * len(plain)
        for changed in (mixed, once):
            found = _matrix(before, described, changed.astype(row.dtypes.to_dict(), errors="ignore"))
            same = (found == expected) | (np.isnan(found) & np.isnan(expected))
            for column in np.flatnonzero(~same.all(axis=0)):
                if owners[column] not in (None, place):
                    return None
                owners[column] = place
    return owners
