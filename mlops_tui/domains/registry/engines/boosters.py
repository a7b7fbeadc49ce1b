"""XGBoost and LightGBM: a few rows go through their trees as flat arrays, more of them through the library itself.

The trees are read from what the libraries write of themselves. XGBoost compares and adds in 32 bits, so its answers are met to
`SINGLE`; LightGBM adds in 64 bits tree after tree, as is done here. Forms that are not listed (categorical splits, dropped trees,
other objectives) are not compiled, and infinite numbers are for the library to refuse.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from mlops_tui.domains.registry.engines.preparing import Declined, Matrix, Uncompiled
from mlops_tui.domains.registry.engines.trees import FEW_ROWS, Trees

LIBRARIES = ("xgboost", "lightgbm")
SINGLE = 1e-5
IDENTITY = {
    "xgboost": ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"),
    "lightgbm": ("regression", "regression_l1", "huber", "fair", "quantile", "mape"),
}

Final = Callable[[Matrix], tuple[Matrix, Matrix | None]]


def library_of(estimator: Any) -> str:
    """The library an estimator is of, "" for others than these two."""
    home = type(estimator).__module__.partition(".")[0]
    return home if home in LIBRARIES else ""


def final_of(estimator: Any) -> Final:
    """Compile a fitted estimator of one of the libraries. Raises Uncompiled."""
    return _xgboost(estimator) if library_of(estimator) == "xgboost" else _lightgbm(estimator)


def _xgboost(estimator: Any) -> Final:
    booster = estimator.get_booster()
    best = getattr(estimator, "best_iteration", None) if _stopped(estimator) else None
    if best is not None:
        booster = booster[: best + 1]
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    if learner["gradient_booster"]["name"] != "gbtree":
        raise Uncompiled
    model = learner["gradient_booster"]["model"]
    outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    if model["tree_info"] != [number % outputs for number in range(len(model["trees"]))]:
        raise Uncompiled
    trees = Trees(_never, outputs, 1.0, spread=False)
    for tree in model["trees"]:
        left = np.asarray(tree["left_children"])
        if any(tree["split_type"]) or tree["tree_param"]["size_leaf_vector"] not in {"0", "1"}:
            raise Uncompiled
        conditions = np.asarray(tree["split_conditions"], dtype="float32")
        below = np.nextafter(conditions, np.float32(-np.inf)).astype(
            "float64"
        )  # it goes left below, not at, the number
        trees.add(
            np.asarray(tree["split_indices"]), below, left, np.asarray(tree["right_children"]), left == -1,
            np.asarray(tree["default_left"]), conditions.astype("float64"), _depth(left, tree["right_children"]),
        )  # fmt: skip
    trees.pack()
    zero = np.zeros((1, int(learner["learner_model_param"]["num_feature"])))
    start = np.asarray(booster.inplace_predict(zero, predict_type="margin"), dtype="float64").reshape(-1)
    start = start - trees.total(zero, 0.0)[0]
    objective, classes = learner["objective"]["name"], getattr(estimator, "classes_", None)
    link = _link(objective, classes, {"binary:logistic"}, {"multi:softprob", "multi:softmax"}, IDENTITY["xgboost"])

    def few(x: Matrix) -> tuple[Matrix, Matrix | None]:
        raw = trees.total(x.astype("float32").astype("float64"), start)
        return link(raw.astype("float32"))

    def many(x: Matrix) -> tuple[Matrix, Matrix | None]:
        raw = np.asarray(booster.inplace_predict(x, predict_type="margin"))
        return link(raw.reshape(len(x), -1))

    return _by_size(few, many)


def _lightgbm(estimator: Any) -> Final:
    booster = estimator.booster_
    best = estimator.best_iteration_ or None
    model = booster.dump_model(num_iteration=best)
    if model["average_output"]:
        raise Uncompiled
    outputs, holes = int(model["num_tree_per_iteration"]), set()
    trees = Trees(_never, outputs, 1.0, spread=False)
    for tree in model["tree_info"]:
        nodes = _nodes(tree["tree_structure"])
        holes |= {node["missing_type"] for node in nodes if "split_index" in node}
        if any(node.get("decision_type", "<=") != "<=" for node in nodes) or "Zero" in holes:
            raise Uncompiled
        left, right = ([node.get(f"{side}_place", -1) for node in nodes] for side in ("left", "right"))
        trees.add(
            np.array([node.get("split_feature", 0) for node in nodes]),
            np.array([node.get("threshold", np.inf) for node in nodes]), np.array(left), np.array(right),
            np.array(left) == -1, np.array([node.get("default_left", False) for node in nodes]),
            np.array([node.get("leaf_value", 0.0) for node in nodes]), _depth(left, right),
        )  # fmt: skip
    trees.pack()
    objective, classes = str(model.get("objective", "")), getattr(estimator, "classes_", None)
    name, _, more = objective.partition(" ")
    if (name == "binary" and more != "sigmoid:1") or (name == "regression" and more):
        raise Uncompiled
    link = _link(name, classes, {"binary"}, {"multiclass"}, IDENTITY["lightgbm"])

    def few(x: Matrix) -> tuple[Matrix, Matrix | None]:
        if "None" in holes and np.isnan(x).any():  # the library takes them for zeros there
            raise Declined
        return link(trees.total(x, 0.0))

    def many(x: Matrix) -> tuple[Matrix, Matrix | None]:
        raw = np.asarray(booster.predict(x, raw_score=True, num_iteration=best, num_threads=1))
        return link(raw.reshape(len(x), -1))

    return _by_size(few, many)


def _by_size(few: Final, many: Final) -> Final:
    def answer(x: Matrix) -> tuple[Matrix, Matrix | None]:
        if np.isinf(x).any():
            raise Declined
        return few(x) if len(x) <= FEW_ROWS else many(x)

    return answer


def _link(objective: str, classes: Matrix | None, two: set[str], more: set[str], identity: tuple[str, ...]) -> Final:
    """From sums to answers. Raises Uncompiled for objectives that are not known here."""
    if classes is not None and objective in two:

        def binary(raw: Matrix) -> tuple[Matrix, Matrix | None]:
            second = expit(raw[:, 0])
            return classes[(second > 0.5).astype("intp")], np.stack([1 - second, second], axis=1)

        return binary
    if classes is not None and objective in more:
        return lambda raw: (classes[raw.argmax(axis=1)], softmax(raw, axis=1))
    if classes is None and objective in identity:
        return lambda raw: (raw[:, 0], None)
    raise Uncompiled


def _nodes(root: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a tree that is written as boxes in boxes, parents first, each with the places of its children."""
    found = [dict(root)]
    for node in found:
        for side in ("left", "right"):
            if f"{side}_child" in node:
                node[f"{side}_place"] = len(found)
                found.append(dict(node.pop(f"{side}_child")))
    return found


def _depth(left: Any, right: Any) -> int:
    depth, level = 0, [0]
    while level := [child for node in level for child in (left[node], right[node]) if child != -1]:
        depth += 1
    return depth


def _stopped(estimator: Any) -> bool:
    """Whether training stopped early: then predictions use the trees up to the best round only."""
    try:
        return estimator.best_iteration is not None
    except AttributeError:
        return False


def _never(x: Matrix) -> list[Matrix]:
    raise AssertionError("more rows go to the library")
