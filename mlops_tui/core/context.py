"""What a room is given: the workspace, its settings, three databases, the lake, the artifacts, an actor and a clock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.db import Database
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.workspace import Workspace

if TYPE_CHECKING:
    from mlops_tui.core.artifacts import Artifacts
    from mlops_tui.core.lake import Lake
    from mlops_tui.core.settings import Settings


class Context:
    """One thread's view of a workspace. Nothing is read, opened or imported before it is used."""

    def __init__(self, workspace: Workspace, *, actor: str, now: Callable[[], int] = clock.now_ms) -> None:
        """Lay out the handles. Raises Unavailable when the workspace folder is gone."""
        if not workspace.root.is_dir():
            raise Unavailable(f"The workspace {workspace.root} is gone.", hint="Make one: mlops init")
        self.workspace = workspace
        self.actor = actor
        self.now = now
        self.catalog = Database(workspace.catalog_db, durability="full")
        self.metrics = Database(workspace.metrics_db, durability="normal")
        self.telemetry = Database(workspace.telemetry_db, durability="normal")
        self._reader: tuple[int, sqlite3.Connection] | None = None
        self._closers: list[Callable[[], None]] = []

    @cached_property
    def settings(self) -> Settings:
        """The settings as they were when first asked for. Raises InvalidInput with every mistake of the file."""
        from mlops_tui.core import settings  # msgspec and tomllib: 20 ms that most list commands can do without

        return settings.load(self.workspace.settings_file)

    @cached_property
    def lake(self) -> Lake:
        from mlops_tui.core.lake import Lake

        return Lake(self.workspace, self.settings.lake)

    @cached_property
    def artifacts(self) -> Artifacts:
        from mlops_tui.core.artifacts import Artifacts

        return Artifacts(self.workspace.artifacts)

    def across(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Read with all three databases in view: main is the catalog, `metrics` and `telemetry` are attached."""
        if self._reader is None or self._reader[0] != os.getpid():
            # A connection of its own: BEGIN IMMEDIATE on one with attachments would lock all three files.
            for database in (self.catalog, self.metrics, self.telemetry):
                database.data_version()  # makes sure the file exists in WAL mode
            connection = sqlite3.connect(
                self.workspace.catalog_db.as_uri(), uri=True, isolation_level=None, timeout=30.0
            )
            connection.row_factory = sqlite3.Row
            connection.execute("ATTACH ? AS metrics", (self.workspace.metrics_db.as_uri(),))
            connection.execute("ATTACH ? AS telemetry", (self.workspace.telemetry_db.as_uri(),))
            connection.execute("PRAGMA query_only=ON")
            self._reader = (os.getpid(), connection)
        return self._reader[1].execute(sql, params).fetchall()

    def sqlite_note(self) -> str:
        """SQLite's version, with what is known to be wrong with it."""
        sound = sqlite3.sqlite_version_info >= (3, 51, 3)
        return sqlite3.sqlite_version + ("" if sound else " (has the WAL-reset bug; our write lock keeps it away)")

    def on_close(self, closer: Callable[[], None]) -> None:
        """Call `closer` when this context is closed: for what a room opens besides the three databases."""
        self._closers.append(closer)

    def close(self) -> None:
        for closer in self._closers:
            closer()
        for database in (self.catalog, self.metrics, self.telemetry):
            database.close()
        if self._reader is not None and self._reader[0] == os.getpid():
            self._reader[1].close()
        self._reader = None
