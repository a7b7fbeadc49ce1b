"""The prediction log before compaction: what one record says, and reading what Parquet does not hold yet. Pure but for reads.

The gateway appends one record per request (segments named `predictions`), and one per batch of labels (`feedback`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlops_tui.core import segments
from mlops_tui.domains.serving.records import Prediction

PREDICTIONS, FEEDBACK = "predictions", "feedback"


def prediction_record(
    *,
    ids: list[str],
    at: int,
    deployment: str,
    model: str,
    version: int,
    latency_ms: float,
    columns: Mapping[str, list[Any]],
    prediction: list[Any] | None = None,
    score: list[float] | None = None,
    status: int = 200,
    error: str = "",
    request_id: str = "",
    marks: list[str] | None = None,
    caller: str = "",
) -> dict[str, Any]:
    """Return the record of one request: `ids`, `columns`, `prediction` and `score` hold one value per row; `caller` is the token's name."""
    return {
        "ids": ids,
        "at": at,
        "deployment": deployment,
        "model": model,
        "version": version,
        "latency_ms": round(latency_ms, 3),
        "status": status,
        "error": error,
        "request_id": request_id,
        "columns": columns,
        "prediction": prediction,
        "score": score,
        **({"marks": marks} if marks else {}),
        **({"caller": caller} if caller else {}),
    }


def rows_of(record: Mapping[str, Any]) -> Iterator[Prediction]:
    """Yield the predictions of a record, row by row."""
    for place, name in enumerate(record["ids"]):
        yield Prediction(
            id=name,
            at=record["at"],
            deployment=record["deployment"],
            model=record["model"],
            version=record["version"],
            latency_ms=record["latency_ms"],
            status=record["status"],
            error=record["error"],
            prediction=record["prediction"][place] if record["prediction"] is not None else None,
            score=record["score"][place] if record["score"] is not None else None,
            inputs={column: values[place] for column, values in record["columns"].items()},
            request_id=record["request_id"],
            marks=record["marks"][place] if record.get("marks") else "",
        )


def scores(probabilities: list[list[float]] | None, labels: tuple[Any, ...]) -> list[float] | None:
    """Return one number per row: the probability of the second of two labels, else that of the predicted one."""
    if probabilities is None:
        return None
    if len(labels) == 2:
        return [row[1] for row in probabilities]
    return [max(row) for row in probabilities]


def pending(folder: Path, name: str, offsets: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Yield each record that the offsets do not cover; a segment that is unlinked meanwhile was just taken in."""
    for path in segments.segments(folder, name):
        try:
            for record, _ in segments.read(path, offsets.get(path.name, 0)):
                yield record
        except FileNotFoundError:
            continue


def pending_bytes(folder: Path, offsets: Mapping[str, int]) -> int:
    """Return the bytes of all segments that the offsets do not cover."""
    total = 0
    for path in segments.segments(folder):
        try:
            total += max(0, path.stat().st_size - offsets.get(path.name, 0))
        except FileNotFoundError:
            continue
    return total
