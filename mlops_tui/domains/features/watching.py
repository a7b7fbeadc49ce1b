"""Watched folders: which files are new or changed and complete. Looking is stat only, so that the daemon can afford it."""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.many import files_of
from mlops_tui.domains.features.proving import Proving
from mlops_tui.domains.features.records import Stamp, Watch, WatchedFile
from mlops_tui.domains.features.watch_store import WatchStore

EVERY_MS = 5_000
SHORTEST_MS = 1_000
MOST_FILES = 500  # in one job; the others follow in the next


class Watching(Proving):
    """Folders whose files come into a table by themselves while a daemon runs."""

    @cached_property
    def _watches(self) -> WatchStore:
        return WatchStore(self._context)

    @cached_property
    def _lookout(self) -> Lookout:
        return Lookout()

    def watch(self, name: str, place: Path | str, *, every: int | str | None = None, why: str = "") -> Watch:
        """From now on take files of a folder, or that match a pattern, in as they appear or change, each as a batch.

        The daemon looks `every` so often (ms or a span, 5 s unless said). A file counts as complete when size and mtime are
        the same in two looks. Raises NotFound for a table or folder that is not there, InvalidInput.
        """
        table = self._snapshots.table(name)
        absolute = self._place(place)
        pace = clock.parse_span(every) if isinstance(every, str) else EVERY_MS if every is None else every
        if pace < SHORTEST_MS:
            raise InvalidInput("A folder cannot be looked at more than once a second.", hint="Write --every 5s.")
        with self._context.catalog.write() as tx:
            self._watches.add(tx, table, absolute, pace, self._context.now(), self._context.actor)
            after = {"place": absolute, "every_ms": pace}
            self._audit.note(tx, "watch", "feature table", name, why=why, after=after)
        return next(one for one in self._watches.find(name) if one.place == absolute)

    def unwatch(self, name: str, place: Path | str | None = None, *, why: str = "") -> list[Watch]:
        """Watch a place, or all places of a table, no more; what was taken in stays. Raises NotFound when none is watched."""
        self._snapshots.table(name)
        wanted = None if place is None else str(Path(place).expanduser().absolute())
        with self._context.catalog.write() as tx:
            gone = [one for one in self._watches.find(name) if wanted in (None, one.place)]
            if not gone:
                where = "nothing" if place is None else f"no {place}"
                raise NotFound(f"Table '{name}' watches {where}.", hint=f"See: mlops features watch {name}")
            self._watches.remove(tx, gone)
            for one in gone:
                self._audit.note(tx, "unwatch", "feature table", name, why=why, before={"place": one.place})
        return gone

    def watches(self, name: str | None = None) -> list[Watch]:
        """What is watched, for one table or for all."""
        if name is not None:
            self._snapshots.table(name)
        return self._watches.find(name)

    def watched_files(self, watch: Watch, *, limit: int = 100) -> list[WatchedFile]:
        """Files dealt with, newest first."""
        return self._watches.files(watch, limit)

    def watch_due(self) -> list[tuple[Watch, list[str]]]:
        """Watches whose time has come and that have new complete files, with their paths: looks at names and stamps only."""
        found = []
        for watch in self._watches.find():
            files = self._lookout.look(watch, self._context.now(), partial(self._watches.stamps, watch))
            if files:
                found.append((watch, files))
        return found

    def _place(self, place: Path | str) -> str:
        """The place as an absolute path or pattern. Raises NotFound, InvalidInput."""
        absolute = Path(place).expanduser().absolute()
        fixed = absolute
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        if not fixed.exists():
            raise NotFound(f"There is no folder {fixed}.", hint="Make it first, or correct the path.")
        if fixed == absolute and not absolute.is_dir():
            raise InvalidInput(f"{place} is a file.", hint="Watch a folder, or a quoted pattern such as 'in/*.csv'.")
        if fixed.resolve().is_relative_to(self._context.workspace.root.resolve()):
            raise InvalidInput("The workspace's own folder cannot be watched.", hint="Watch a folder beside it.")
        return str(absolute)


@dataclass
class _Seen:
    next_at: int = 0
    last: dict[str, Stamp] = field(default_factory=dict)  # every file of the look before
    settled: dict[str, Stamp] = field(default_factory=dict)  # those known to have been dealt with


class Lookout:
    """What one process saw in the looks before; nothing of it needs to outlive the process."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def look(self, watch: Watch, now: int, dealt_with: Callable[[], dict[str, Stamp]]) -> list[str]:
        """Files that are complete and not dealt with as they are now, by name; nothing before the watch's time."""
        seen = self._seen.setdefault(watch.id, _Seen())
        if now < seen.next_at:
            return []
        seen.next_at = now + watch.every_ms
        stamps = stamps_of(watch.place)
        open_ = {path for path, stamp in stamps.items() if seen.settled.get(path) != stamp}
        if open_:
            known = dealt_with()
            seen.settled = {path: stamp for path, stamp in stamps.items() if known.get(path) == stamp}
            open_ -= set(seen.settled)
        complete = sorted(path for path in open_ if seen.last.get(path) == stamps[path])
        seen.last = stamps
        return complete[:MOST_FILES]


def stamps_of(place: str) -> dict[str, Stamp]:
    """Size and mtime of the data files of a folder or pattern; empty while there are none."""
    found = {}
    try:
        files = files_of(place)
    except (NotFound, OSError):
        return {}
    for file in files:
        stamp = stamp_of(file)
        if stamp is not None:
            found[str(file)] = stamp
    return found


def stamp_of(file: Path) -> Stamp | None:
    """Size in bytes and mtime in ns; None when the file is gone."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
