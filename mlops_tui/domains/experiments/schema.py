"""The tables of this room: runs in catalog.db, their numbers in metrics.db. Steps are appended, never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils


def m001_experiments_and_runs(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE experiment (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
            description TEXT NOT NULL DEFAULT '') STRICT"""
    )
    # AUTOINCREMENT: a number is never given twice, or the points of a removed run would show up under a new one.
    db.execute(
        """CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            experiment_id INTEGER NOT NULL REFERENCES experiment(id), name TEXT NOT NULL, state TEXT NOT NULL,
            started_at INTEGER NOT NULL, ended_at INTEGER, user TEXT NOT NULL, host TEXT NOT NULL, source TEXT NOT NULL,
            command TEXT NOT NULL, python TEXT NOT NULL, git_commit TEXT NOT NULL, git_branch TEXT NOT NULL,
            git_dirty INTEGER NOT NULL, parent TEXT NOT NULL, error TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL,
            process_started INTEGER NOT NULL, boot TEXT NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX run_by_time ON run(started_at, number)")
    db.execute("CREATE INDEX run_by_experiment ON run(experiment_id, started_at, number)")
    db.execute("CREATE INDEX run_by_state ON run(state, started_at, number)")
    db.execute("CREATE INDEX run_by_experiment_state ON run(experiment_id, state, started_at, number)")
    db.execute(
        """CREATE TABLE run_tag (
            run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (run, key)) STRICT, WITHOUT ROWID"""
    )
    # Tombstones: what a removed run's process still logs must not bring it back.
    db.execute(
        "CREATE TABLE run_removed (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, removed_at INTEGER NOT NULL) STRICT"
    )


def m002_run_text(db: sqlite_utils.Database) -> None:
    """What words without a field are looked for in: id, name and tags of a run in lower case, in one narrow row.

    Kept by triggers. Looking into the tags of 100,000 runs by themselves took 170 ms, into this 20 ms.
    """
    db.execute("CREATE TABLE run_text (run INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
    tags = "(SELECT group_concat(t.key || '=' || t.value, char(10)) FROM run_tag t WHERE t.run = r.number)"
    text = f"lower(r.id || char(10) || r.name || char(10) || coalesce({tags}, ''))"
    db.execute(f"INSERT INTO run_text SELECT r.number, {text} FROM run r")
    db.execute(f"""CREATE TRIGGER run_text_added AFTER INSERT ON run BEGIN
        INSERT OR REPLACE INTO run_text SELECT r.number, {text} FROM run r WHERE r.number = new.number; END""")
    db.execute(
        "CREATE TRIGGER run_text_removed AFTER DELETE ON run BEGIN DELETE FROM run_text WHERE run = old.number; END"
    )
    renew = f"UPDATE run_text SET text = (SELECT {text} FROM run r WHERE r.number = run) WHERE run ="
    db.execute(f"CREATE TRIGGER run_text_renamed AFTER UPDATE OF name ON run BEGIN {renew} new.number; END")
    db.execute(f"CREATE TRIGGER run_text_tagged AFTER INSERT ON run_tag BEGIN {renew} new.run; END")
    db.execute(f"CREATE TRIGGER run_text_retagged AFTER UPDATE ON run_tag BEGIN {renew} new.run; END")
    # A tag that goes with its run must not ask for the text of a run that is no more.
    db.execute(f"""CREATE TRIGGER run_text_untagged AFTER DELETE ON run_tag
        WHEN EXISTS (SELECT 1 FROM run r WHERE r.number = old.run) BEGIN {renew} old.run; END""")


def m003_remote(db: sqlite_utils.Database) -> None:
    """What other programs' clients keep beside runs: deleted but not gone, tags of experiments, data sets, logged models."""
    db.execute("ALTER TABLE experiment ADD COLUMN deleted_at INTEGER")
    db.execute("ALTER TABLE experiment ADD COLUMN changed_at INTEGER")
    db.execute("ALTER TABLE run ADD COLUMN deleted_at INTEGER")
    db.execute("CREATE INDEX run_deleted ON run(experiment_id, number) WHERE deleted_at IS NOT NULL")
    db.execute(
        """CREATE TABLE experiment_tag (
            experiment INTEGER NOT NULL REFERENCES experiment(id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (experiment, key)) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE run_input (
            run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, name TEXT NOT NULL, digest TEXT NOT NULL,
            source_type TEXT NOT NULL, source TEXT NOT NULL, schema TEXT NOT NULL, profile TEXT NOT NULL, tags TEXT NOT NULL,
            PRIMARY KEY (run, name, digest)) STRICT"""
    )
    db.execute(
        """CREATE TABLE logged_model (
            id TEXT PRIMARY KEY, experiment_id INTEGER NOT NULL REFERENCES experiment(id) ON DELETE CASCADE,
            name TEXT NOT NULL, run_id TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, params TEXT NOT NULL,
            tags TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, created_by TEXT NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX logged_model_by_run ON logged_model(run_id)")
    db.execute(
        """CREATE TABLE run_model (
            run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, model TEXT NOT NULL, made INTEGER NOT NULL,
            step INTEGER NOT NULL, PRIMARY KEY (run, model, made)) STRICT, WITHOUT ROWID"""
    )


def m004_children(db: sqlite_utils.Database) -> None:
    """Children of a run by an index: going through 100,000 runs for those of one took 24 ms."""
    db.execute("CREATE INDEX run_by_parent ON run(parent, started_at, number) WHERE parent <> ''")


def m001_points(db: sqlite_utils.Database) -> None:
    db.execute("CREATE TABLE key (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute(
        """CREATE TABLE metric (
            run INTEGER NOT NULL, key INTEGER NOT NULL, step INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL,
            PRIMARY KEY (run, key, step)) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE metric_latest (
            run INTEGER NOT NULL, key INTEGER NOT NULL, step INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL,
            min REAL, max REAL, count INTEGER NOT NULL, PRIMARY KEY (run, key)) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX metric_latest_by_value ON metric_latest(key, value, run)")
    db.execute(
        """CREATE TABLE param (
            run INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, number REAL,
            PRIMARY KEY (run, key)) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX param_by_number ON param(key, number, run)")
    db.execute(
        """CREATE TABLE artifact (
            run INTEGER NOT NULL, path TEXT NOT NULL, sha TEXT NOT NULL, size INTEGER NOT NULL, logged_at INTEGER NOT NULL,
            PRIMARY KEY (run, path)) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE TABLE run_seen (run INTEGER PRIMARY KEY, seen_at INTEGER NOT NULL) STRICT")
    db.execute("CREATE TABLE intake (segment TEXT PRIMARY KEY, offset INTEGER NOT NULL) STRICT, WITHOUT ROWID")


def m002_remote(db: sqlite_utils.Database) -> None:
    """Points of a step beyond the newest one of that step, and what is logged to models instead of runs."""
    db.execute(
        """CREATE TABLE metric_more (
            run INTEGER NOT NULL, key INTEGER NOT NULL, step INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL) STRICT"""
    )
    db.execute("CREATE INDEX metric_more_by_run ON metric_more(run, key, step)")
    db.execute(
        """CREATE TABLE model_metric (
            model TEXT NOT NULL, name TEXT NOT NULL, step INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL,
            run_id TEXT NOT NULL, dataset TEXT NOT NULL, digest TEXT NOT NULL,
            UNIQUE (model, name, run_id, step, ts, dataset, digest)) STRICT"""
    )
    db.execute(
        """CREATE TABLE model_file (
            model TEXT NOT NULL, path TEXT NOT NULL, sha TEXT NOT NULL, size INTEGER NOT NULL, logged_at INTEGER NOT NULL,
            PRIMARY KEY (model, path)) STRICT, WITHOUT ROWID"""
    )


def m003_upkeep(db: sqlite_utils.Database) -> None:
    """What was judged of runs, points that lie in Parquet files, files whose last run is gone, and when upkeep was done."""
    db.execute(
        """CREATE TABLE run_health (
            run INTEGER PRIMARY KEY, seen_at INTEGER NOT NULL, judged_at INTEGER NOT NULL, marks TEXT NOT NULL,
            last_at INTEGER NOT NULL, interval INTEGER) STRICT"""
    )
    db.execute(
        "CREATE TABLE metric_archive (run INTEGER PRIMARY KEY, path TEXT NOT NULL, points INTEGER NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX metric_archive_by_path ON metric_archive(path)")
    db.execute("CREATE TABLE artifact_freed (sha TEXT PRIMARY KEY, freed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID")
    db.execute("CREATE INDEX artifact_by_sha ON artifact(sha)")
    db.execute("CREATE TABLE upkeep (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID")
