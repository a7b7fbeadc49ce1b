"""What clients over HTTP keep beside models and versions: tags of models, where a version came from, numbers once used."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core.conditions import PRESENCE, Condition, Order, all_of, compared
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.core.context import Context

PROMPT_TAG = "mlflow.prompt.is_prompt"
MODEL_COLUMNS = {
    "name": "m.name",
    "timestamp": "m.updated_at",
    "creation_timestamp": "m.created_at",
    "last_updated_timestamp": "m.updated_at",
}
VERSION_COLUMNS = {
    "name": "v.model",
    "run_id": "v.run_id",
    "source_path": "coalesce(o.source, '')",
    "version_number": "v.version",
    "creation_timestamp": "v.created_at",
    "last_updated_timestamp": "coalesce(o.updated_at, v.created_at)",
}


class RemoteStore:
    """Rows; methods with `tx` belong inside a `write()` of the catalog."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def model_tags(self, model: str) -> dict[str, str]:
        rows = self._db.read("SELECT key, value FROM model_tag WHERE model = ? ORDER BY key", (model,))
        return {row["key"]: row["value"] for row in rows}

    def origin(self, model: str, version: int) -> sqlite3.Row | None:
        """source, logged_model, link, updated_at of a version; None for one that came another way."""
        return self._db.one("SELECT * FROM model_origin WHERE model = ? AND version = ?", (model, version))

    def set_model_tags(self, tx: sqlite3.Connection, model: str, tags: Mapping[str, str]) -> None:
        tx.executemany(
            "INSERT INTO model_tag VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(model, key, value) for key, value in tags.items()],
        )

    def remove_model_tag(self, tx: sqlite3.Connection, model: str, key: str) -> bool:
        return bool(tx.execute("DELETE FROM model_tag WHERE model = ? AND key = ?", (model, key)).rowcount)

    def describe_model(self, tx: sqlite3.Connection, model: str, text: str) -> None:
        tx.execute("UPDATE model SET description = ? WHERE name = ?", (text, model))

    def describe_version(self, tx: sqlite3.Connection, model: str, version: int, text: str) -> None:
        tx.execute("UPDATE model_version SET description = ? WHERE model = ? AND version = ?", (text, model, version))

    def set_version_tags(self, tx: sqlite3.Connection, model: str, version: int, tags: Mapping[str, str]) -> None:
        """Replace all tags of a version."""
        tx.execute(
            "UPDATE model_version SET tags = ? WHERE model = ? AND version = ?",
            (json.dumps(dict(tags)), model, version),
        )

    def set_origin(
        self, tx: sqlite3.Connection, model: str, version: int, origin: tuple[str, str, str], at: int
    ) -> None:
        """`origin`: source, id of the logged model, link."""
        tx.execute("INSERT OR REPLACE INTO model_origin VALUES (?, ?, ?, ?, ?, ?)", (model, version, *origin, at))

    def touch(self, tx: sqlite3.Connection, model: str, version: int, at: int) -> None:
        tx.execute("UPDATE model_origin SET updated_at = ? WHERE model = ? AND version = ?", (at, model, version))

    def rename(self, tx: sqlite3.Connection, old: str, new: str) -> None:
        tx.execute("PRAGMA defer_foreign_keys=ON")
        tx.execute("UPDATE model SET name = ? WHERE name = ?", (new, old))
        for table in ("model_version", "model_alias", "model_promotion", "model_tag", "model_origin", "model_number"):
            tx.execute(f"UPDATE {table} SET model = ? WHERE model = ?", (new, old))

    def remove_version(self, tx: sqlite3.Connection, model: str, version: int) -> None:
        tx.execute("DELETE FROM model_alias WHERE model = ? AND version = ?", (model, version))
        tx.execute("DELETE FROM model_version WHERE model = ? AND version = ?", (model, version))

    def remove_model(self, tx: sqlite3.Connection, model: str) -> None:
        for table in ("model_alias", "model_origin", "model_version", "model_tag", "model_number"):
            tx.execute(f"DELETE FROM {table} WHERE model = ?", (model,))
        tx.execute("DELETE FROM model WHERE name = ?", (model,))

    def find_models(
        self, conditions: Sequence[Condition], orders: Sequence[Order], limit: int, offset: int
    ) -> list[str]:
        where, values = all_of([_model_condition(condition) for condition in conditions])
        by = [_direction(MODEL_COLUMNS, order) for order in orders]
        rows = self._db.read(
            f"SELECT m.name FROM model m WHERE {where} ORDER BY {', '.join([*by, 'm.name'])} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [row["name"] for row in rows]

    def find_versions(
        self, conditions: Sequence[Condition], orders: Sequence[Order], limit: int, offset: int
    ) -> list[tuple[str, int]]:
        where, values = all_of([_version_condition(condition) for condition in conditions])
        by = [_direction(VERSION_COLUMNS, order) for order in orders]
        rows = self._db.read(
            f"""SELECT v.model, v.version FROM model_version v
            LEFT JOIN model_origin o ON o.model = v.model AND o.version = v.version
            WHERE {where} ORDER BY {", ".join([*by, "v.model", "v.version DESC"])} LIMIT ? OFFSET ?""",
            (*values, limit, offset),
        )
        return [(row["model"], row["version"]) for row in rows]


def _model_condition(condition: Condition) -> tuple[str, list[Any]]:
    if condition.entity == "attribute":
        return compared(MODEL_COLUMNS[condition.key], condition)
    tag = "SELECT 1 FROM model_tag t WHERE t.model = m.name AND t.key = ?"
    text, values = compared("t.value", condition) if condition.op not in PRESENCE else ("1", [])
    found = f"EXISTS ({tag} AND {text})"
    if condition.op == "IS NULL":
        found = f"NOT {found}"
    if condition.key == PROMPT_TAG and condition.op == "!=":
        # Clients put this behind every filter to leave out prompts: a model without the tag is none.
        return f"({found} OR NOT EXISTS ({tag}))", [condition.key, *values, condition.key]
    return found, [condition.key, *values]


def _version_condition(condition: Condition) -> tuple[str, list[Any]]:
    if condition.entity == "attribute":
        return compared(VERSION_COLUMNS[condition.key], condition)
    column = "(SELECT t.value FROM json_each(v.tags) t WHERE t.key = ?)"
    text, values = compared(column, condition)
    if condition.key == PROMPT_TAG and condition.op == "!=":
        return f"({text} OR {column} IS NULL)", [condition.key, *values, condition.key]
    return text, [condition.key, *values]


def _direction(columns: Mapping[str, str], order: Order) -> str:
    if order.entity != "attribute" or order.key not in columns:
        raise InvalidInput(f"Cannot order by {order.key[:80]!r}.", hint="Order by " + ", ".join(columns) + ".")
    return f"{columns[order.key]} {'ASC' if order.ascending else 'DESC'}"
