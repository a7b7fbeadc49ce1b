"""Experiments by number: made, renamed, tagged, deleted and brought back, found by conditions."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from mlops_tui.core.conditions import PRESENCE, Condition, Order, all_of, compared
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.records import MAX_KEY, MAX_TAG
from mlops_tui.domains.experiments.remote_records import DEFAULT_ID, DEFAULT_NAME, RemoteExperiment
from mlops_tui.domains.experiments.store import ExperimentsStore

MAX_NAME = 500
COLUMNS = {
    "name": "e.name",
    "experiment_id": "e.id",
    "creation_time": "e.created_at",
    "last_update_time": "coalesce(e.changed_at, e.created_at)",
}
VIEWS = {"ACTIVE_ONLY": "{}.deleted_at IS NULL", "DELETED_ONLY": "{}.deleted_at IS NOT NULL", "ALL": "1"}


class RemoteExperiments:
    """Names are any printable text of up to 500 characters; number 0 is made when it is first asked for."""

    def __init__(self, context: Context, audit: Audit, store: ExperimentsStore) -> None:
        self._context = context
        self._store = store
        self._db = context.catalog
        self._audit = audit

    def create(self, name: str, tags: Mapping[str, str]) -> int:
        """Its number. Raises AlreadyExists, also for the name of a deleted one, and InvalidInput."""
        check_label("experiment", name, MAX_NAME)
        check_texts("tag", tags, MAX_TAG)
        with self._db.write() as tx:
            self._check_free(name)
            row = tx.execute(
                "INSERT INTO experiment(name, created_at, created_by, changed_at) VALUES (?, ?, ?, ?) RETURNING id",
                (name, self._context.now(), self._context.actor, self._context.now()),
            ).fetchone()
            self._put_tags(tx, row[0], tags)
            self._audit.note(tx, "create", "experiment", name)
        return int(row[0])

    def get(self, number: int) -> RemoteExperiment:
        """Raises NotFound."""
        found = self._read("e.id = ?", [number])
        if not found and number == DEFAULT_ID:
            self._make_default()
            found = self._read("e.id = ?", [number])
        if not found:
            raise NotFound(f"There is no experiment {number}.")
        return found[0]

    def named(self, name: str) -> RemoteExperiment:
        """Raises NotFound."""
        if name == DEFAULT_NAME:
            self._make_default()
        found = self._read("e.name = ?", [name])
        if not found:
            raise NotFound(f"There is no experiment '{name}'.", hint="List them: mlops experiments list")
        return found[0]

    def search(
        self, conditions: Sequence[Condition], orders: Sequence[Order], view: str, limit: int, offset: int
    ) -> list[RemoteExperiment]:
        """Experiments that meet all conditions; without an order the newest first."""
        parts = [_condition(condition) for condition in conditions]
        where, values = all_of([(VIEWS[view].format("e"), []), *parts])
        by = [f"{COLUMNS[order.key]} {'ASC' if order.ascending else 'DESC'}" for order in orders]
        by += ["e.created_at DESC"] if not by else []
        self._make_default()
        return self._read(where, values, f"ORDER BY {', '.join(by)}, e.id ASC LIMIT {limit:d} OFFSET {offset:d}")

    def rename(self, number: int, name: str) -> None:
        """Raises NotFound, AlreadyExists, InvalidInput."""
        check_label("experiment", name, MAX_NAME)
        old = self.active(number)
        with self._db.write() as tx:
            if name != old.name:
                self._check_free(name)
            tx.execute(
                "UPDATE experiment SET name = ?, changed_at = ? WHERE id = ?", (name, self._context.now(), number)
            )
            self._audit.note(tx, "rename", "experiment", name, before={"name": old.name}, after={"name": name})

    def delete(self, number: int) -> None:
        """Hide an experiment with all its runs; its name stays taken. Raises NotFound, InvalidInput for the default one."""
        if number == DEFAULT_ID:
            raise InvalidInput("The default experiment cannot be deleted.")
        old = self.active(number)
        with self._db.write() as tx:
            self._store.hide_experiment(tx, old.name, self._context.now())
            self._audit.note(tx, "delete", "experiment", old.name)

    def restore(self, number: int) -> None:
        """Bring a deleted experiment back with the runs that went with it. Raises NotFound, InvalidInput."""
        old = self.get(number)
        if not old.deleted:
            raise InvalidInput(f"Experiment {number} is not deleted.")
        with self._db.write() as tx:
            self._store.show_experiment(tx, old.name, self._context.now())
            self._audit.note(tx, "restore", "experiment", old.name)

    def tag(self, number: int, key: str, value: str | None) -> None:
        """Set a tag, or remove it with None. Raises NotFound (also for a tag that is not there), InvalidInput."""
        old = self.active(number)
        check_texts("tag", {key: value or ""}, MAX_TAG)
        if value is None and key not in old.tags:
            raise NotFound(f"Experiment {number} has no tag '{key}'.")
        with self._db.write() as tx:
            if value is None:
                tx.execute("DELETE FROM experiment_tag WHERE experiment = ? AND key = ?", (number, key))
            else:
                self._put_tags(tx, number, {key: value})
            tx.execute("UPDATE experiment SET changed_at = ? WHERE id = ?", (self._context.now(), number))
            self._audit.note(tx, "tag", "experiment", old.name, before={key: old.tags.get(key)}, after={key: value})

    def active(self, number: int) -> RemoteExperiment:
        """Like `get`, but InvalidInput for a deleted one."""
        found = self.get(number)
        if found.deleted:
            raise InvalidInput(f"The experiment {number} must be in the 'active' state. It is deleted.")
        return found

    def _make_default(self) -> None:
        if self._db.value("SELECT 1 FROM experiment WHERE id = ?", (DEFAULT_ID,)) is None:
            with self._db.write() as tx:
                tx.execute(
                    "INSERT INTO experiment(id, name, created_at, created_by) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (DEFAULT_ID, DEFAULT_NAME, self._context.now(), self._context.actor),
                )

    def _check_free(self, name: str) -> None:
        if self._db.value("SELECT 1 FROM experiment WHERE name = ?", (name,)) is not None:
            raise AlreadyExists(f"There is an experiment '{name}' already, maybe a deleted one.")

    def _put_tags(self, tx: sqlite3.Connection, number: int, tags: Mapping[str, str]) -> None:
        tx.executemany(
            "INSERT INTO experiment_tag VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(number, key, value) for key, value in tags.items()],
        )

    def _read(self, where: str, values: Sequence[str | float], order: str = "") -> list[RemoteExperiment]:
        rows = self._db.read(
            f"SELECT e.id, e.name, e.created_at, coalesce(e.changed_at, e.created_at) AS changed_at, e.deleted_at"
            f" FROM experiment e WHERE {where} {order}",
            values,
        )
        tags: dict[int, dict[str, str]] = {}
        chosen = [row["id"] for row in rows]
        if len(chosen) == 1:
            tag_rows = self._db.read("SELECT experiment, key, value FROM experiment_tag WHERE experiment = ?", chosen)
        else:
            tag_rows = self._db.read("SELECT experiment, key, value FROM experiment_tag") if chosen else []
        for number, key, value in map(tuple, tag_rows):
            tags.setdefault(number, {})[key] = value
        return [
            RemoteExperiment(
                row["id"],
                row["name"],
                row["created_at"],
                row["changed_at"],
                row["deleted_at"] is not None,
                tags.get(row["id"], {}),
            )
            for row in rows
        ]


def _condition(condition: Condition) -> tuple[str, list[str | float]]:
    if condition.entity == "attribute":
        return compared(COLUMNS[condition.key], condition)
    within = "EXISTS (SELECT 1 FROM experiment_tag t WHERE t.experiment = e.id AND t.key = ?{})"
    if condition.op in PRESENCE:
        text = within.format("")
        return (f"NOT {text}" if condition.op == "IS NULL" else text), [condition.key]
    text, values = compared("t.value", condition)
    return within.format(f" AND {text}"), [condition.key, *values]


def check_label(kind: str, name: str, limit: int) -> None:
    """InvalidInput unless `name` is printable text of 1 to `limit` characters."""
    if not name.strip() or len(name) > limit or not name.isprintable():
        shown = name if len(name) <= 60 else name[:57] + "..."
        raise InvalidInput(f"{shown!r} cannot name a {kind}: use 1 to {limit} printable characters.")


def check_texts(kind: str, values: Mapping[str, str], limit: int) -> None:
    """InvalidInput for a key that cannot be one, or a value longer than `limit`.

    A key must survive as a path, since other tools make file names of them: no `..`, no slash at its begin.
    """
    for key, value in values.items():
        check_label(kind, key, MAX_KEY)
        parts = key.split("/")
        if ".." in parts or "." in parts or "" in parts:
            raise InvalidInput(
                f"{key[:80]!r} cannot name a {kind}: no empty parts, no '.' and no '..' between slashes."
            )
        if len(value) > limit:
            raise InvalidInput(f"The {kind} '{key[:80]}' has {len(value)} characters; at most {limit} are kept.")
