"""On which line each key of a TOML text stands: the parser of the standard library does not say."""

from __future__ import annotations

import re


class Lines:
    """Of one text; `of` finds the line of a key."""

    _HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
    _KEY = re.compile(
        r"\s*((?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="
    )

    def __init__(self, text: str) -> None:
        self._at: dict[tuple[str | int, ...], int] = {}
        counts: dict[str, int] = {}
        here: tuple[str | int, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := self._HEADER.match(line):
                here = _split(header[2])
                if header[1] == "[[":
                    counts[header[2]] = counts.get(header[2], -1) + 1
                    here = (*here, counts[header[2]])
                self._at.setdefault(here, number)
            elif key := self._KEY.match(line):
                self._at.setdefault((*here, *_split(key[1])), number)

    def of(self, where: tuple[str | int, ...]) -> int:
        """The line of the key, else of the nearest thing around it."""
        while where and where not in self._at:
            where = where[:-1]
        return self._at.get(where, 1)


def _split(dotted: str) -> tuple[str | int, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
