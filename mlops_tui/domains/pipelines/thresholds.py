"""Choosing from which probability on the second of two labels is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry.metrics import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.criteria import Threshold
    from mlops_tui.domains.registry.metrics import Array


def choose(rule: Threshold, truth: Array, said: Array) -> tuple[float, str]:
    """Return the threshold and how it came about. `truth` 0 or 1, `said` the probability of 1.

    Candidates lie between neighbouring scores, so that new rows do not fall on one. Ties go to the one nearest 0.5.
    """
    if rule.by == "fixed":
        return rule.value, f"fixed at {rule.value:g}"
    values = np.unique(said)
    candidates = np.append((values[1:] + values[:-1]) / 2, DEFAULT_THRESHOLD)
    candidates = candidates[np.argsort(np.abs(candidates - DEFAULT_THRESHOLD), kind="stable")]
    counts = _counts(truth, said, candidates)
    worth = _worth(rule, counts)
    best = int(np.argmax(worth))
    if not np.isfinite(worth[best]):
        return (
            DEFAULT_THRESHOLD,
            f"no threshold reaches {rule.by} {rule.at_least:g} on {len(truth):,} rows; left at 0.5",
        )
    return float(candidates[best]), f"by {rule.by} on {len(truth):,} rows: {_shown(rule, counts, best)}"


def _counts(truth: Array, said: Array, candidates: Array) -> dict[str, Array]:
    """Hits, false alarms and misses at every candidate, from two sorted lists rather than a pass over the rows each."""
    yes, no = np.sort(said[truth == 1]), np.sort(said[truth != 1])
    hits = len(yes) - np.searchsorted(yes, candidates, side="left")
    alarms = len(no) - np.searchsorted(no, candidates, side="left")
    return {"hits": hits, "alarms": alarms, "misses": len(yes) - hits, "rejected": len(no) - alarms}


def _worth(rule: Threshold, counts: dict[str, Array]) -> Array:
    precision = counts["hits"] / np.maximum(counts["hits"] + counts["alarms"], 1)
    recall = counts["hits"] / np.maximum(counts["hits"] + counts["misses"], 1)
    if rule.by == "f1":
        return np.asarray(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    if rule.by == "accuracy":
        return np.asarray(counts["hits"] + counts["rejected"], dtype=float)
    if rule.by == "cost":
        return np.asarray(
            -(rule.false_positive * counts["alarms"] + rule.false_negative * counts["misses"]), dtype=float
        )
    bound, other = (precision, recall) if rule.by == "precision" else (recall, precision)
    return np.where(bound >= rule.at_least, other, -np.inf)


def _shown(rule: Threshold, counts: dict[str, Any], best: int) -> str:
    hits, alarms, misses = (int(counts[name][best]) for name in ("hits", "alarms", "misses"))
    text = f"{hits} hits, {alarms} false alarms, {misses} misses"
    if rule.by != "cost":
        return text
    return f"{text}, cost {rule.false_positive * alarms + rule.false_negative * misses:g}"
