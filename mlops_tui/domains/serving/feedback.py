"""True values of predictions, as they come in: checked, then appended to the same kind of log as the predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.clock import parse_time
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.ids import nearest, prediction_time
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.log import FEEDBACK
from mlops_tui.domains.serving.matching import REQUEST_ID

MOST_KEYS = 16
_INT64 = 2**63
_LATEST = 32_503_680_000_000  # the year 3000, in ms
_KEYED = 'Such a row is {"deployment": "churn", "key": {"customer_id": 7}, "time": "2h", "label": 1}.'


def checked(rows: Iterable[Mapping[str, Any]], now: int) -> list[dict[str, Any]]:
    """Return rows of {id, label, at}, or {deployment, key, before, label, at} for those that name no prediction.

    Raises InvalidInput naming the first row that cannot be used.
    """
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


def check_key(row: Mapping[str, Any], inputs: Sequence[str]) -> None:
    """Raise InvalidInput unless the key of a checked row names inputs of its model, or the request's id."""
    for name in row["key"]:
        if name not in inputs and name != REQUEST_ID:
            near = nearest(name, [*inputs, REQUEST_ID])
            meant = f" Did you mean {near!r}?" if near else ""
            raise InvalidInput(
                f"{row['deployment']} has no input {name[:80]!r} to know a prediction by.{meant}",
                hint=f"Use inputs of the model, or {REQUEST_ID}.",
            )


def _row(place: int, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    if "key" in row:
        return {**_key(place, row, now), **_truth(place, row, now)}
    name = row.get("id") or row.get("prediction_id")
    if not isinstance(name, str) or prediction_time(name) is None:
        raise InvalidInput(
            f"Row {place}: {_shown(name)} is no prediction id.",
            hint="An id is p and 23 hex digits, as the response gave it.",
        )
    return {"id": name, **_truth(place, row, now)}


def _key(place: int, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    key, deployment = row["key"], row.get("deployment")
    if not isinstance(deployment, str) or not deployment:
        raise InvalidInput(f"Row {place} has a key and no deployment.", hint=_KEYED)
    if not isinstance(key, Mapping) or not 0 < len(key) <= MOST_KEYS:
        raise InvalidInput(f"Row {place}: {_shown(key)} is no key.", hint=_KEYED)
    plain = {str(name): _plain(value) for name, value in key.items()}
    if None in plain.values():
        raise InvalidInput(f"Row {place}: a key holds numbers, texts and truths.", hint=_KEYED)
    return {"deployment": deployment, "key": plain, "before": _time(place, row.get("time"), now)}


def _truth(place: int, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    if "label" not in row:
        raise InvalidInput(f"Row {place} has no label.", hint='Each row is {"id": ..., "label": ...}.')
    label = _plain(row["label"])
    if label is None:
        raise InvalidInput(
            f"Row {place}: {_shown(row['label'])} cannot be a label.", hint="Use a number, text or truth."
        )
    # Nothing is known before it came: a sender whose clock is ahead would have the last word for good.
    return {"label": label, "at": min(_time(place, row.get("at"), now), now)}


def _plain(value: Any) -> str | bool | int | float | None:
    """A value that the log can hold, None for any other."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _time(place: int, at: Any, now: int) -> int:
    if at is None:
        return now
    if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < _LATEST:
        return at
    if isinstance(at, str):
        return parse_time(at, now=now)
    raise InvalidInput(f"Row {place}: {_shown(at)} is no time.", hint="Use ISO 8601 or milliseconds.")


def _shown(value: Any) -> str:
    try:
        return repr(str(value)[:40])
    except ValueError:  # an integer of more digits than Python prints
        return "a very large number"
