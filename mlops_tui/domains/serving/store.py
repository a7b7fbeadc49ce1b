"""Serving's tables: wanted deployments and log files in the catalog; what the gateway says of itself in telemetry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.serving.checks_store import m004_checks
from mlops_tui.domains.serving.handling import Handling
from mlops_tui.domains.serving.handling_store import HandlingStore, m002_shadows, m003_handling
from mlops_tui.domains.serving.records import (
    Deployment,
    GatewayState,
    LogFile,
    Route,
    RouteState,
    State,
    Wanted,
    WorkerState,
)
from mlops_tui.domains.serving.rollout_store import m002_rollouts
from mlops_tui.domains.serving.traffic_store import TrafficStore, m004_rolled

if TYPE_CHECKING:
    import sqlite_utils


def m001_serving(db: sqlite_utils.Database) -> None:
    """Create deployments with their routes, and the files and offsets of the prediction log."""
    db.execute(
        """CREATE TABLE deployment (
            name TEXT PRIMARY KEY, model TEXT NOT NULL, wanted TEXT NOT NULL, revision INTEGER NOT NULL,
            previous TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE deployment_route (
            deployment TEXT NOT NULL REFERENCES deployment(name) ON DELETE CASCADE, version INTEGER NOT NULL,
            weight REAL NOT NULL, PRIMARY KEY (deployment, version)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE serving_file (
            path TEXT PRIMARY KEY, kind TEXT NOT NULL, deployment TEXT NOT NULL, version INTEGER NOT NULL,
            rows INTEGER NOT NULL, bytes INTEGER NOT NULL, min_at INTEGER NOT NULL, max_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL, retired_at INTEGER
        ) STRICT"""
    )
    db.execute("CREATE INDEX serving_file_by_time ON serving_file(kind, deployment, max_at)")
    db.execute(
        """CREATE TABLE serving_segment (
            segment TEXT PRIMARY KEY, offset INTEGER NOT NULL, taken_at INTEGER NOT NULL
        ) STRICT"""
    )


def m001_serving_state(db: sqlite_utils.Database) -> None:
    """Create what the gateway reports: itself, its workers, its routes, its traffic."""
    db.execute(
        """CREATE TABLE serving_gateway (
            id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, started INTEGER NOT NULL, boot TEXT NOT NULL,
            host TEXT NOT NULL, port INTEGER NOT NULL, seen_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE serving_worker (
            model TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, pid INTEGER, detail TEXT NOT NULL,
            restarts INTEGER NOT NULL, PRIMARY KEY (model, version)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE serving_route (
            deployment TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE serving_interval (
            deployment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, span_ms INTEGER NOT NULL,
            requests INTEGER NOT NULL, rows INTEGER NOT NULL, client_errors INTEGER NOT NULL,
            server_errors INTEGER NOT NULL, latency_sum_ms REAL NOT NULL, histogram TEXT NOT NULL,
            PRIMARY KEY (deployment, at, version)
        ) STRICT, WITHOUT ROWID"""
    )


def m003_workers(db: sqlite_utils.Database) -> None:
    """Say how many workers a version has."""
    db.execute("ALTER TABLE serving_worker ADD COLUMN workers INTEGER NOT NULL DEFAULT 0")


def m005_others(db: sqlite_utils.Database) -> None:
    """Say which processes the further workers of a version are."""
    db.execute("ALTER TABLE serving_worker ADD COLUMN others TEXT NOT NULL DEFAULT '[]'")


class ServingStore(TrafficStore):
    """Rows of the serving tables as records."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._catalog = context.catalog
        self._handlings = HandlingStore(context)
        self._catalog.migrate("serving", [m001_serving, m002_rollouts, m003_handling, m004_checks])
        self._telemetry.migrate("serving", [m001_serving_state, m002_shadows, m003_workers, m004_rolled, m005_others])

    # -- deployments

    def find(self, name: str | None = None) -> list[Deployment]:
        """Return deployments by name, or the one named."""
        where, params = ("WHERE name = ?", [name]) if name is not None else ("", [])
        routes: dict[str, list[Route]] = {}
        for row in self._catalog.read("SELECT * FROM deployment_route ORDER BY version"):
            routes.setdefault(row["deployment"], []).append(Route(row["version"], row["weight"]))
        rows = self._catalog.read(f"SELECT * FROM deployment {where} ORDER BY name", params)
        handlings = self._handlings.find()
        return [_deployment(row, routes.get(row["name"], []), handlings.get(row["name"], Handling())) for row in rows]

    def put(self, tx: sqlite3.Connection, deployment: Deployment) -> None:
        """Write a deployment and its routes, whether it is new or not."""
        given = deployment
        tx.execute(
            "INSERT INTO deployment VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "wanted = excluded.wanted, revision = excluded.revision, previous = excluded.previous, "
            "updated_at = excluded.updated_at",
            (
                given.name,
                given.model,
                given.wanted,
                given.revision,
                json.dumps(given.previous),
                given.created_at,
                given.updated_at,
            ),
        )
        tx.execute("DELETE FROM deployment_route WHERE deployment = ?", (given.name,))
        tx.executemany(
            "INSERT INTO deployment_route VALUES (?, ?, ?)",
            [(given.name, route.version, route.weight) for route in given.versions],
        )

    def remove(self, tx: sqlite3.Connection, name: str) -> None:
        """Delete a deployment; its predictions stay."""
        tx.execute("DELETE FROM deployment WHERE name = ?", (name,))

    # -- what the gateway says

    def put_gateway(self, state: GatewayState | None) -> None:
        """Record which process answers HTTP; None when it has ended."""
        with self._telemetry.write() as tx:
            tx.execute("DELETE FROM serving_gateway")
            if state is not None:
                tx.execute(
                    "INSERT INTO serving_gateway VALUES (1, ?, ?, ?, ?, ?, ?)",
                    (state.pid, state.started, state.boot, state.host, state.port, state.seen_at),
                )

    def gateway(self) -> GatewayState | None:
        """Return the process that last said it answers HTTP."""
        row = self._telemetry.one("SELECT pid, started, boot, host, port, seen_at FROM serving_gateway")
        return GatewayState(*row) if row else None

    def put_states(self, workers: Iterable[WorkerState], routes: Iterable[RouteState]) -> None:
        """Replace the report on workers and routes."""
        with self._telemetry.write() as tx:
            tx.execute("DELETE FROM serving_worker")
            tx.execute("DELETE FROM serving_route")
            tx.executemany(
                "INSERT INTO serving_worker VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (w.model, w.version, w.state, w.pid, w.detail, w.restarts, w.workers, json.dumps(w.others))
                    for w in workers
                ],
            )
            tx.executemany(
                "INSERT INTO serving_route VALUES (?, ?, ?, ?)",
                [(r.deployment, r.revision, r.state, r.detail) for r in routes],
            )

    def workers(self) -> dict[tuple[str, int], WorkerState]:
        """Return the gateway's word on each worker, by model and version."""
        rows = self._telemetry.read("SELECT * FROM serving_worker")
        return {
            (row["model"], row["version"]): WorkerState(
                row["model"],
                row["version"],
                State(row["state"]),
                row["pid"],
                row["detail"],
                row["restarts"],
                workers=row["workers"],
                others=tuple(json.loads(row["others"])),
            )
            for row in rows
        }

    def routes(self) -> dict[str, RouteState]:
        """Return the gateway's word on each deployment."""
        rows = self._telemetry.read("SELECT deployment, revision, state, detail FROM serving_route")
        return {row[0]: RouteState(row[0], row[1], State(row[2]), row[3]) for row in rows}

    # -- the log's files

    def files(
        self, kind: str, deployment: str, since: int | None = None, until: int | None = None, version: int | None = None
    ) -> list[LogFile]:
        """Return files in use that may hold rows of [since, until), of all versions or of one, newest first."""
        rows = self._catalog.read(
            "SELECT * FROM serving_file WHERE kind = ? AND deployment = ? AND retired_at IS NULL "
            "AND max_at >= ? AND min_at < ? AND coalesce(version = ?, 1) ORDER BY max_at DESC, path",
            (kind, deployment, since if since is not None else -1, until if until is not None else 2**62, version),
        )
        return [LogFile(*row) for row in rows]

    def files_at(self, kind: str, at: int) -> list[LogFile]:
        """Return files in use, of any deployment, that may hold a row of that very moment."""
        rows = self._catalog.read(
            "SELECT * FROM serving_file WHERE kind = ? AND retired_at IS NULL AND min_at <= ? AND max_at >= ?",
            (kind, at, at),
        )
        return [LogFile(*row) for row in rows]

    def all_files(self, *, retired: bool = False) -> list[LogFile]:
        """Return all files in use, or all that were replaced and wait for their removal."""
        rows = self._catalog.read(
            f"SELECT * FROM serving_file WHERE retired_at IS {'NOT ' if retired else ''}NULL ORDER BY min_at, path"
        )
        return [LogFile(*row) for row in rows]

    def newest_file(self, kind: str) -> int | None:
        """Return when rows of that kind last reached Parquet."""
        at = self._catalog.value("SELECT max(created_at) FROM serving_file WHERE kind = ?", (kind,))
        return int(at) if at is not None else None

    def add_file(self, tx: sqlite3.Connection, file: LogFile) -> None:
        """Make a published file visible."""
        tx.execute(
            "INSERT INTO serving_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                file.path,
                file.kind,
                file.deployment,
                file.version,
                file.rows,
                file.bytes,
                file.min_at,
                file.max_at,
                file.created_at,
            ),
        )

    def retire_files(self, tx: sqlite3.Connection, paths: Iterable[str], at: int) -> None:
        """Hide files; readers that already listed them have a while to finish before they are unlinked."""
        tx.executemany("UPDATE serving_file SET retired_at = ? WHERE path = ?", [(at, path) for path in paths])

    def forget_files(self, tx: sqlite3.Connection, paths: Iterable[str]) -> None:
        """Delete the rows of files that are gone."""
        tx.executemany("DELETE FROM serving_file WHERE path = ?", [(path,) for path in paths])

    def offsets(self) -> dict[str, int]:
        """Return how far each segment (by file name) has been taken in."""
        return {row[0]: row[1] for row in self._catalog.read("SELECT segment, offset FROM serving_segment")}

    def last_compaction(self) -> int | None:
        """Return when a segment was last taken in."""
        at = self._catalog.value("SELECT max(taken_at) FROM serving_segment")
        return int(at) if at is not None else None

    def put_offsets(self, tx: sqlite3.Connection, offsets: Mapping[str, int], at: int) -> None:
        """Remember how far segments were taken in."""
        tx.executemany(
            "INSERT INTO serving_segment VALUES (?, ?, ?) ON CONFLICT (segment) DO UPDATE SET "
            "offset = excluded.offset, taken_at = excluded.taken_at",
            [(segment, offset, at) for segment, offset in offsets.items()],
        )

    def forget_segments(self, tx: sqlite3.Connection, folder: Path) -> None:
        """Delete the offsets of segments that are gone: their names may come again after a reboot."""
        gone = [(name,) for name in self.offsets() if not (folder / name).exists()]
        tx.executemany("DELETE FROM serving_segment WHERE segment = ?", gone)


def _deployment(row: sqlite3.Row, routes: list[Route], handling: Handling) -> Deployment:
    return Deployment(
        name=row["name"],
        model=row["model"],
        wanted=Wanted(row["wanted"]),
        versions=tuple(routes),
        previous={int(version): weight for version, weight in json.loads(row["previous"]).items()},
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        handling=handling,
    )
