"""Where the registry keeps which engine a person forced on a version: catalog table model_engine."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context


def m005_engines(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE model_engine (
            model TEXT NOT NULL, version INTEGER NOT NULL, engine TEXT NOT NULL, PRIMARY KEY (model, version),
            FOREIGN KEY (model, version) REFERENCES model_version(model, version) ON DELETE CASCADE) STRICT"""
    )


class EngineStore:
    """Rows of forced engines; a version without one is served with the engine of its trial."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def find(self, model: str, version: int) -> str | None:
        found = self._db.value("SELECT engine FROM model_engine WHERE model = ? AND version = ?", (model, version))
        return None if found is None else str(found)

    def put(self, tx: sqlite3.Connection, model: str, version: int, engine: str | None) -> None:
        """Force an engine, or with None leave it to the trial again."""
        tx.execute("DELETE FROM model_engine WHERE model = ? AND version = ?", (model, version))
        if engine is not None:
            tx.execute("INSERT INTO model_engine VALUES (?, ?, ?)", (model, version, engine))
