"""Where tables, versions, files and check reports are kept: the catalog side of this room. The rows themselves are Parquet."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features import schema
from mlops_tui.domains.features.check_records import CheckReport, CheckResult
from mlops_tui.domains.features.profile_records import Profile
from mlops_tui.domains.features.records import File, Snapshot, Table, quote
from mlops_tui.domains.features.removing import Graveyard

_TABLE = (
    "SELECT t.*, v.rows, v.bytes, v.columns FROM feature_table t"
    " LEFT JOIN feature_version v ON v.table_id = t.id AND v.version = t.head"
)
_VERSION = "SELECT v.*, t.name FROM feature_version v JOIN feature_table t ON t.id = v.table_id"


class FeatureStore:
    """Rows of the catalog as records. Methods that take `tx` run inside the caller's `write()`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("features", schema.CATALOG)
        self.graveyard = Graveyard(self._db)

    # -- tables ------------------------------------------------------------------------------------------------------

    def add(self, tx: sqlite3.Connection, table: Table) -> int:
        """Insert an empty table; its id."""
        cursor = tx.execute(
            "INSERT INTO feature_table (name, keys, time, created, description, ttl, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                table.name,
                json.dumps(table.keys),
                table.time,
                table.created,
                table.description,
                table.ttl,
                table.created_at,
                table.updated_at,
            ),
        )
        return int(cursor.lastrowid or 0)

    def get(self, name: str) -> Table | None:
        row = self._db.one(f"{_TABLE} WHERE t.name = ?", (name,))
        return _table(row) if row else None

    def find(self) -> list[Table]:
        """All tables by name."""
        return [_table(row) for row in self._db.read(f"{_TABLE} ORDER BY t.name")]

    def names(self) -> list[str]:
        return [row[0] for row in self._db.read("SELECT name FROM feature_table ORDER BY name")]

    def next_batch(self, tx: sqlite3.Connection, table: Table) -> int:
        """A number that no other ingest of this table gets: it orders rows by arrival."""
        row = tx.execute("UPDATE feature_table SET batches = batches + 1 WHERE id = ? RETURNING batches", (table.id,))
        found = row.fetchone()
        return int(found[0]) if found else 0

    # -- versions ----------------------------------------------------------------------------------------------------

    def add_version(
        self, tx: sqlite3.Connection, table: Table, snapshot: Snapshot, quarantine_path: str | None = None
    ) -> None:
        """Insert the version and make it the head."""
        tx.execute(
            "INSERT INTO feature_version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                table.id,
                snapshot.version,
                snapshot.kind,
                snapshot.rows,
                snapshot.added_rows,
                snapshot.bytes,
                json.dumps(snapshot.columns),
                snapshot.quarantined,
                quarantine_path,
                snapshot.duplicates,
                snapshot.author,
                snapshot.message,
                snapshot.created_at,
                snapshot.min_time,
                snapshot.max_time,
                snapshot.schema_hash,
                snapshot.batch_id or None,
                json.dumps(snapshot.changes),
            ),
        )
        tx.execute(
            "UPDATE feature_table SET head = ?, updated_at = ? WHERE id = ?",
            (snapshot.version, snapshot.created_at, table.id),
        )

    def version(self, table: Table, version: int) -> Snapshot | None:
        row = self._db.one(f"{_VERSION} WHERE v.table_id = ? AND v.version = ?", (table.id, version))
        return _snapshot(row) if row else None

    def version_of_batch(self, table: Table, batch_id: str) -> Snapshot | None:
        row = self._db.one(f"{_VERSION} WHERE v.table_id = ? AND v.batch_id = ?", (table.id, batch_id))
        return _snapshot(row) if row else None

    def versions(self, table: Table) -> list[Snapshot]:
        """Newest first."""
        rows = self._db.read(f"{_VERSION} WHERE v.table_id = ? ORDER BY v.version DESC", (table.id,))
        return [_snapshot(row) for row in rows]

    def quarantine_paths(self, table: Table, version: int | None) -> list[tuple[int, str]]:
        """(version, path below the lake) of the quarantine files of one version, or of all."""
        sql = "SELECT version, quarantine_path FROM feature_version WHERE table_id = ? AND quarantine_path IS NOT NULL"
        if version is None:
            rows = self._db.read(f"{sql} ORDER BY version", (table.id,))
        else:
            rows = self._db.read(f"{sql} AND version = ?", (table.id, version))
        return [(row[0], row[1]) for row in rows]

    # -- files -------------------------------------------------------------------------------------------------------

    def add_file(self, tx: sqlite3.Connection, table: Table, version: int, file: File) -> None:
        tx.execute(
            "INSERT INTO feature_file (table_id, path, added, rows, bytes, min_time, max_time, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (table.id, file.path, version, file.rows, file.bytes, file.min_time, file.max_time, file.sha256),
        )

    def drop_live_files(self, tx: sqlite3.Connection, table: Table, version: int) -> None:
        """From `version` on none of the files that are live now is part of the table; older versions keep them."""
        tx.execute("UPDATE feature_file SET removed = ? WHERE table_id = ? AND removed IS NULL", (version, table.id))

    def drop_files(self, tx: sqlite3.Connection, table: Table, version: int, paths: Sequence[str]) -> None:
        """From `version` on these live files are no part of the table; older versions keep them."""
        tx.executemany(
            "UPDATE feature_file SET removed = ? WHERE table_id = ? AND path = ? AND removed IS NULL",
            [(version, table.id, path) for path in paths],
        )

    def files(self, table: Table, version: int) -> list[File]:
        """The files of one version, in the order they came."""
        rows = self._db.read(
            "SELECT path, rows, bytes, min_time, max_time, sha256 FROM feature_file"
            " WHERE table_id = ? AND added <= ? AND (removed IS NULL OR removed > ?) ORDER BY id",
            (table.id, version, version),
        )
        return [File(**dict(row)) for row in rows]

    # -- collection --------------------------------------------------------------------------------------------------

    def begin_collection(self, tx: sqlite3.Connection) -> None:
        """Write something, so that the commit overwrites what a killed writer may have left in the WAL in doubt."""
        tx.execute("UPDATE feature_meta SET gc_epoch = gc_epoch + 1")

    def expire(self, tx: sqlite3.Connection, table: Table, versions: Sequence[int], now: int) -> None:
        """These versions have no rows any more, and files that only they had are not in the catalog any more."""
        tx.executemany(
            "UPDATE feature_version SET expired_at = ? WHERE table_id = ? AND version = ?",
            [(now, table.id, version) for version in versions],
        )
        tx.execute(
            "DELETE FROM feature_file WHERE table_id = ? AND NOT EXISTS (SELECT 1 FROM feature_version v"
            " WHERE v.table_id = feature_file.table_id AND v.expired_at IS NULL AND v.version >= feature_file.added"
            " AND (feature_file.removed IS NULL OR v.version < feature_file.removed))",
            (table.id,),
        )

    def expired(self) -> set[tuple[int, int]]:
        """(table id, version) of all collected versions."""
        rows = self._db.read("SELECT table_id, version FROM feature_version WHERE expired_at IS NOT NULL")
        return {(row[0], row[1]) for row in rows}

    def known_paths(self) -> set[str]:
        """Every path below the lake that the catalog names."""
        rows = self._db.read(
            "SELECT path FROM feature_file UNION"
            " SELECT quarantine_path FROM feature_version WHERE quarantine_path IS NOT NULL UNION"
            " SELECT path.value FROM feature_removed, json_each(feature_removed.paths) AS path"
        )
        return {row[0] for row in rows}

    # -- checks ------------------------------------------------------------------------------------------------------

    def put_check(self, tx: sqlite3.Connection, table: Table, report: CheckReport) -> None:
        """Keep the newest report of a version."""
        results = [{name: getattr(result, name) for name in CheckResult.__slots__} for result in report.results]
        body = json.dumps({"rows": report.rows, "verdict": report.verdict, "results": results})
        tx.execute(
            "INSERT INTO feature_check VALUES (?, ?, ?, ?)"
            " ON CONFLICT (table_id, version) DO UPDATE SET at = excluded.at, report = excluded.report",
            (table.id, report.version, report.at, body),
        )

    def last_check(self, table: Table, version: int) -> CheckReport | None:
        row = self._db.one("SELECT * FROM feature_check WHERE table_id = ? AND version = ?", (table.id, version))
        return _report(table, row) if row else None

    def checks(self, table: Table) -> list[CheckReport]:
        """The newest report of every version that was checked, newest version first."""
        rows = self._db.read("SELECT * FROM feature_check WHERE table_id = ? ORDER BY version DESC", (table.id,))
        return [_report(table, row) for row in rows]

    # -- profiles ----------------------------------------------------------------------------------------------------

    def put_profile(self, tx: sqlite3.Connection, table: Table, profile: Profile) -> None:
        """Keep a profile, if its version is still there."""
        tx.execute(
            "INSERT OR REPLACE INTO feature_profile SELECT table_id, version, ? FROM feature_version"
            " WHERE table_id = ? AND version = ?",
            (json.dumps(dataclasses.asdict(profile)), table.id, profile.version),
        )

    def profile(self, table: Table, version: int) -> Profile | None:
        body = self._db.value(
            "SELECT profile FROM feature_profile WHERE table_id = ? AND version = ?", (table.id, version)
        )
        return Profile.from_dict(json.loads(body)) if body else None


