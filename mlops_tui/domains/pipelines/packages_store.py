"""Where packages and their placements are kept: catalog tables, and archives under their hash."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.domains.pipelines.records import Environment, Finding, Package, Placement, RunState, TestReport

if TYPE_CHECKING:
    import sqlite3

    import sqlite_utils

    from mlops_tui.core.context import Context


def m001_packages(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE pipeline_package (
            pipeline TEXT NOT NULL, version INTEGER NOT NULL, sha TEXT NOT NULL, content TEXT NOT NULL,
            definition TEXT NOT NULL, files TEXT NOT NULL, lock TEXT NOT NULL, git_commit TEXT NOT NULL,
            report TEXT NOT NULL, why TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
            PRIMARY KEY (pipeline, version)
        ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX pipeline_package_by_content ON pipeline_package(pipeline, content)")
    db.execute(
        """CREATE TABLE pipeline_placement (
            id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL,
            action TEXT NOT NULL, run_id TEXT NOT NULL, why TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX pipeline_placement_by_pipeline ON pipeline_placement(pipeline, environment, id)")


MIGRATIONS = [m001_packages]
# A run in which every step worked: the pipeline is fit for the place, whatever its gate thinks of this model.
_WORKED = (RunState.SUCCEEDED, RunState.BLOCKED, RunState.WAITING)
_GOING_ON = (RunState.QUEUED, RunState.RUNNING)


def archives(context: Context) -> Artifacts:
    """The archives by their hash; a store of their own, so that no collector of other rooms finds them nameless."""
    return Artifacts(context.workspace.root / "packages")


class PackagesStore:
    """Rows and records of packages; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("pipeline_packages", MIGRATIONS)

    def add(self, tx: sqlite3.Connection, package: Package) -> None:
        values = {
            "pipeline": package.pipeline,
            "version": package.version,
            "sha": package.sha,
            "content": package.content,
            "definition": package.definition,
            "files": json.dumps(package.files),
            "lock": json.dumps(package.lock),
            "git_commit": package.commit,
            "report": json.dumps(asdict(package.report)),
            "why": package.why,
            "created_at": package.created_at,
            "created_by": package.created_by,
        }
        marks = ", ".join("?" * len(values))
        tx.execute(f"INSERT INTO pipeline_package ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

    def get(self, pipeline: str, version: int) -> Package | None:
        row = self._db.one("SELECT * FROM pipeline_package WHERE pipeline = ? AND version = ?", (pipeline, version))
        return _package(row) if row else None

    def with_content(self, pipeline: str, content: str) -> Package | None:
        row = self._db.one("SELECT * FROM pipeline_package WHERE pipeline = ? AND content = ?", (pipeline, content))
        return _package(row) if row else None

    def find(self, pipeline: str | None) -> list[Package]:
        """Of one pipeline or of all, newest first."""
        rows = self._db.read(
            "SELECT * FROM pipeline_package WHERE (? IS NULL OR pipeline = ?) ORDER BY created_at DESC, version DESC",
            (pipeline, pipeline),
        )
        return [_package(row) for row in rows]

    def next_version(self, pipeline: str) -> int:
        sql = "SELECT coalesce(max(version), 0) + 1 FROM pipeline_package WHERE pipeline = ?"
        return int(self._db.value(sql, (pipeline,)))

    def place(
        self,
        tx: sqlite3.Connection,
        package: Package,
        environment: str,
        action: str,
        run: str,
        why: str,
        who: str,
        at: int,
    ) -> int:
        """Add a placement; its id."""
        cursor = tx.execute(
            """INSERT INTO pipeline_placement (pipeline, environment, version, action, run_id, why, actor, at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (package.pipeline, environment, package.version, action, run, why, who, at),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def placements(self, pipeline: str | None, limit: int) -> list[Placement]:
        """Newest first, each with the state that follows from its run and from those after it."""
        rows = self._db.read(
            """SELECT place.*, run.state AS run_state, run.job_id FROM pipeline_placement place
               LEFT JOIN pipeline_run run ON run.id = place.run_id
               WHERE (? IS NULL OR place.pipeline = ?) ORDER BY place.id DESC LIMIT ?""",
            (pipeline, pipeline, limit),
        )
        live: set[tuple[str, str]] = set()
        return [_placement(row, live) for row in rows]

    def active(self, pipeline: str, environment: str) -> int | None:
        """The version that is live there: the newest whose run worked."""
        found = self._db.value(
            """SELECT place.version FROM pipeline_placement place JOIN pipeline_run run ON run.id = place.run_id
               WHERE place.pipeline = ? AND place.environment = ? AND run.state IN (?, ?, ?)
               ORDER BY place.id DESC LIMIT 1""",
            (pipeline, environment, *_WORKED),
        )
        return None if found is None else int(found)


def report_of(raw: dict[str, object]) -> TestReport:
    """Read a report that was kept as JSON."""
    checks = raw["checks"]
    assert isinstance(checks, list)
    return TestReport(**{**raw, "checks": [Finding(**one) for one in checks]})  # type: ignore[arg-type]


def _package(row: sqlite3.Row) -> Package:
    return Package(
        pipeline=row["pipeline"],
        version=row["version"],
        sha=row["sha"],
        content=row["content"],
        definition=row["definition"],
        files=json.loads(row["files"]),
        lock=json.loads(row["lock"]),
        commit=row["git_commit"],
        report=report_of(json.loads(row["report"])),
        why=row["why"],
        created_at=row["created_at"],
        created_by=row["created_by"],
    )


def _placement(row: sqlite3.Row, live: set[tuple[str, str]]) -> Placement:
    place = (row["pipeline"], row["environment"])
    if row["run_state"] in _GOING_ON:
        state = "running"
    elif row["run_state"] not in _WORKED:
        state = "failed"
    else:
        state = "replaced" if place in live else "active"
        live.add(place)
    return Placement(
        id=row["id"],
        pipeline=row["pipeline"],
        environment=Environment(row["environment"]),
        version=row["version"],
        action=row["action"],
        state=state,
        run_id=row["run_id"],
        job_id=row["job_id"],
        why=row["why"],
        actor=row["actor"],
        at=row["at"],
    )
