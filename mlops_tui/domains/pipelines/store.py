"""Where pipelines keep their rows: catalog tables pipeline_run and pipeline_step."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.pipelines.records import (
    OPEN_STATES,
    GateCheck,
    GateVerdict,
    Outcome,
    PipelineRun,
    RunState,
    StepRun,
    StepState,
    Trial,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlite_utils

    from mlops_tui.core.context import Context


def m001_pipelines(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE pipeline_run (
            id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, state TEXT NOT NULL, key TEXT UNIQUE, cause TEXT NOT NULL,
            definition TEXT NOT NULL, actor TEXT NOT NULL, job_id INTEGER, experiment_run TEXT NOT NULL DEFAULT '',
            version TEXT NOT NULL DEFAULT '', verdict TEXT, error TEXT NOT NULL DEFAULT '',
            created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER
        ) STRICT"""
    )
    db.execute("CREATE INDEX pipeline_run_by_pipeline ON pipeline_run(pipeline, created_at)")
    db.execute(
        """CREATE TABLE pipeline_step (
            run_id TEXT NOT NULL REFERENCES pipeline_run(id), place INTEGER NOT NULL, name TEXT NOT NULL,
            state TEXT NOT NULL, started_at INTEGER, ended_at INTEGER, detail TEXT NOT NULL DEFAULT '',
            log TEXT NOT NULL DEFAULT '', PRIMARY KEY (run_id, name)
        ) STRICT"""
    )


def m002_trials_and_facts(db: sqlite_utils.Database) -> None:
    db.execute("ALTER TABLE pipeline_run ADD COLUMN options TEXT NOT NULL DEFAULT '{}'")
    db.execute("ALTER TABLE pipeline_run ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'")
    db.execute(
        """CREATE TABLE pipeline_trial (
            study TEXT NOT NULL, number INTEGER NOT NULL, run_id TEXT NOT NULL, state TEXT NOT NULL, params TEXT NOT NULL,
            value REAL, folds TEXT NOT NULL DEFAULT '[]', error TEXT NOT NULL DEFAULT '',
            started_at INTEGER, ended_at INTEGER, PRIMARY KEY (study, number)
        ) STRICT"""
    )
    db.execute("CREATE TABLE pipeline_study (run_id TEXT PRIMARY KEY, study TEXT NOT NULL) STRICT")


MIGRATIONS = [m001_pipelines, m002_trials_and_facts]


