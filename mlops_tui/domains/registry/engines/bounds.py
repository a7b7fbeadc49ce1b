"""Trees from elsewhere, checked before anything asks them: a node that points outside its tree ends the process that predicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlops_tui.core.errors import InvalidInput

_MOST_PARTS = 2_000_000


def check_bounds(estimator: Any) -> None:
    """Raise InvalidInput when a tree inside `estimator` has children, features or leaves out of range, or goes in circles."""
    for part in _parts(estimator):
        kind = type(part).__name__
        if kind == "Tree":
            _check(part.children_left, part.children_right, part.feature, part.children_left == -1, part.n_features)
            if part.value.shape[0] != part.node_count:
                _refuse()
        elif kind == "TreePredictor":
            nodes = part.nodes
            leaf = nodes["is_leaf"].astype(bool)
            left, right = nodes["left"].astype("int64"), nodes["right"].astype("int64")
            _check(left, right, nodes["feature_idx"], leaf, int(nodes["feature_idx"].max(initial=0)) + 1)
            if (
                nodes["bitset_idx"][~leaf & nodes["is_categorical"].astype(bool)] >= len(part.raw_left_cat_bitsets)
            ).any():
                _refuse()


def _check(left: Any, right: Any, feature: Any, leaf: Any, width: int) -> None:
    own = np.arange(len(left))
    inner = ~leaf
    for children in (left[inner], right[inner]):
        # Both builders number children after their parent, so that this also rules out circles.
        if (children <= own[inner]).any() or (children >= len(left)).any():
            _refuse()
    if (feature[inner] < 0).any() or (feature[inner] >= width).any():
        _refuse()


def _refuse() -> None:
    raise InvalidInput("A tree in the file points outside itself.", hint="The file is damaged or made to do harm.")


def _parts(root: Any) -> Iterator[Any]:
    """Everything that is reachable through attributes and containers, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | bool | type(None)):
            continue
        seen.add(id(part))
        if len(seen) > _MOST_PARTS:
            _refuse()
        yield part
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set):
            waiting += part
        elif isinstance(part, np.ndarray):
            waiting += part.ravel().tolist() if part.dtype == object else []
        elif hasattr(part, "__dict__"):
            waiting += vars(part).values()
