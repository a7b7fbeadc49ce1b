"""Many trees as one set of flat arrays: all trees of all rows go down a level at a time.

A hundred trees of depth ten are ten rounds of six numpy calls, whatever the library would do per tree. For larger batches
than `FEW_ROWS` the trees are asked one by one, each with its own compiled code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlops_tui.domains.registry.engines.preparing import Matrix, Uncompiled, inner

FEW_ROWS = 8


class Trees:
    """Trees over `outputs` sums; tree t adds `scale` times its leaf to output t % outputs, or whole leaf vectors to all."""

    def __init__(self, one_by_one: Callable[[Matrix], list[Matrix]], outputs: int, scale: float, spread: bool) -> None:
        self._one_by_one = one_by_one
        self._outputs = outputs
        self._scale = scale
        self._spread = spread
        self._parts: list[tuple[Matrix, ...]] = []
        self._size = 0
        self._depth = 0

    def add(
        self, feature: Matrix, threshold: Matrix, left: Matrix, right: Matrix, leaf: Matrix, missing_left: Matrix,
        values: Matrix, depth: int,
    ) -> None:  # fmt: skip
        """Add one tree, node by node; at a leaf (`leaf` true) the other arrays may hold anything."""
        own = np.arange(len(feature))
        children = np.column_stack([np.where(leaf, own, left), np.where(leaf, own, right)]) + self._size
        self._parts.append(
            (
                np.where(leaf, 0, feature).astype("intp"),
                np.where(leaf, np.inf, threshold),
                children.astype("intp"),
                missing_left.astype(bool),
                values,
            )
        )
        self._size += len(feature)
        self._depth = max(self._depth, depth)

    def pack(self) -> None:
        """Make the flat arrays; every node stands at twice its number, so that going right is adding one."""
        sizes = [len(part[0]) for part in self._parts]
        self._roots = 2 * np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype("intp")
        feature, threshold, children, missing, values = (
            np.concatenate([part[place] for part in self._parts]) for place in range(5)
        )
        self._feature, self._threshold = np.repeat(feature, 2), np.repeat(threshold, 2)
        self._missing = np.repeat(missing, 2)
        self._children = (2 * children).reshape(-1)
        self._values = values
        self._parts = []

    def total(self, x: Matrix, start: Matrix | float) -> Matrix:
        """Return the sums per row and output, from `start` on, added tree after tree."""
        if len(x) > FEW_ROWS:
            return self._long_total(x, start)
        count = len(self._roots)
        leaves = self._values[self._leaves(x) // 2].reshape(len(x), count, -1)
        if not self._spread:
            leaves = leaves.reshape(len(x), count // self._outputs, self._outputs)
        if self._scale != 1.0:
            leaves = leaves * self._scale
        first = np.broadcast_to(np.asarray(start, dtype="float64"), (len(x), self._outputs))
        return np.concatenate([first[:, None, :], leaves], axis=1).cumsum(axis=1)[:, -1, :]

    def _leaves(self, x: Matrix) -> Matrix:
        rows, width = x.shape
        flat = np.ascontiguousarray(x).reshape(-1)
        nodes = np.tile(self._roots, rows)
        offsets = np.repeat(np.arange(rows) * width, len(self._roots)) if rows > 1 else None
        holes = bool(np.isnan(flat).any())
        for _ in range(self._depth):
            places = self._feature.take(nodes)
            values = flat.take(places if offsets is None else places + offsets)
            right = values > self._threshold.take(nodes)
            if holes:
                right = np.where(np.isnan(values), ~self._missing.take(nodes), right)
            nodes = self._children.take(nodes + right)
        return nodes

    def _long_total(self, x: Matrix, start: Matrix | float) -> Matrix:
        total = np.empty((len(x), self._outputs))
        total[:] = start
        for place, found in enumerate(self._one_by_one(x)):
            scaled = found * self._scale if self._scale != 1.0 else found
            if self._spread:
                total += scaled.reshape(len(x), -1)
            else:
                total[:, place % self._outputs] += scaled.reshape(-1)
        return total


def sklearn_trees(members: list[Any]) -> Trees:
    """Trees of a forest: leaves hold class shares or a mean."""
    nodes = [member.tree_ for member in members]
    outputs = nodes[0].value.shape[2]
    found = Trees(lambda x: [tree.predict(x) for tree in nodes], outputs, 1.0, spread=True)
    for tree in nodes:
        _add_sklearn(found, tree, tree.value[:, 0, :])
    found.pack()
    return found


def boosted_trees(estimator: Any) -> tuple[Trees, Matrix]:
    """Trees of gradient boosting, and what they add to; Uncompiled when that depends on the row."""
    start = _constant_start(estimator)
    members = [member.tree_ for member in estimator.estimators_.reshape(-1)]
    outputs = estimator.estimators_.shape[1]
    found = Trees(
        lambda x: [tree.predict(x) for tree in members], outputs, float(estimator.learning_rate), spread=False
    )
    for tree in members:
        _add_sklearn(found, tree, tree.value[:, 0, 0])
    found.pack()
    return found, start


def histogram_trees(estimator: Any) -> tuple[Trees, Matrix]:
    """Trees of histogram gradient boosting and its baseline; Uncompiled with categorical splits."""
    if inner(estimator, "_preprocessor") is not None:
        raise Uncompiled
    members = [predictor for iteration in inner(estimator, "_predictors") for predictor in iteration]
    bitsets, places = inner(estimator, "_bin_mapper").make_known_categories_bitsets()
    found = Trees(
        lambda x: [tree.predict(np.ascontiguousarray(x), bitsets, places, 1) for tree in members],
        estimator.n_trees_per_iteration_, 1.0, spread=False,
    )  # fmt: skip
    for tree in members:
        nodes = tree.nodes
        leaf = nodes["is_leaf"].astype(bool)
        if nodes["is_categorical"].any():
            raise Uncompiled
        found.add(
            nodes["feature_idx"], nodes["num_threshold"], nodes["left"].astype("int64"), nodes["right"].astype("int64"),
            leaf, nodes["missing_go_to_left"], nodes["value"], int(nodes["depth"].max()),
        )  # fmt: skip
    found.pack()
    return found, np.asarray(inner(estimator, "_baseline_prediction"), dtype="float64").reshape(-1)


def _add_sklearn(found: Trees, tree: Any, values: Matrix) -> None:
    found.add(
        tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.children_left == -1,
        tree.missing_go_to_left, values, tree.max_depth,
    )  # fmt: skip


def _constant_start(estimator: Any) -> Matrix:
    probes = np.vstack([np.zeros(estimator.n_features_in_), np.ones(estimator.n_features_in_)]).astype("float32")
    start = inner(estimator, "_raw_predict_init")(probes)
    if (start[0] != start[1]).any():
        raise Uncompiled
    return start[0]
