"""Which rows of a table are marked: single ones, and a range that follows the cursor."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 10_000
"""Marking more rows than this at once is no longer a choice of rows; a filter is."""


class Marks:
    """Keys of marked rows in the order of marking, and where a range began (None: there is none)."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self.anchor: int | None = None

    @property
    def keys(self) -> list[str]:
        """The marked rows' keys, the oldest mark first."""
        return list(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __bool__(self) -> bool:
        return bool(self._keys) or self.anchor is not None

    def holds(self, key: str | None, index: int, cursor: int) -> bool:
        """Whether a row is marked or inside the open range."""
        if self.anchor is not None and min(self.anchor, cursor) <= index <= max(self.anchor, cursor):
            return True
        return key in self._keys

    def toggle(self, key: str) -> None:
        """Mark it, or take the mark away."""
        if key in self._keys:
            del self._keys[key]
        else:
            self._keys[key] = None

    def add(self, keys: Iterable[str]) -> None:
        self._keys.update(dict.fromkeys(keys))

    def clear(self) -> bool:
        """Forget all; whether there were any."""
        had = bool(self)
        self._keys, self.anchor = {}, None
        return had