def _table(row: sqlite3.Row) -> Table:
    return Table(
        name=row["name"],
        keys=tuple(json.loads(row["keys"])),
        time=row["time"],
        created=row["created"],
        description=row["description"],
        ttl=row["ttl"],
        latest_version=row["head"],
        rows=row["rows"] or 0,
        bytes=row["bytes"] or 0,
        columns=json.loads(row["columns"]) if row["columns"] else {},
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        id=row["id"],
    )


def _snapshot(row: sqlite3.Row) -> Snapshot:
    return Snapshot(
        table=row["name"],
        version=row["version"],
        kind=row["kind"],
        rows=row["rows"],
        added_rows=row["added_rows"],
        bytes=row["bytes"],
        columns=json.loads(row["columns"]),
        quarantined=row["quarantined"],
        duplicates=row["duplicates"],
        author=row["author"],
        message=row["message"],
        created_at=row["created_at"],
        min_time=row["min_time"],
        max_time=row["max_time"],
        schema_hash=row["schema_hash"],
        batch_id=row["batch_id"] or "",
        changes=tuple(json.loads(row["changes"])),
        expired_at=row["expired_at"],
    )


def _report(table: Table, row: sqlite3.Row) -> CheckReport:
    body = json.loads(row["report"])
    results = tuple(CheckResult(**{**result, "sample": tuple(result.get("sample", ()))}) for result in body["results"])
    return CheckReport(table.name, row["version"], row["at"], body["rows"], body["verdict"], results)