class PipelinesStore:
    """Rows and records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("pipelines", MIGRATIONS)

    def get(self, run_id: str) -> PipelineRun | None:
        row = self._db.one("SELECT * FROM pipeline_run WHERE id = ?", (run_id,))
        return self._run(row) if row else None

    def starting_with(self, prefix: str) -> list[str]:
        """Ids of runs with that beginning; the prefix is hexadecimal, so that it holds no wildcard."""
        return [row["id"] for row in self._db.read("SELECT id FROM pipeline_run WHERE id GLOB ?", (f"{prefix}*",))]

    def definition(self, run_id: str) -> str:
        """The definition as it was when the run was asked for."""
        return str(self._db.value("SELECT definition FROM pipeline_run WHERE id = ?", (run_id,)))

    def find_by_key(self, key: str) -> PipelineRun | None:
        row = self._db.one("SELECT * FROM pipeline_run WHERE key = ?", (key,))
        return self._run(row) if row else None

    def runs(self, pipeline: str | None, limit: int) -> list[PipelineRun]:
        rows = self._db.read(
            """SELECT * FROM pipeline_run WHERE (? IS NULL OR pipeline = ?) AND options ->> '$.test' IS NULL
               ORDER BY created_at DESC, rowid DESC LIMIT ?""",
            (pipeline, pipeline, limit),
        )
        return [self._run(row) for row in rows]

    def test_of(self, pipeline: str, content: str) -> PipelineRun | None:
        """The newest ended test of that content."""
        row = self._db.one(
            """SELECT * FROM pipeline_run WHERE pipeline = ? AND options ->> '$.test.content' = ? AND ended_at IS NOT NULL
               ORDER BY created_at DESC, rowid DESC LIMIT 1""",
            (pipeline, content),
        )
        return self._run(row) if row else None

    def add(self, tx: sqlite3.Connection, run: PipelineRun, key: str | None, definition: str) -> None:
        tx.execute(
            """INSERT INTO pipeline_run (id, pipeline, state, key, cause, definition, actor, created_at, options)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                run.id,
                run.pipeline,
                run.state,
                key,
                json.dumps(run.cause),
                definition,
                run.actor,
                run.created_at,
                json.dumps(run.options),
            ),
        )
        self.reset_steps(tx, run.id, [step.name for step in run.steps])

    def reset_steps(self, tx: sqlite3.Connection, run_id: str, names: Sequence[str]) -> None:
        tx.execute("DELETE FROM pipeline_step WHERE run_id = ?", (run_id,))
        tx.executemany(
            "INSERT INTO pipeline_step (run_id, place, name, state) VALUES (?, ?, ?, ?)",
            [(run_id, place, name, StepState.PENDING) for place, name in enumerate(names)],
        )

    def update(self, tx: sqlite3.Connection, run_id: str, **values: Any) -> None:
        """Set columns of a run; `verdict` is a GateVerdict, `facts` a dict."""
        if isinstance(values.get("verdict"), GateVerdict):
            values["verdict"] = json.dumps(asdict(values["verdict"]))
        if "facts" in values:
            values["facts"] = json.dumps(values["facts"])
        sets = ", ".join(f"{name} = ?" for name in values)
        tx.execute(f"UPDATE pipeline_run SET {sets} WHERE id = ?", (*values.values(), run_id))

    def update_step(self, tx: sqlite3.Connection, run_id: str, name: str, **values: Any) -> None:
        sets = ", ".join(f"{column} = ?" for column in values)
        tx.execute(f"UPDATE pipeline_step SET {sets} WHERE run_id = ? AND name = ?", (*values.values(), run_id, name))

    def skip_pending(self, tx: sqlite3.Connection, run_id: str, detail: str) -> None:
        tx.execute(
            "UPDATE pipeline_step SET state = 'skipped', detail = ? WHERE run_id = ? AND state = 'pending'",
            (detail, run_id),
        )

    def end_running(self, tx: sqlite3.Connection, run_id: str, at: int, detail: str) -> None:
        """Mark a step that was running when its process vanished."""
        tx.execute(
            "UPDATE pipeline_step SET state = 'failed', ended_at = ?, detail = ? WHERE run_id = ? AND state = 'running'",
            (at, detail, run_id),
        )

    def open_runs(self) -> list[PipelineRun]:
        rows = self._db.read("SELECT * FROM pipeline_run WHERE state IN (?, ?)", OPEN_STATES)
        return [self._run(row) for row in rows]

    def waiting(self) -> list[PipelineRun]:
        """Those with a version that wait for people, oldest first."""
        sql = "SELECT * FROM pipeline_run WHERE state = 'waiting' AND version <> '' ORDER BY created_at, rowid"
        return [self._run(row) for row in self._db.read(sql)]

    def ended_before(self, at: int) -> list[str]:
        """Ids of runs that ended before a time."""
        return [row["id"] for row in self._db.read("SELECT id FROM pipeline_run WHERE ended_at < ?", (at,))]

    # -- the trial table of searches

    def begin_study(self, tx: sqlite3.Connection, run_id: str, study: str) -> None:
        """Let a run show the trials of a study, its own or one that an earlier run began."""
        tx.execute("INSERT OR REPLACE INTO pipeline_study (run_id, study) VALUES (?, ?)", (run_id, study))

    def put_trial(self, tx: sqlite3.Connection, study: str, trial: Trial) -> None:
        """Write a trial, over what was there: a killed try leaves a running one behind."""
        tx.execute(
            """INSERT OR REPLACE INTO pipeline_trial
               (study, number, run_id, state, params, value, folds, error, started_at, ended_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                study,
                trial.number,
                trial.run,
                trial.state,
                json.dumps(trial.params),
                trial.value,
                json.dumps(trial.folds),
                trial.error,
                trial.started_at,
                trial.ended_at,
            ),
        )

    def trials(self, study: str) -> list[Trial]:
        rows = self._db.read("SELECT * FROM pipeline_trial WHERE study = ? ORDER BY number", (study,))
        return [_trial(row) for row in rows]

    def trials_of(self, run_id: str) -> list[Trial]:
        study = self._db.value("SELECT study FROM pipeline_study WHERE run_id = ?", (run_id,))
        return self.trials(study) if study else []

    def _run(self, row: sqlite3.Row) -> PipelineRun:
        steps = self._db.read("SELECT * FROM pipeline_step WHERE run_id = ? ORDER BY place", (row["id"],))
        return PipelineRun(
            id=row["id"],
            pipeline=row["pipeline"],
            state=RunState(row["state"]),
            steps=[_step(step) for step in steps],
            verdict=_verdict(row["verdict"]),
            version=row["version"],
            run_id=row["experiment_run"],
            job_id=row["job_id"],
            cause=json.loads(row["cause"]),
            actor=row["actor"],
            created_at=row["created_at"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            error=row["error"],
            options=json.loads(row["options"]),
            facts=json.loads(row["facts"]),
        )


def _step(row: sqlite3.Row) -> StepRun:
    return StepRun(row["name"], StepState(row["state"]), row["started_at"], row["ended_at"], row["detail"], row["log"])


def _trial(row: sqlite3.Row) -> Trial:
    return Trial(
        number=row["number"],
        state=row["state"],
        params=json.loads(row["params"]),
        value=row["value"],
        folds=json.loads(row["folds"]),
        error=row["error"],
        run=row["run_id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def _verdict(text: str | None) -> GateVerdict | None:
    if text is None:
        return None
    raw = json.loads(text)
    checks = [GateCheck(**check) for check in raw["checks"]]
    return GateVerdict(Outcome(raw["outcome"]), checks, raw["champion"], raw["reason"])
