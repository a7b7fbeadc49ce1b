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
