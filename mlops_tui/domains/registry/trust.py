"""How far a model's answers can be trusted row by row, learned at registration from rows with known truth; small enough for the profile.

    {"kind": "calibration", "rows": n, "held_out": bool, "said": [...], "true": [...], "counts": [...]}
        the share that was true where the model said so much: isotonic over bins of equal mass (Zadrozny and Elkan, 2002)
    {"kind": "loss", "rows": n, "held_out": bool, "columns": {name: {...}}, "trees": [{...}]}
        how large the error is for inputs and answers like these: a few small trees over |truth - prediction|

It is what performance is estimated from while there are no labels (CBPE and DLE, as NannyML calls them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 50
BINS = 50
IN_A_BIN = 20
TREES = 8
LEAVES = 16
MOST_ROWS = 20_000
MOST_LEVELS = 50
ANSWER = "prediction"
LARGEST = 1e30
"""Trees take numbers as 32-bit floats, and sum them."""

Floats = Any


def learn(
    task: str, frame: pd.DataFrame, answers: Any, truth: Any, probabilities: Any, labels: Any, *, held_out: bool
) -> dict[str, Any] | None:
    """What can be learned of a model's answers (in the order of `frame`) and the truth; None without truth or for other tasks."""
    if truth is None or answers is None:
        return None
    if task == "regression":
        return loss(frame, answers, truth, held_out=held_out)
    if task != "classification" or probabilities is None or labels is None:
        return None
    scores, actual = np.asarray(probabilities, dtype=float), pd.Series(np.asarray(truth)).map(level_text)
    if scores.ndim != 2 or scores.shape[1] != len(labels):
        return None
    if (
        len(labels) == 2
    ):  # what is logged of an answer: the probability of the second of two labels, else of the one that was said
        return calibration(scores[:, 1], actual == level_text(labels[1]), held_out=held_out)
    right = pd.Series(np.asarray(answers)).map(level_text) == actual
    return calibration(scores.max(axis=1), right, held_out=held_out)


