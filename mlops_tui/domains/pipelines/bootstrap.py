"""Intervals by the bootstrap over rows (Efron 1979, percentile method), alone or of two models on the same rows."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER
from mlops_tui.domains.registry.metrics import Array, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# How many row numbers are drawn at once: 32 MB of them.
_BLOCK = 4_000_000


def interval(
    name: str, truth: Array, answer: Array, *, confidence: float = 0.95, resamples: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of one metric over rows; (nan, nan) when it cannot be computed."""
    (drawn,) = draws(name, truth, [answer], resamples=resamples, seed=seed)
    return percentiles(drawn, confidence)


def paired(
    name: str, truth: Array, new: Array, old: Array, *, resamples: int = 500, seed: int = 0
) -> tuple[float, Array]:
    """Return (difference, draws of it) of new against old on the same rows, turned so that above zero is better."""
    sign = 1 if HIGHER_IS_BETTER[name] else -1
    first, second = draws(name, truth, [new, old], resamples=resamples, seed=seed)
    difference = sign * (_whole(name, truth, new) - _whole(name, truth, old))
    return difference + 0.0, sign * (first - second) + 0.0  # + 0.0: no minus zero on a screen


def paired_interval(
    name: str,
    truth: Array,
    new: Array,
    old: Array,
    *,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return (difference, low, high) of new against old on the same rows, turned so that above zero is better."""
    difference, drawn = paired(name, truth, new, old, resamples=resamples, seed=seed)
    return (difference, *percentiles(drawn, confidence))


def draws(name: str, truth: Array, answers: Sequence[Array], *, resamples: int, seed: int) -> list[Array]:
    """The metric of each answer over the same `resamples` draws of rows: arrays of that length, NaN where undefined."""
    rows = len(truth)
    if not rows:
        return [np.full(resamples, math.nan) for _ in answers]
    found: list[list[Array]] = [[] for _ in answers]
    by_row = _BY_ROW.get(name)
    losses = [by_row[0](truth, answer) for answer in answers] if by_row else []
    for block in _blocks(rows, resamples, seed):
        for place, answer in enumerate(answers):
            if by_row:
                found[place].append(by_row[1](losses[place][block].mean(axis=1)))
            else:
                found[place].append(np.asarray([score(name, truth[chosen], answer[chosen]) for chosen in block]))
    return [np.concatenate(parts) for parts in found]


def percentiles(drawn: Array, confidence: float) -> tuple[float, float]:
    """The middle `confidence` of the draws; (nan, nan) when fewer than half of them could be computed."""
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < max(10, len(drawn) // 2):
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low) + 0.0, float(high) + 0.0


def spread(drawn: Array) -> float:
    """The standard error: the standard deviation of the draws that could be computed."""
    finite = drawn[np.isfinite(drawn)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan


def chance_below(difference: float, drawn: Array, floor: float, rows: int) -> float:
    """p of a difference at or above `floor`: small when the true one must be below it. NaN differences give 1.

    The percentiles of few rows are too narrow far out, where a correction over many slices looks; Student's t with
    the bootstrap's standard error is not (Hesterberg 2015, "What teachers should know about the bootstrap", 4.2).
    """
    from scipy.special import stdtr

    error = spread(drawn) * math.sqrt(rows / max(1, rows - 1))
    if not math.isfinite(difference) or not math.isfinite(error):
        return 1.0
    if error == 0:
        return 1.0 if difference >= floor else 0.0
    return float(stdtr(rows - 1, (difference - floor) / error))


def rows_for(error: float, rows: int, effect: float, *, confidence: float, power: float) -> int:
    """How many rows would show `effect` with that power, when `rows` gave the standard error `error`.

    n = ((z(1 - a/2) + z(power)) * s / d)^2 with s = error * sqrt(rows), d = effect: the sample size of a paired
    comparison (Chow, Shao and Wang, Sample Size Calculations, 3.1).
    """
    return math.ceil(rows * (_z(confidence, power) * error / effect) ** 2)


def smallest_shown(error: float, *, confidence: float, power: float) -> float:
    """The smallest difference that as many rows show with that power: the same formula, solved for d."""
    return _z(confidence, power) * error


def _z(confidence: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)


def _blocks(rows: int, count: int, seed: int) -> Iterator[Array]:
    generator = np.random.default_rng(seed)
    size = max(1, min(count, _BLOCK // rows))
    for start in range(0, count, size):
        yield generator.integers(0, rows, (min(size, count - start), rows))


def _logged(values: Array) -> Array:
    return np.asarray(np.log1p(np.clip(values, 0, None)))


def _log_losses(truth: Array, answer: Array) -> Array:
    said = np.clip(answer[np.arange(len(truth)), truth.astype(int)], np.finfo(float).eps, 1)
    losses: Array = -np.log(said)
    return losses


def _briers(truth: Array, answer: Array) -> Array:
    if answer.shape[1] == 2:
        return np.asarray((answer[:, 1] - truth) ** 2)
    return np.asarray(np.sum((answer - np.eye(answer.shape[1])[truth.astype(int)]) ** 2, axis=1))


def _rmsle_losses(truth: Array, answer: Array) -> Array:
    if truth.min() < 0:
        return np.full(len(truth), math.nan)
    return np.asarray((_logged(truth) - _logged(answer)) ** 2)


def _whole(name: str, truth: Array, answer: Array) -> float:
    return float(answer.mean()) if name == "silhouette" else score(name, truth, answer)


def _same(values: Array) -> Array:
    return values


# Means over rows need no call per draw: what one row adds, and what is made of the mean.
_BY_ROW: dict[str, tuple[Callable[[Array, Array], Any], Callable[[Array], Array]]] = {
    "rmse": (lambda truth, answer: (truth - answer) ** 2, np.sqrt),
    "mae": (lambda truth, answer: np.abs(truth - answer), _same),
    "rmsle": (_rmsle_losses, np.sqrt),
    "accuracy": (lambda truth, answer: (np.argmax(answer, axis=1) == truth).astype(float), _same),
    "brier": (_briers, _same),
    "log_loss": (_log_losses, _same),
    # Its answer is the silhouette of each row already.
    "silhouette": (lambda truth, answer: answer, _same),
}
