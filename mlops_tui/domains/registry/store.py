"""Where the registry keeps its rows: catalog tables model, model_version, model_alias and model_promotion."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.registry.engine_store import m005_engines
from mlops_tui.domains.registry.governance_store import m004_governance
from mlops_tui.domains.registry.records import Model, Promotion, Stage, Version

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context


def m001_registry(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE model (
            name TEXT PRIMARY KEY, description TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE model_version (
            model TEXT NOT NULL REFERENCES model(name), version INTEGER NOT NULL, sha TEXT NOT NULL, stage TEXT NOT NULL,
            task TEXT NOT NULL, metrics TEXT NOT NULL, run_id TEXT NOT NULL, snapshots TEXT NOT NULL,
            pipeline TEXT NOT NULL, pipeline_run TEXT NOT NULL, git_commit TEXT NOT NULL, signature TEXT NOT NULL,
            environment TEXT NOT NULL, tags TEXT NOT NULL, description TEXT NOT NULL, size INTEGER NOT NULL,
            created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
            PRIMARY KEY (model, version)
        ) STRICT"""
    )
    db.execute("CREATE INDEX model_version_by_run ON model_version(run_id)")
    # One version per model and pipeline run: a step that is run again finds what it registered.
    db.execute(
        "CREATE UNIQUE INDEX model_version_by_pipeline_run ON model_version(model, pipeline_run) WHERE pipeline_run <> ''"
    )
    db.execute(
        """CREATE TABLE model_alias (
            model TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            PRIMARY KEY (model, alias), FOREIGN KEY (model, version) REFERENCES model_version(model, version)
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE model_promotion (
            id INTEGER PRIMARY KEY, model TEXT NOT NULL, alias TEXT NOT NULL, from_version INTEGER, to_version INTEGER,
            verb TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX model_promotion_by_alias ON model_promotion(model, alias, id)")


def m002_numbers(db: sqlite_utils.Database) -> None:
    """The highest number a model ever gave: that of a removed version is not given again."""
    db.execute("CREATE TABLE model_number (model TEXT PRIMARY KEY, highest INTEGER NOT NULL) STRICT")


def m003_remote(db: sqlite_utils.Database) -> None:
    """What clients over HTTP keep beside models and versions: see `remote_store.py`."""
    db.execute(
        """CREATE TABLE model_tag (
            model TEXT NOT NULL REFERENCES model(name) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (model, key)) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE model_origin (
            model TEXT NOT NULL, version INTEGER NOT NULL, source TEXT NOT NULL, logged_model TEXT NOT NULL,
            link TEXT NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (model, version),
            FOREIGN KEY (model, version) REFERENCES model_version(model, version) ON DELETE CASCADE) STRICT"""
    )


STEPS = [m001_registry, m002_numbers, m003_remote, m004_governance, m005_engines]


class RegistryStore:
    """Rows and records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("registry", STEPS)

    # -- reading

    def models(self) -> list[Model]:
        rows = self._db.read(
            """SELECT m.*, count(v.version) AS versions, coalesce(max(v.version), 0) AS latest_version,
                      max(CASE WHEN v.stage = 'Production' THEN v.version END) AS production
               FROM model m LEFT JOIN model_version v ON v.model = m.name GROUP BY m.name ORDER BY m.name"""
        )
        aliases = self._aliases_by_model()
        return [Model(**dict(row), aliases=aliases.get(row["name"], {})) for row in rows]

    def versions(self, model: str) -> list[Version]:
        rows = self._db.read("SELECT * FROM model_version WHERE model = ? ORDER BY version DESC", (model,))
        names = self._names_by_version(model)
        return [_version(row, names.get(row["version"], [])) for row in rows]

    def find(self, model: str, version: int) -> Version | None:
        row = self._db.one("SELECT * FROM model_version WHERE model = ? AND version = ?", (model, version))
        return _version(row, self._names_by_version(model).get(version, [])) if row else None

    def find_by_pipeline_run(self, model: str, pipeline_run: str) -> Version | None:
        sql = "SELECT version FROM model_version WHERE model = ? AND pipeline_run = ?"
        number = self._db.value(sql, (model, pipeline_run))
        return None if number is None else self.find(model, int(number))

    def by_run(self, run_id: str) -> list[Version]:
        rows = self._db.read(
            "SELECT model, version FROM model_version WHERE run_id = ? ORDER BY model, version", (run_id,)
        )
        found = [self.find(row["model"], row["version"]) for row in rows]
        return [version for version in found if version is not None]

    def latest(self, model: str) -> int | None:
        number = self._db.value("SELECT max(version) FROM model_version WHERE model = ?", (model,))
        return None if number is None else int(number)

    def next_number(self, model: str) -> int:
        """The number of the next version: one more than any that was ever given."""
        kept = self._db.value("SELECT highest FROM model_number WHERE model = ?", (model,))
        return max(self.latest(model) or 0, int(kept or 0)) + 1

    def in_stage(self, model: str, stage: Stage) -> list[int]:
        sql = "SELECT version FROM model_version WHERE model = ? AND stage = ? ORDER BY version"
        return [int(row["version"]) for row in self._db.read(sql, (model, stage))]

    def has_model(self, model: str) -> bool:
        return self._db.value("SELECT 1 FROM model WHERE name = ?", (model,)) is not None

    def alias(self, model: str, alias: str) -> int | None:
        number = self._db.value("SELECT version FROM model_alias WHERE model = ? AND alias = ?", (model, alias))
        return None if number is None else int(number)

    def promotions(self, model: str, alias: str | None = None) -> list[Promotion]:
        """Oldest first."""
        rows = self._db.read(
            "SELECT * FROM model_promotion WHERE model = ? AND (? IS NULL OR alias = ?) ORDER BY id",
            (model, alias, alias),
        )
        return [Promotion(**dict(row)) for row in rows]

    def _aliases_by_model(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for row in self._db.read("SELECT model, alias, version FROM model_alias ORDER BY alias"):
            found.setdefault(row["model"], {})[row["alias"]] = row["version"]
        return found

    def _names_by_version(self, model: str) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for row in self._db.read("SELECT alias, version FROM model_alias WHERE model = ? ORDER BY alias", (model,)):
            found.setdefault(row["version"], []).append(row["alias"])
        return found

    # -- changing

    def add_model(self, tx: sqlite3.Connection, name: str, description: str, at: int, by: str) -> None:
        tx.execute("INSERT INTO model VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (name, description, at, by, at))

    def add_version(self, tx: sqlite3.Connection, version: Version) -> None:
        tx.execute(
            "INSERT INTO model_version VALUES (" + ", ".join("?" * 18) + ")",
            (
                version.model,
                version.version,
                version.sha,
                version.stage,
                version.task,
                json.dumps(version.metrics),
                version.run_id,
                json.dumps(version.snapshots),
                version.pipeline,
                version.pipeline_run,
                version.git_commit,
                json.dumps(version.signature),
                json.dumps(version.environment),
                json.dumps(version.tags),
                version.description,
                version.size,
                version.created_at,
                version.created_by,
            ),
        )
        self.touch(tx, version.model, version.created_at)

    def keep_number(self, tx: sqlite3.Connection, model: str) -> None:
        """Remember the highest number, before versions are removed."""
        tx.execute("INSERT OR REPLACE INTO model_number VALUES (?, ?)", (model, self.next_number(model) - 1))

    def touch(self, tx: sqlite3.Connection, model: str, at: int) -> None:
        tx.execute("UPDATE model SET updated_at = ? WHERE name = ?", (at, model))

    def set_stage(self, tx: sqlite3.Connection, model: str, version: int, stage: Stage) -> None:
        tx.execute("UPDATE model_version SET stage = ? WHERE model = ? AND version = ?", (stage, model, version))

    def describe(self, tx: sqlite3.Connection, model: str, version: int, text: str) -> None:
        tx.execute("UPDATE model_version SET description = ? WHERE model = ? AND version = ?", (text, model, version))

    def set_alias(self, tx: sqlite3.Connection, model: str, alias: str, version: int, at: int) -> None:
        tx.execute(
            """INSERT INTO model_alias VALUES (?, ?, ?, ?)
               ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at""",
            (model, alias, version, at),
        )

    def remove_alias(self, tx: sqlite3.Connection, model: str, alias: str) -> None:
        tx.execute("DELETE FROM model_alias WHERE model = ? AND alias = ?", (model, alias))

    def add_promotion(self, tx: sqlite3.Connection, move: Promotion) -> None:
        tx.execute(
            """INSERT INTO model_promotion (model, alias, from_version, to_version, verb, at, by, why)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (move.model, move.alias, move.from_version, move.to_version, move.verb, move.at, move.by, move.why),
        )


def _version(row: sqlite3.Row, aliases: list[str]) -> Version:
    fields: dict[str, Any] = dict(row)
    for name in ("metrics", "snapshots", "signature", "environment", "tags"):
        fields[name] = json.loads(fields[name])
    return Version(**{**fields, "stage": Stage(fields["stage"]), "aliases": aliases})
