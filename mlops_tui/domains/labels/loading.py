"""Labels that were made elsewhere: from rows of a file to labels of a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.labels.records import Item, Label, Queue


class Loading:
    """Finds the row of the queue that a row of a file means, by position or by key."""

    def __init__(self, queue: Queue, items: Sequence[Item], labeller: str, now: int) -> None:
        self._queue, self._labeller, self._now = queue, labeller, now
        self._special = [*queue.keys, *([queue.time] if queue.time else [])]
        self._positions = {_text(item.key, self._special): item.position for item in items}

    def label(self, number: int, row: Mapping[str, Any]) -> Label:
        """The label a row gives. Raises InvalidInput that names the row by its number."""
        label = row.get("label") or None
        if label is not None and str(label) not in self._queue.classes:
            hint = did_you_mean(str(label), self._queue.classes, f"It has: {', '.join(self._queue.classes)}.")
            raise InvalidInput(f"Row {number}: '{label}' is no class of {self._queue.name}.", hint=hint)
        at = row.get("labelled_at")  # as in the published table; `at` may well be a column of the key
        moment = clock.parse_time(at, now=self._now) if isinstance(at, str) and at else int(at or self._now)
        who = str(row.get("labeller") or self._labeller)
        position = self._position(number, row)
        return Label(position, None if label is None else str(label), who, str(row.get("note") or ""), moment)

    def _position(self, number: int, row: Mapping[str, Any]) -> int:
        if row.get("position") not in (None, ""):
            position = str(row["position"])
            if position.isdigit() and 1 <= int(position) <= self._queue.rows:
                return int(position)
            raise InvalidInput(f"Row {number}: {self._queue.name} has no row {position}.")
        lacking = [name for name in self._special if name not in row]
        if lacking:
            raise InvalidInput(
                f"Row {number} has neither a position nor '{lacking[0]}'.",
                hint="Give position, or " + " and ".join(self._special) + ", and label.",
            )
        found = self._positions.get(_text(row, self._special))
        if found is None:
            raise InvalidInput(f"Row {number}: {' '.join(_text(row, self._special))} is not in {self._queue.name}.")
        return found


def _text(row: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in names)
