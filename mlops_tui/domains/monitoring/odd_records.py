"""What was found odd: windows, rows and clients. No numbers are computed here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OddWindow:
    """How many of the rows of a window were odd (p at most `alpha`); a share of `alpha` is what normal rows give. Times in ms."""

    deployment: str
    version: int
    at: int
    since: int
    until: int
    rows: int
    odd: int
    alpha: float

    @property
    def share(self) -> float:
        return self.odd / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class OddRow:
    """One prediction whose inputs were odd: its conformal p-value, and which column (or `together`) made it so."""

    id: str
    deployment: str
    version: int
    at: int
    p: float
    why: str
    neighbours: float | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """How one client asks (`probing.py`): shares of its newest distinct rows, and what they look like ("" for nothing).

    `share` is its part of all rows of that look; a client that takes over the traffic decides what the monitor says of it.
    """

    deployment: str
    caller: str
    at: int
    rows: int
    distinct: int
    close: float = 0.0
    one_column: float = 0.0
    flips: float = 0.0
    outside: float = 0.0
    verdict: str = ""
    words: str = ""
    share: float = 0.0