def totals(files: Sequence[File]) -> Mapping[str, Any]:
    """Rows, bytes and time range of a live set."""
    starts = [file.min_time for file in files if file.min_time is not None]
    ends = [file.max_time for file in files if file.max_time is not None]
    return {
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "min_time": min(starts, default=None),
        "max_time": max(ends, default=None),
    }


def foreign_rows(path: Path, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and all rows of a table or view of someone else's SQLite file, opened for reading only.

    Without `table` the file must have one. Raises NotFound, InvalidInput.
    """
    connection = None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        listed = (
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        names = sorted(row[0] for row in connection.execute(listed))
        chosen = table or (names[0] if len(names) == 1 else "")
        if not chosen:
            raise InvalidInput(
                f"{path.name} has {len(names)} tables: {', '.join(names) or 'none'}.", hint="Name one: --table NAME"
            )
        if chosen not in names:
            raise NotFound(
                f"{path.name} has no table '{chosen}'.",
                hint=did_you_mean(chosen, names, f"It has: {', '.join(names)}."),
            )
        cursor = connection.execute(f"SELECT * FROM {quote(chosen)}")
        return [column[0] for column in cursor.description], cursor.fetchall()
    except sqlite3.Error as error:
        raise InvalidInput(f"{path.name} cannot be read as SQLite: {error}.", hint="Nothing was changed.") from error
    finally:
        if connection is not None:
            connection.close()
