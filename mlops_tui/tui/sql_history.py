"""What was run in the SQL console, kept in the workspace for the next session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

FILE = "sql.jsonl"
REMEMBERED = 300


def remembered(file: Path) -> list[str]:
    """The queries of earlier sessions, the oldest first; what cannot be read is left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for text in lines:
        try:
            found.append(str(json.loads(text)))
        except ValueError:
            continue
    return found[-REMEMBERED:]


def keep(file: Path, history: Sequence[str]) -> None:
    """Write the newest queries for later sessions; a full disk is no reason to stop."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(one) + "\n" for one in history[-REMEMBERED:]), encoding="utf-8")
    except OSError:
        return


class History:
    """The queries that were run, gone through from the newest back; past the newest is what is being written."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._ran = [] if file is None else remembered(file)
        self._at = len(self._ran)
        self._draft = ""

    def go(self, step: int, written: str) -> str | None:
        """The query `step` later (negative: before); None where there is none. `written` is what stands there now."""
        to = self._at + step
        if not 0 <= to <= len(self._ran):
            return None
        if self._at == len(self._ran):
            self._draft = written
        self._at = to
        return self._draft if to == len(self._ran) else self._ran[to]

    def add(self, query: str) -> None:
        """A query that is run now; the same as the last one is kept once."""
        if query not in self._ran[-1:]:
            self._ran.append(query)
            if self._file is not None:
                keep(self._file, self._ran)
        self._at = len(self._ran)