def calibration(said: Any, true: Any, *, held_out: bool) -> dict[str, Any] | None:
    """How often it was true where the model said `said` (0 to 1); None with fewer than 50 rows."""
    from sklearn.isotonic import isotonic_regression

    scores, outcome = np.asarray(said, dtype=float), np.asarray(true, dtype=float)
    known = np.isfinite(scores)
    scores, outcome = scores[known], outcome[known]
    if scores.size < LEAST:
        return None
    order = np.argsort(scores, kind="stable")
    bins = min(BINS, max(2, scores.size // IN_A_BIN))
    parts = [part for part in np.array_split(order, bins) if part.size]
    counts = np.array([part.size for part in parts], dtype=float)
    means = np.array([scores[part].mean() for part in parts])
    shares = isotonic_regression([outcome[part].mean() for part in parts], sample_weight=counts, y_min=0, y_max=1)
    return {
        "kind": "calibration",
        "rows": int(scores.size),
        "held_out": held_out,
        "said": _rounded(means),
        "true": _rounded(shares),
        "counts": [int(count) for count in counts],
    }


def loss(frame: pd.DataFrame, answers: Any, truth: Any, *, held_out: bool) -> dict[str, Any] | None:
    """How large errors are by inputs and answer; None with fewer than 50 usable rows."""
    from sklearn.tree import DecisionTreeRegressor

    predicted = pd.to_numeric(pd.Series(np.asarray(answers)), errors="coerce").to_numpy(dtype=float)
    actual = pd.to_numeric(pd.Series(np.asarray(truth)), errors="coerce").to_numpy(dtype=float)
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(actual))
    if known.size < LEAST:
        return None
    random = np.random.default_rng(7)
    chosen = np.sort(random.permutation(known)[:MOST_ROWS])
    rows = frame.reset_index(drop=True).iloc[chosen].assign(**{ANSWER: predicted[chosen]})
    error = np.abs(actual[chosen] - predicted[chosen])
    columns = {str(name): found for name in rows if (found := _described(rows[name], error)) is not None}
    inputs = encoded(rows, columns)
    trees = []
    for number in range(TREES):
        drawn = random.integers(0, error.size, error.size)
        tree = DecisionTreeRegressor(
            max_leaf_nodes=LEAVES, min_samples_leaf=max(IN_A_BIN, error.size // 100), random_state=number
        ).fit(inputs[drawn], error[drawn])
        trees.append(_plain(tree.tree_, tree.apply(inputs), error))
    return {
        "kind": "loss",
        "rows": int(error.size),
        "held_out": held_out,
        "mae": float(error.mean()),
        "columns": columns,
        "trees": trees,
    }


def encoded(rows: pd.DataFrame, columns: dict[str, Any]) -> NDArray[np.float64]:
    """Inputs (and `prediction`) as the trees take them: numbers, and for a level the error it had at registration."""
    parts = []
    for name, how in columns.items():
        if name not in rows:
            parts.append(np.full(len(rows), float(how["missing"])))
        elif how["kind"] == "number":
            values = pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=float)
            parts.append(np.clip(np.where(np.isfinite(values), values, how["missing"]), -LARGEST, LARGEST))
        else:
            levels = rows[name].astype(object).map(level_text, na_action="ignore").map(how["levels"])
            parts.append(levels.fillna(how["missing"]).to_numpy(dtype=float))
    return np.column_stack(parts) if parts else np.zeros((len(rows), 0))


def errors_of(found: dict[str, Any], inputs: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
    """Mean error, mean squared error and variance of the mean (what few rows in a leaf leave open) of each row."""
    means, squares, doubts = [], [], []
    for tree in found["trees"]:
        leaf = _leaves(tree, inputs)
        mean, square = np.asarray(tree["mean"])[leaf], np.asarray(tree["square"])[leaf]
        means.append(mean)
        squares.append(square)
        doubts.append(np.maximum(square - mean**2, 0) / np.maximum(np.asarray(tree["rows"])[leaf], 1))
    return np.mean(means, axis=0), np.mean(squares, axis=0), np.mean(doubts, axis=0)


def _leaves(tree: dict[str, Any], inputs: NDArray[np.float64]) -> NDArray[np.intp]:
    column, limit = np.asarray(tree["column"]), np.asarray(tree["limit"], dtype=float)
    left, right = np.asarray(tree["left"]), np.asarray(tree["right"])
    at = np.zeros(len(inputs), dtype=np.intp)
    while (inside := column[at] >= 0).any():
        rows = np.flatnonzero(inside)
        here = at[rows]
        at[rows] = np.where(inputs[rows, column[here]] <= limit[here], left[here], right[here])
    return at


def _plain(tree: Any, leaf: NDArray[np.intp], error: NDArray[np.float64]) -> dict[str, Any]:
    """A fitted tree as lists; its leaves hold what all rows say, not only those it was drawn from."""
    rows = np.bincount(leaf, minlength=tree.node_count)
    sums, squares = (np.bincount(leaf, weights=error**power, minlength=tree.node_count) for power in (1, 2))
    return {
        "column": [int(each) if left >= 0 else -1 for each, left in zip(tree.feature, tree.children_left, strict=True)],
        "limit": _rounded(tree.threshold),
        "left": [int(each) for each in tree.children_left],
        "right": [int(each) for each in tree.children_right],
        "mean": _rounded(sums / np.maximum(rows, 1)),
        "square": _rounded(squares / np.maximum(rows, 1)),
        "rows": [int(each) for each in rows],
    }


def _described(column: pd.Series[Any], error: NDArray[np.float64]) -> dict[str, Any] | None:
    if pd.api.types.is_datetime64_any_dtype(column):
        return None
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        finite = values[np.isfinite(values)]
        return {"kind": "number", "missing": float(np.median(finite)) if finite.size else 0.0}
    texts = column.map(level_text, na_action="ignore")
    frame = pd.DataFrame({"level": texts.to_numpy(), "error": error})
    means = frame.groupby("level")["error"].agg(["mean", "size"]).sort_values("size", ascending=False)
    kept = means[means["size"] >= IN_A_BIN].head(MOST_LEVELS)
    levels = {str(level): float(f"{mean:.5g}") for level, mean in kept["mean"].items()}
    return {"kind": "level", "levels": levels, "missing": float(error.mean())}


def _rounded(values: Any) -> list[float]:
    """Six digits: a profile is read with every check."""
    return [float(f"{float(value):.6g}") for value in values]
