"""Performance without labels, from what was learned at registration (`registry/trust.py`).

Classes: with calibrated probabilities each answer is right with a known chance, so the measures can be computed in expectation
(CBPE: Kuberski and others, NannyML, 2022). Numbers: a loss model says how large errors are for inputs like these (DLE). Both hold only
while the same inputs lead to the same outcomes; neither can see concept drift. The interval is of what labels would show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring import intervals
from mlops_tui.domains.monitoring.measured import Measure
from mlops_tui.domains.monitoring.measures import INPUT, TINY, Task, texts
from mlops_tui.domains.monitoring.performance import usable
from mlops_tui.domains.registry import trust

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "estimate"
DRAWS = 200
MOST_ROWS = 4000
LEAST = 30


def estimates(rows: pd.DataFrame, task: Task, learned: dict[str, Any] | None) -> list[Measure]:
    """Measures of rows with prediction, score and the inputs (`input.NAME`); none where there is nothing to go by."""
    if learned is None or len(rows) < LEAST:
        return []
    if learned["kind"] == "loss":
        return [] if task.classification else [*_sizes(rows, learned)]
    known = rows[rows["prediction"].notna()]
    said = pd.to_numeric(known["score"], errors="coerce").to_numpy(dtype=float)
    usable = np.isfinite(said)
    known, said = known[usable], said[usable]
    if not task.classification or len(known) < LEAST:
        return []
    if task.binary:
        chosen = (texts(known["prediction"]) == task.labels[1]).to_numpy()
        return [*_outcomes(said, chosen, learned)]
    right, doubt = _chance(said, learned)
    return [_share("accuracy", right, doubt)]


def _chance(said: NDArray[np.float64], learned: dict[str, Any]) -> tuple[NDArray[np.float64], float]:
    """The chance of being true of each row, and the standard error of their mean that few reference rows leave."""
    points, shares = np.asarray(learned["said"]), np.asarray(learned["true"])
    chance = np.clip(np.interp(said, points, shares), 0.0, 1.0)
    near = np.abs(said[:, None] - points[None, :]).argmin(axis=1)
    weights = np.bincount(near, minlength=points.size) / max(said.size, 1)
    counts = np.asarray(learned["counts"], dtype=float)
    smooth = (shares * counts + 0.5) / (counts + 1)  # nothing was wrong in a bin: that is not certainty
    return chance, math.sqrt(float((weights**2 * smooth * (1 - smooth) / np.maximum(counts, 1)).sum()))


def _curves(said: NDArray[np.float64], learned: dict[str, Any], random: np.random.Generator) -> NDArray[np.float64]:
    """Chances as they may be as well (draws x rows): every bin of the calibration is known from a few reference rows only."""
    points, counts = np.asarray(learned["said"]), np.asarray(learned["counts"], dtype=float)
    wins = np.asarray(learned["true"]) * counts
    shares = random.beta(wins + 0.5, counts - wins + 0.5, (DRAWS, counts.size))
    place = np.interp(said, points, np.arange(points.size))
    lower = np.minimum(place.astype(int), points.size - 1)
    upper, part = np.minimum(lower + 1, points.size - 1), place - lower
    return np.asarray(shares[:, lower] * (1 - part) + shares[:, upper] * part)


def _share(name: str, chance: NDArray[np.float64], doubt: float) -> Measure:
    """A share of rows: its expected value, and where labels would put it."""
    rows, value = chance.size, float(chance.mean())
    error = math.hypot(math.sqrt(float((chance * (1 - chance)).sum())) / rows, doubt)
    low, high = intervals.around(value, error)
    return Measure(name, value, max(0.0, low), min(1.0, high), METHOD, rows)


def _outcomes(said: NDArray[np.float64], chosen: Any, learned: dict[str, Any]) -> Iterator[Measure]:
    """Two classes: labels as they may come, drawn from the chances, and every measure of each draw."""
    chance, doubt = _chance(said, learned)
    yield _share("accuracy", np.where(chosen, chance, 1 - chance), doubt)
    random = np.random.default_rng(intervals.SEED)
    some = np.arange(said.size)
    if some.size > MOST_ROWS:
        some = np.sort(random.permutation(some)[:MOST_ROWS])
    chance, said, chosen = chance[some], said[some], chosen[some]
    drawn = (random.uniform(size=(DRAWS, chance.size)) < _curves(said, learned, random)).astype(np.float32)
    yield from _drawn_measures(drawn, said, chosen, chance)


def _drawn_measures(
    drawn: NDArray[np.float32], said: NDArray[np.float64], chosen: Any, chance: NDArray[np.float64]
) -> Iterator[Measure]:
    rows = chance.size
    picked, true = float(chosen.sum()), drawn.sum(axis=1).astype(np.float64)
    hit = (drawn @ chosen.astype(np.float32)).astype(np.float64)
    ranks = pd.Series(said).rank().to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "precision": hit / picked if picked else np.full(DRAWS, math.nan),
            "recall": hit / true,
            "f1": 2 * hit / (picked + true),
            "roc_auc": (drawn @ ranks.astype(np.float64) - true * (true + 1) / 2) / (true * (rows - true)),
        }
    clipped = np.clip(said, TINY, 1 - TINY)
    first, second = -np.log(clipped), -np.log(1 - clipped)
    found["log_loss"] = (drawn @ (first - second) + second.sum()) / rows
    found["brier"] = (drawn @ ((1 - said) ** 2 - said**2) + (said**2).sum()) / rows
    for name, values in found.items():
        known = values[np.isfinite(values)]
        if known.size:
            low, high = intervals.percentiles(known)
            yield Measure(name, float(known.mean()), low, high, METHOD, rows)


def _sizes(rows: pd.DataFrame, learned: dict[str, Any]) -> Iterator[Measure]:
    """Mean absolute and root mean squared error of numbers."""
    names = [name for name in learned["columns"] if name != trust.ANSWER]
    there = {name: rows[INPUT + name] for name in names if INPUT + name in rows}
    answers = pd.to_numeric(rows["prediction"], errors="coerce")
    frame = pd.DataFrame({**there, trust.ANSWER: answers})[usable(answers.to_numpy(dtype=float, na_value=np.nan))]
    if len(frame) < LEAST:
        return
    mean, square, doubt = trust.errors_of(learned, trust.encoded(frame, learned["columns"]))
    count = mean.size
    # A leaf is shared by all its rows, so what is open about it does not average out over them.
    open_ = math.sqrt(float(doubt.mean()) / max(1, len(learned["trees"][0]["rows"]) // 2))
    value = float(mean.mean())
    error = math.hypot(math.sqrt(float(np.maximum(square - mean**2, 0).sum())) / count, open_)
    low, high = intervals.around(value, error)
    yield Measure("mae", value, max(0.0, low), high, METHOD, count)
    root = math.sqrt(float(square.mean()))
    factor = root / value if value else 1.0
    yield Measure("rmse", root, max(0.0, low) * factor, high * factor, METHOD, count)
