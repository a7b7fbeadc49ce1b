"""What an import says of itself, and what every source gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mlops_tui.domains.experiments.arrivals import Arrival

Progress = Callable[[int, "int | None", str], None]


EXPORT_TAG = "mlops.run"  # what an exported run is here, kept with it there


class AlreadyHere(Exception):  # noqa: N818 - no fault
    """A run that a source has is one that was exported from this workspace."""


@dataclass(frozen=True, slots=True)
class Head:
    """A run that a source has, before it is read: `source` names it for ever, `label` is for people.

    `load` reads it; it raises AlreadyHere, and what is in `taking.BROKEN` when it cannot.
    """

    source: str
    stamp: str
    label: str
    load: Callable[[], Arrival]


@dataclass(slots=True)
class Report:
    """How an import went. `skipped` are runs with the reason; `notes` what else a person should know."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    models: int = 0
    versions: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a line, the same only once."""
        if text not in self.notes:
            self.notes.append(text)


class Source(Protocol):
    """Where runs come from."""

    def heads(self, report: Report) -> Iterator[Head]:
        """All runs in a steady order, parents before their children where that is known."""
        ...
