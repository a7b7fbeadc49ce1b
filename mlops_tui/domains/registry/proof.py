"""The test rows a package keeps and what its model scored on them: what it has to show again before it gets traffic.

test.parquet   at most MOST_ROWS test rows, evenly spaced, with their true answers as last column
test.json      {"rows": kept, "of": how many there were, "learned": whether it learned from them, "metrics": {name: value}}
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry import metrics
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from mlops_tui.domains.registry.engines.reference import Answers, Engine

ROWS, FACTS, TRUTH = "test.parquet", "test.json", "__truth"
MOST_ROWS = 5000
# Engines may differ by 1e-5 in a number, and such a difference may turn a tie between two rows: never by more than this.
TOLERANCE = 1e-3
OF_NUMBERS = ("rmse", "mae", "median_ae", "rmsle", "mape", "r2")
OF_PROBABILITIES = ("log_loss", "brier", "roc_auc", "average_precision")

Scores = dict[str, tuple[float, ...]]


def keep(
    folder: Path, engine: Engine, described: dict[str, Any], rows: pd.DataFrame, truth: Any, *, learned: bool = False
) -> None:
    """Write test rows with their true answers, and what the model scores on them; nothing for tasks without a truth.

    `learned`: it learned from them, so the scores say that it answers as it did and not how good it is.
    """
    import pandas as pd

    from mlops_tui.domains.registry.engines.reference import columns_of

    answers = pd.Series(np.asarray(truth)).reset_index(drop=True)
    frame = rows[[item["name"] for item in described["inputs"]]].reset_index(drop=True)
    usable = _usable(answers, described)
    frame, answers = frame[usable].reset_index(drop=True), answers[usable].reset_index(drop=True)
    if described["task"] not in {"classification", "regression"} or frame.empty:
        return
    places = np.unique(np.linspace(0, len(frame) - 1, min(MOST_ROWS, len(frame))).astype(int))
    kept, true = frame.iloc[places].reset_index(drop=True), answers.iloc[places].reset_index(drop=True)
    found = scores(described, engine.answer(columns_of(kept), len(kept)), true.tolist())
    scored = {name: values[0] for name, values in found.items()}
    facts = {"rows": len(kept), "of": len(frame), "learned": learned, "metrics": scored}
    kept.assign(**{TRUTH: true}).to_parquet(folder / ROWS, index=False)
    (folder / FACTS).write_text(json.dumps(facts, allow_nan=False, indent=1) + "\n", encoding="utf-8")


def scores(described: dict[str, Any], answers: Answers, truth: list[Any]) -> Scores:
    """Score answers as they are served. A metric of labels has two values where there are probabilities: of the labels that
    were said, and of the likeliest ones, since those who record metrics may have looked at either.
    """
    predicted, wide = answers
    if described["task"] == "regression":
        true, said = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
        return _finite({name: (metrics.score(name, true, said),) for name in OF_NUMBERS})
    places = {level_text(label): place for place, label in enumerate(_labels(described, truth))}
    true = np.array([places[level_text(value)] for value in truth], dtype=float)
    said = np.zeros((len(true), len(places)))
    for row, value in enumerate(predicted):
        if level_text(value) in places:
            said[row, places[level_text(value)]] = 1.0
    likely = np.asarray(wide, dtype=float) if wide is not None else said
    found: Scores = {
        name: (metrics.score(name, true, said), metrics.score(name, true, likely)) for name in metrics.OF_LABELS
    }
    if wide is not None and likely.shape == said.shape:
        found |= {name: (metrics.score(name, true, likely),) for name in OF_PROBABILITIES}
    return _finite(found)


def apart(recorded: Mapping[str, float], found: Scores, tolerance: float = TOLERANCE) -> dict[str, tuple[float, float]]:
    """The metrics that came out otherwise than recorded: name to (recorded, found)."""
    return {
        name: (recorded[name], values[0])
        for name, values in found.items()
        if name in recorded and not any(_same(recorded[name], value, tolerance) for value in values)
    }


def stored(folder: Path) -> tuple[pd.DataFrame, list[Any], dict[str, Any]] | None:
    """The kept rows, their true answers and the facts about them; None where the package has none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not (folder / ROWS).exists():
        return None
    # No thread, as in `package.sample`: workers are forked.
    table = pq.ParquetFile(pa.BufferReader((folder / ROWS).read_bytes())).read(use_threads=False)
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    truth = frame.pop(TRUTH)
    return frame, truth.tolist(), json.loads((folder / FACTS).read_text(encoding="utf-8"))


def _usable(truth: pd.Series[Any], described: dict[str, Any]) -> Any:
    """Which rows have a true answer, one the model may give."""
    labels = {level_text(label) for label in described["labels"]}
    known = truth.notna()
    return known & truth.map(level_text).isin(labels) if labels else known


def _labels(described: dict[str, Any], truth: list[Any]) -> list[Any]:
    return list(described["labels"]) or sorted({level_text(value) for value in truth})


def _finite(found: Scores) -> Scores:
    return {name: values for name, values in found.items() if all(map(math.isfinite, values))}


def _same(one: float, other: float, tolerance: float) -> bool:
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance / 10)
