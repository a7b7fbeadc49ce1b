"""True values of predictions, as they come in: checked, then appended to the same kind of log as the predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_tui.core.clock import parse_time
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.ids import prediction_time
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.log import FEEDBACK


def checked(rows: Iterable[Mapping[str, Any]], now: int) -> list[dict[str, Any]]:
    """Return rows of {id, label, at}; raises InvalidInput naming the first row that cannot be used."""
    found = [_row(place, row, now) for place, row in enumerate(rows)]
    if not found:
        raise InvalidInput("There are no labels to record.", hint='Give rows of {"id": ..., "label": ...}.')
    return found


def record(rows: list[dict[str, Any]], now: int) -> dict[str, Any]:
    """Return the log record of checked rows received at `now` (ms)."""
    return {"at": now, "rows": rows}


def append(folder: Path, rows: list[dict[str, Any]], now: int) -> None:
    """Append checked rows to a segment of this process; raises Unavailable when the disk refuses."""
    writer = SegmentWriter(folder, FEEDBACK)
    try:
        writer.append(record(rows, now))
        writer.sync()
    except OSError as error:
        raise Unavailable(f"The labels could not be written: {error.strerror}.", hint="Free some space.") from error
    finally:
        writer.close()


def _row(place: int, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    name = row.get("id") or row.get("prediction_id")
    if not isinstance(name, str) or prediction_time(name) is None:
        raise InvalidInput(
            f"Row {place}: {str(name)[:40]!r} is no prediction id.",
            hint="An id is p and 23 hex digits, as the response gave it.",
        )
    if "label" not in row:
        raise InvalidInput(f"Row {place} has no label.", hint='Each row is {"id": ..., "label": ...}.')
    label = row["label"].item() if hasattr(row["label"], "item") else row["label"]
    if not isinstance(label, str | bool | int | float) or (isinstance(label, float) and not math.isfinite(label)):
        raise InvalidInput(f"Row {place}: {str(label)[:40]!r} cannot be a label.", hint="Use a number, text or truth.")
    return {"id": name, "label": label, "at": _time(place, row.get("at"), now)}


def _time(place: int, at: Any, now: int) -> int:
    if at is None:
        return now
    if isinstance(at, int) and not isinstance(at, bool):
        return at
    if isinstance(at, str):
        return parse_time(at, now=now)
    raise InvalidInput(f"Row {place}: {str(at)[:40]!r} is no time.", hint="Use ISO 8601 or milliseconds.")
