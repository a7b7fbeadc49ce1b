"""Compaction: the files of a table written anew as one, sorted, so that joins and lookups read less."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features import ingest
from mlops_tui.domains.features.records import File, Snapshot, Table, schema_hash
from mlops_tui.domains.features.snapshots import Snapshots, folder_of
from mlops_tui.domains.features.store import FeatureStore, totals


def compact(
    context: Context,
    audit: Audit,
    store: FeatureStore,
    snapshots: Snapshots,
    table: Table,
    old: Snapshot,
    message: str,
) -> Snapshot:
    """A new version with one file in place of the files of `old`; what was appended meanwhile stays beside it.

    Every row keeps its sequence number, also rows that a later one supersedes: joins as known at a time need them.
    """
    files = store.files(table, old.version)
    if len(files) < 2:
        return old
    staged = context.lake.stage()
    try:
        with snapshots.held() as hold, context.lake.connection() as connection:
            sha256 = ingest.rewrite(connection, table, hold(table, old), old.columns, staged)
        return _commit(context, audit, store, table, old, files, staged, sha256, message)
    finally:
        staged.unlink(missing_ok=True)


def _commit(
    context: Context,
    audit: Audit,
    store: FeatureStore,
    table: Table,
    old: Snapshot,
    files: list[File],
    staged: Path,
    sha256: str,
    message: str,
) -> Snapshot:
    published: list[Path] = []
    try:
        with context.catalog.write() as tx:
            head = store.get(table.name)
            if head is None or head.id != table.id:
                raise NotFound(f"Table '{table.name}' was removed meanwhile.", hint="Nothing was done.")
            paths = [file.path for file in files]
            if not set(paths) <= {file.path for file in store.files(head, head.latest_version)}:
                raise Unavailable(f"Table '{table.name}' was replaced meanwhile.", hint="Try again.")
            version = head.latest_version + 1
            size = staged.stat().st_size
            path = f"{folder_of(table)}/{uuid.uuid4().hex}.parquet"
            context.lake.publish(staged, context.lake.root / path)
            published.append(context.lake.root / path)
            sums = totals(files)
            store.drop_files(tx, head, version, paths)
            store.add_file(
                tx, head, version, File(path, sums["rows"], size, sums["min_time"], sums["max_time"], sha256)
            )
            snapshot = Snapshot(
                table=head.name,
                version=version,
                kind="compact",
                added_rows=0,
                columns=head.columns,
                quarantined=0,
                duplicates=0,
                author=context.actor,
                message=message or f"{len(files)} files of {old.reference} as one",
                created_at=context.now(),
                schema_hash=schema_hash(head.columns),
                **totals(store.files(head, version)),
            )
            store.add_version(tx, head, snapshot)
            noted = {"version": version, "files": len(files), "rows": snapshot.rows}
            audit.note(tx, "compact", "feature table", head.name, why=message, after=noted)
            published.clear()  # from here on the commit decides: in doubt a file too many is better than one too few
    except BaseException:
        for place in published:
            with suppress(OSError):
                place.unlink()
        raise
    return snapshot
