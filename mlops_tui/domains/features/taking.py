"""The commit protocol of an ingest: read, judge, stage, fsync; then under the write lock rename and add the catalog rows."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.core.lake import disk_error
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features import ingest, sources
from mlops_tui.domains.features.records import (
    File,
    Mode,
    Snapshot,
    Table,
    describe_replacement,
    merge_columns,
    schema_hash,
)
from mlops_tui.domains.features.snapshots import folder_of
from mlops_tui.domains.features.store import FeatureStore, totals

if TYPE_CHECKING:
    from mlops_tui.domains.features.sources import Source

_STEPS = 4


@dataclass(frozen=True)
class Staged:
    """Written files that no one sees yet."""

    data: Path
    bad: Path | None
    sha256: str
    batch: ingest.Batch


@dataclass
class Ingest:
    """One batch on its way into one table."""

    context: Context
    audit: Audit
    store: FeatureStore
    table: Table
    progress: ingest.Progress | None = None
    allow: Collection[str] = ()
    made: Callable[[sqlite3.Connection, Table, Snapshot], None] | None = None  # inside the commit

    def run(
        self, source: Source, mode: Mode, *, message: str, batch_id: str | None, types: Mapping[str, str]
    ) -> Snapshot:
        """The new snapshot; on any error nothing is left behind."""
        paths = [self.context.lake.stage(), self.context.lake.stage(".quarantine.parquet")]
        try:
            staged = self._stage(source, mode, types, *paths)
            self._tell(3, "committing")
            snapshot = self._commit(staged, mode, message, batch_id)
            self._tell(_STEPS, f"{snapshot.added_rows} rows")
            return snapshot
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _stage(self, source: Source, mode: Mode, types: Mapping[str, str], data: Path, bad: Path) -> Staged:
        # A replace starts a new schema, so what the table held so far does not bind it.
        known = self.table.columns if mode is Mode.APPEND else {}
        with self.context.catalog.write() as tx:
            number = self.store.next_batch(tx, self.table)
        with self.context.lake.connection() as connection:
            self._tell(0, "reading")
            raw = sources.load(connection, source)
            self._tell(1, "checking")
            batch = ingest.prepare(connection, raw, self.table, known, types)
            if mode is Mode.APPEND:
                merge_columns(
                    known, batch.columns, allow=self.allow, fixed=self.table.special
                )  # tell a misfit before anything is written
            self._tell(2, "writing")
            try:
                sha256 = ingest.write(connection, self.table, batch, number, data)
                if batch.bad:
                    ingest.write_quarantine(connection, batch.bad, bad)
            except OSError as error:
                raise disk_error(error, data) from error
        return Staged(data, bad if batch.bad else None, sha256, batch)

    def _commit(self, staged: Staged, mode: Mode, message: str, batch_id: str | None) -> Snapshot:
        published: list[Path] = []
        try:
            with self.context.catalog.write() as tx:
                head = self.store.get(self.table.name)
                if head is None or head.id != self.table.id:
                    raise NotFound(f"Table '{self.table.name}' was removed meanwhile.", hint="Nothing was taken in.")
                if batch_id and (seen := self.store.version_of_batch(head, batch_id)):
                    return seen  # another process was faster with the same batch
                file, quarantine = self._publish(staged, published)
                version = head.latest_version + 1
                if mode is Mode.REPLACE:
                    self.store.drop_live_files(tx, head, version)
                    columns, changes = staged.batch.columns, describe_replacement(head.columns, staged.batch.columns)
                else:
                    columns, changes = merge_columns(
                        head.columns, staged.batch.columns, allow=self.allow, fixed=head.special
                    )
                    changes = changes if head.columns else ()
                self.store.add_file(tx, head, version, file)
                snapshot = Snapshot(
                    table=head.name,
                    version=version,
                    kind=mode.value,
                    added_rows=file.rows,
                    columns=columns,
                    quarantined=len(staged.batch.bad),
                    duplicates=staged.batch.duplicates,
                    author=self.context.actor,
                    message=message,
                    created_at=self.context.now(),
                    schema_hash=schema_hash(columns),
                    batch_id=batch_id or "",
                    changes=changes,
                    **totals(self.store.files(head, version)),
                )
                self.store.add_version(tx, head, snapshot, quarantine)
                if self.made is not None:
                    self.made(tx, head, snapshot)
                self.audit.note(tx, "ingest", "feature table", head.name, why=message, after=_noted(snapshot))
                published.clear()  # from here on the commit decides: in doubt a file too many is better than one too few
        except BaseException:
            # Raised before the commit, so no row can name these files.
            for path in published:
                with suppress(OSError):
                    path.unlink()
            raise
        return snapshot

    def _publish(self, staged: Staged, published: list[Path]) -> tuple[File, str | None]:
        """Rename the staged files into the table's folder; under the write lock, so that a collector never meets them early."""
        root, stem = self.context.lake.root, f"{folder_of(self.table)}/{uuid.uuid4().hex}"
        batch = staged.batch
        size = staged.data.stat().st_size
        quarantine = None
        if staged.bad is not None:
            quarantine = f"{stem}.quarantine.parquet"
            self.context.lake.publish(staged.bad, root / quarantine)
            published.append(root / quarantine)
        self.context.lake.publish(staged.data, root / f"{stem}.parquet")
        published.append(root / f"{stem}.parquet")
        file = File(f"{stem}.parquet", batch.rows, size, batch.min_time, batch.max_time, staged.sha256)
        return file, quarantine

    def _tell(self, step: int, note: str) -> None:
        if self.progress is not None:
            self.progress(step, _STEPS, note)


def restore(context: Context, audit: Audit, store: FeatureStore, table: Table, old: Snapshot, message: str) -> Snapshot:
    """A new version with the live files of `old`; the files themselves are shared."""
    with context.catalog.write() as tx:
        head = store.get(table.name)
        if head is None:
            raise NotFound(f"Table '{table.name}' was removed meanwhile.")
        now = store.version(head, old.version)
        if now is None or now.expired_at is not None:
            raise NotFound(f"The rows of {old.reference} were collected.", hint="Restore a newer version.")
        version = head.latest_version + 1
        files = store.files(head, old.version)
        store.drop_live_files(tx, head, version)
        for file in files:
            store.add_file(tx, head, version, file)
        snapshot = Snapshot(
            table=head.name,
            version=version,
            kind="restore",
            added_rows=0,
            columns=old.columns,
            quarantined=0,
            duplicates=0,
            author=context.actor,
            message=message or f"restored {old.reference}",
            created_at=context.now(),
            schema_hash=old.schema_hash,
            changes=describe_replacement(head.columns, old.columns),
            **totals(files),
        )
        store.add_version(tx, head, snapshot)
        audit.note(tx, "restore", "feature table", head.name, why=message, after=_noted(snapshot))
    return snapshot


def _noted(snapshot: Snapshot) -> dict[str, object]:
    return {
        "version": snapshot.version,
        "rows": snapshot.rows,
        "added": snapshot.added_rows,
        "quarantined": snapshot.quarantined,
    }
