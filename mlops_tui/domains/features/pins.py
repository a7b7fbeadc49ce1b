"""Pins: small files that say which snapshots live processes are reading. A dead process's pins count for nothing."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from types import TracebackType
from typing import Self

from mlops_tui.core.identity import identity, runs

_numbers = itertools.count()


class Pins:
    """The pins of one piece of reading: `run/pins/<pid>-<start>-<table id>-<version>-<number>`, gone at its end."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "pins"
        self._paths: list[Path] = []

    def add(self, table_id: int, version: int) -> None:
        """Say that this snapshot is being read. Where nothing can be written nothing is said: then no collector runs either."""
        me = identity()
        path = self._folder / f"{me.pid}-{me.started}-{table_id}-{version}-{next(_numbers)}"
        with contextlib.suppress(OSError):
            try:
                path.touch()
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                path.touch()
            self._paths.append(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink()


def live(run: Path) -> set[tuple[int, int]]:
    """(table id, version) pinned by processes that still run; the pins of others are removed."""
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for path in (run / "pins").iterdir():
            parts = path.name.split("-")
            if len(parts) != 5 or not all(part.isdigit() for part in parts):
                continue
            pid, started, table_id, version, _ = map(int, parts)
            if runs(pid, started):
                found.add((table_id, version))
            else:
                path.unlink(missing_ok=True)
    return found
