"""Garbage collection: files that no version names, and rows of versions nobody keeps.

Two orders make it safe. The collector commits before it unlinks: a writer killed inside its COMMIT may have left a whole
transaction in the WAL that no one sees yet and that SQLite brings back later; a commit of ours settles it, while holding the
lock alone would let us delete the file of a row that then returns. And it looks for readers' pins only after its commit: a
reader pins first and looks at the catalog second, so one of the two always sees the other.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features import pins
from mlops_tui.domains.features.records import Table
from mlops_tui.domains.features.store import FeatureStore

# No writer needs so long between the rename of a file and the commit that names it; the write lock already keeps them apart.
MIN_AGE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go: versions (`orders@3`), files and their bytes; `postponed` files are still being read."""

    versions: tuple[str, ...]
    files: int
    bytes: int
    staging: int
    postponed: int
    dry_run: bool


class _Rehearsed(Exception):  # noqa: N818 - rolls a rehearsal back
    pass


def collect(
    context: Context,
    audit: Audit,
    store: FeatureStore,
    *,
    keep: int | None,
    hold: Collection[str],
    min_age_ms: int,
    deleted_ms: int | None,
    dry_run: bool,
) -> Collected:
    """See `Features.collect`. Raises InvalidInput for `keep` below 1."""
    if keep is not None and keep < 1:
        raise InvalidInput(f"{keep} versions cannot be kept.", hint="Keep at least the newest: --keep 1")
    expired: list[str] = []
    candidates: list[Path] = []
    with suppress(_Rehearsed), context.catalog.write() as tx:
        before = store.known_paths()
        if deleted_ms is not None:
            expired += [f"{name} (removed)" for name in store.graveyard.forget(tx, context.now() - deleted_ms)]
        if keep is not None:
            in_use = pins.live(context.workspace.run)
            for table in store.find():
                old = _old_versions(store, table, keep, hold, in_use)
                store.expire(tx, table, old, context.now())
                expired += [f"{table.name}@{version}" for version in old]
        after = store.known_paths()
        freed = {context.lake.root / path for path in before - after}
        candidates = [*freed, *_orphans(context.lake.root, before, min_age_ms)]
        store.begin_collection(tx)
        if expired:
            audit.note(tx, "collect", "feature table", "*", after={"versions": expired})
        if dry_run:
            raise _Rehearsed
    staging = 0 if dry_run else len(context.lake.sweep_staging())
    files = size = postponed = 0
    guarded = _still_read(context, store)
    for path in candidates:
        if _table_id(path) in guarded:
            postponed += 1
            continue
        with suppress(FileNotFoundError):
            size += path.stat().st_size
            if not dry_run:
                path.unlink()
            files += 1
    if not dry_run:
        with context.catalog.write():  # a writer makes its folder and its file under this lock
            _drop_empty_folders(context.lake.root)
    return Collected(tuple(expired), files, size, staging, postponed, dry_run)


def _old_versions(
    store: FeatureStore, table: Table, keep: int, hold: Collection[str], in_use: set[tuple[int, int]]
) -> list[int]:
    """Versions beyond the `keep` newest that no one holds and no one reads."""
    versions = [one.version for one in store.versions(table) if one.expired_at is None]
    return [
        version
        for version in versions[keep:]
        if f"{table.name}@{version}" not in hold and (table.id, version) not in in_use
    ]


def _still_read(context: Context, store: FeatureStore) -> set[int]:
    """Tables of which a live process reads a version whose rows are gone from the catalog: their files wait for the next time."""
    live = pins.live(context.workspace.run)
    alive = {table.id for table in store.find()}
    return {table_id for table_id, _ in live & store.expired()} | {table_id for table_id, _ in live} - alive


def _orphans(root: Path, known: Collection[str], min_age_ms: int) -> Iterator[Path]:
    """Files below the lake that the catalog does not name and that have lain there for a while."""
    youngest = time.time() - min_age_ms / 1000  # the clock of the files, which is the machine's
    for path in (root / "features").glob("*/*.parquet"):
        if path.relative_to(root).as_posix() not in known:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime <= youngest:
                    yield path


def _table_id(path: Path) -> int:
    number = path.parent.name.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _drop_empty_folders(root: Path) -> None:
    for folder in (root / "features").glob("*"):
        with suppress(OSError):  # not empty, or not a folder
            folder.rmdir()
