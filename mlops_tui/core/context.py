"""What a room is given: the workspace, its settings, the three databases, the lake, the artifacts, an actor and a clock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_tui.core import clock, settings
from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.db import Database
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.lake import Lake
from mlops_tui.core.workspace import Workspace


@dataclass
class Context:
    """One thread's view of a workspace. Nothing is opened before it is used."""

    workspace: Workspace
    settings: settings.Settings
    catalog: Database
    metrics: Database
    telemetry: Database
    lake: Lake
    artifacts: Artifacts
    actor: str
    now: Callable[[], int]
    _reader: tuple[int, sqlite3.Connection] | None = field(default=None, repr=False)

    @classmethod
    def open(cls, workspace: Workspace, *, actor: str, now: Callable[[], int] = clock.now_ms) -> Context:
        """Read the settings and lay out the handles.

        Raises Unavailable when the folder is gone, InvalidInput for bad settings.
        """
        if not workspace.root.is_dir():
            raise Unavailable(f"The workspace {workspace.root} is gone.", hint="Make one: mlops init")
        chosen = settings.load(workspace.settings_file)
        return cls(
            workspace=workspace,
            settings=chosen,
            catalog=Database(workspace.catalog_db, durability="full"),
            metrics=Database(workspace.metrics_db, durability="normal"),
            telemetry=Database(workspace.telemetry_db, durability="normal"),
            lake=Lake(workspace, chosen.lake),
            artifacts=Artifacts(workspace.artifacts),
            actor=actor,
            now=now,
        )

    def across(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Read with all three databases in view: main is the catalog, `metrics` and `telemetry` are attached."""
        if self._reader is None or self._reader[0] != os.getpid():
            # A connection of its own: BEGIN IMMEDIATE on one with attachments would lock all three files.
            for database in (self.catalog, self.metrics, self.telemetry):
                database.data_version()  # makes sure the file exists in WAL mode
            connection = sqlite3.connect(_uri(self.workspace.catalog_db), uri=True, isolation_level=None, timeout=30.0)
            connection.row_factory = sqlite3.Row
            connection.execute("ATTACH ? AS metrics", (_uri(self.workspace.metrics_db),))
            connection.execute("ATTACH ? AS telemetry", (_uri(self.workspace.telemetry_db),))
            connection.execute("PRAGMA query_only=ON")
            self._reader = (os.getpid(), connection)
        return self._reader[1].execute(sql, params).fetchall()

    def close(self) -> None:
        for database in (self.catalog, self.metrics, self.telemetry):
            database.close()
        if self._reader is not None and self._reader[0] == os.getpid():
            self._reader[1].close()
        self._reader = None


def _uri(path: Path) -> str:
    return path.as_uri()
