"""Aggregates, transformations and what they made, as rows of the catalog."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.domains.features.derived_records import Aggregate, Input, Made, Transform
from mlops_tui.domains.features.records import Snapshot, Table


class DerivedStore:
    """Rows as records. Methods that take `tx` run inside the caller's `write()`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    # -- aggregates --------------------------------------------------------------------------------------------------

    def add_aggregate(self, tx: sqlite3.Connection, table: Table, one: Aggregate) -> None:
        tx.execute(
            "INSERT INTO feature_aggregate VALUES (?, ?, ?, ?, ?, ?)",
            (table.id, one.name, one.function, one.column, one.window, int(one.corrected)),
        )

    def remove_aggregate(self, tx: sqlite3.Connection, table: Table, name: str) -> None:
        tx.execute("DELETE FROM feature_aggregate WHERE table_id = ? AND name = ?", (table.id, name))

    def aggregates(self, table: Table) -> dict[str, Aggregate]:
        """The aggregates of a table by name, in the order they were declared."""
        rows = self._db.read("SELECT * FROM feature_aggregate WHERE table_id = ? ORDER BY rowid", (table.id,))
        return {
            row["name"]: Aggregate(row["name"], row["function"], row["column"], row["window"], bool(row["corrected"]))
            for row in rows
        }

    # -- transformations ---------------------------------------------------------------------------------------------

    def add(self, tx: sqlite3.Connection, table: Table | None, one: Transform) -> None:
        body = {name: getattr(one, name) for name in ("body", "inputs", "request", "outputs", "mode", "source")}
        body["fields"] = [dataclasses.asdict(field) for field in one.fields]
        tx.execute(
            "INSERT INTO feature_transform VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                one.name,
                one.version,
                table.id if table else None,
                one.kind,
                int(one.on_demand),
                json.dumps(body),
                one.code_hash,
                one.author,
                one.created_at,
            ),
        )

    def remove(self, tx: sqlite3.Connection, name: str) -> None:
        tx.execute("DELETE FROM feature_transform WHERE name = ?", (name,))

    def get(self, name: str, version: int | None = None) -> Transform | None:
        """One version of a transformation, or the newest."""
        where, params = ("AND version = ?", (name, version)) if version is not None else ("", (name,))
        row = self._db.one(
            f"SELECT * FROM feature_transform WHERE name = ? {where} ORDER BY version DESC LIMIT 1", params
        )
        return _transform(row) if row else None

    def versions(self, name: str) -> list[Transform]:
        """Newest first."""
        rows = self._db.read("SELECT * FROM feature_transform WHERE name = ? ORDER BY version DESC", (name,))
        return [_transform(row) for row in rows]

    def find(self) -> list[Transform]:
        """The newest version of each, by name."""
        rows = self._db.read(
            "SELECT * FROM feature_transform t WHERE version ="
            " (SELECT max(version) FROM feature_transform WHERE name = t.name) ORDER BY name"
        )
        return [_transform(row) for row in rows]

    # -- what they made ----------------------------------------------------------------------------------------------

    def add_made(self, tx: sqlite3.Connection, table: Table, snapshot: Snapshot, made: Made) -> None:
        tx.execute(
            "INSERT INTO feature_made VALUES (?, ?, ?, ?, ?)",
            (table.id, snapshot.version, made.transform_version, made.code_hash, json.dumps(made.inputs)),
        )

    def made(self, table: Table) -> list[Made]:
        """What transformations made of this table, newest version first."""
        rows = self._db.read("SELECT * FROM feature_made WHERE table_id = ? ORDER BY version DESC", (table.id,))
        return [
            Made(table.name, row["version"], row["transform"], row["code_hash"], tuple(json.loads(row["inputs"])))
            for row in rows
        ]


def _transform(row: sqlite3.Row) -> Transform:
    body: dict[str, Any] = json.loads(row["body"])
    body["inputs"] = tuple(body["inputs"])
    body["fields"] = tuple(Input(**field) for field in body["fields"])
    return Transform(
        name=row["name"],
        version=row["version"],
        kind=row["kind"],
        on_demand=bool(row["on_demand"]),
        author=row["author"],
        created_at=row["created_at"],
        **body,
    )
