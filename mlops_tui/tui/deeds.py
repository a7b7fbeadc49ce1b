"""What was done in this session: the command log, and how the newest deed is taken back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from mlops_tui.workbench import Workbench

LONGEST = 500


@dataclasses.dataclass(frozen=True)
class Undo:
    """How to take a deed back: in words, as a command line, as work, and the name to type when it touches production."""

    title: str
    command: str
    work: Callable[[Workbench], str]
    type_name: str = ""


@dataclasses.dataclass(frozen=True)
class Deed:
    """One line of the command log. `said` is what came of it, `failed` that it did not happen."""

    at: int
    command: str
    said: str
    failed: bool = False


class Deeds:
    """The deeds of a session, oldest first, and those that can still be undone."""

    def __init__(self) -> None:
        self.log: list[Deed] = []
        self._undo: list[Undo] = []

    def note(self, deed: Deed, undo: Undo | None = None) -> None:
        """Write a deed down; one that failed cannot be undone."""
        self.log.append(deed)
        del self.log[:-LONGEST]
        if undo is not None and not deed.failed:
            self._undo.append(undo)

    @property
    def newest(self) -> Undo | None:
        """What `u` would take back."""
        return self._undo[-1] if self._undo else None

    def taken_back(self, undo: Undo) -> None:
        """It has been undone, so it cannot be undone again."""
        if undo in self._undo:
            self._undo.remove(undo)
