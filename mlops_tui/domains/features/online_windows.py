"""Bringing the rows of windows online: by version delta like the newest values, pushed rows at once, none twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import Unavailable
from mlops_tui.domains.features.derived_store import DerivedStore
from mlops_tui.domains.features.looking import online_value
from mlops_tui.domains.features.online_store import Layout, OnlineStore
from mlops_tui.domains.features.records import TIMESTAMP, Snapshot, Table, quote
from mlops_tui.domains.features.snapshots import Snapshots
from mlops_tui.domains.features.store import FeatureStore
from mlops_tui.domains.features.window_store import EARLY, WindowLayout

# A version of one of these kinds may take rows away, which no delta of added files can tell.
_TAKING_AWAY = ("replace", "restore")


@dataclass(frozen=True)
class Plan:
    """What a materialisation does to the rows of one table's windows."""

    before: WindowLayout | None
    after: WindowLayout | None  # None: the table has no aggregates any more
    rows: list[tuple[Any, ...]]
    oldest_us: int


class OnlineWindows:
    """The rows of windows of one workspace."""

    def __init__(
        self, context: Context, store: FeatureStore, snapshots: Snapshots, derived: DerivedStore, online: OnlineStore
    ) -> None:
        self._context = context
        self._store = store
        self._snapshots = snapshots
        self._derived = derived
        self._online = online

    def plan(self, table: Table, snapshot: Snapshot, *, full: bool) -> Plan | None:
        """Read what is new in the lake; None when the table has no windows."""
        before = self._online.windows.get(table.id)
        declared = tuple(self._derived.aggregates(table).values())
        usable = tuple(one for one in declared if not one.column or one.column in snapshot.columns)
        if not usable:
            return Plan(before, None, [], 0) if before else None
        needed = dict.fromkeys([*table.keys, *(one.column for one in usable if one.column)])
        span = max(one.window for one in usable)
        generation = 1 if before is None else before.generation + 1
        columns = {name: snapshot.columns[name] for name in needed}
        fresh = WindowLayout(table.id, generation, snapshot.version, span, columns, usable)
        after = before if before is not None and not full and self._continues(table, snapshot, before, fresh) else fresh
        oldest = (self._context.now() - span) * 1000
        since = after.version if after is before else 0
        return Plan(before, after, self._read(table, snapshot, after, since, oldest), oldest)

    def write(self, tx: sqlite3.Connection, table: Table, snapshot: Snapshot, layout: Layout, plan: Plan) -> None:
        """Do it. Raises Unavailable when another process was faster, or has flushed pushes that the snapshot lacks."""
        windows = self._online.windows
        before, after = plan.before, plan.after
        if windows.get(table.id) != before or (
            before and before is not after and windows.waits(before, snapshot.version)
        ):
            raise Unavailable(f"'{table.name}' was brought online by another process meanwhile.", hint="Try again.")
        for batch in self._online.batches(table):
            seen = self._store.version_of_batch(table, batch)
            if before is not None and seen is not None and seen.version <= snapshot.version:
                windows.land(tx, table.id, batch, seen.version)
        if before is not None and before is not after:
            windows.remove(tx, before)
        if after is None:
            return
        if before is not after:
            windows.make(tx, after, table.keys)
            self.push(tx, layout, self._unsettled(table, snapshot))
        windows.put(tx, after, plan.rows)
        windows.advance(tx, after, snapshot.version, plan.oldest_us)

    def push(self, tx: sqlite3.Connection, layout: Layout, pushed: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """Add pushed rows (the number of the push, the row), if the table has windows."""
        windows = self._online.windows.get(layout.table_id)
        if windows is None or layout.time is None:
            return
        rows = []
        for number, row in pushed:
            values = [online_value(layout, name, row.get(name)) for name in windows.columns]
            created = online_value(layout, layout.created, row.get(layout.created)) if layout.created else None
            event = online_value(layout, layout.time, row[layout.time])
            rows.append((*values, event, EARLY if created is None else created, -number))
        self._online.windows.put(tx, windows, rows)

    def _unsettled(self, table: Table, snapshot: Snapshot) -> list[tuple[int, dict[str, Any]]]:
        """Pushed rows that the snapshot has not got."""
        found = []
        for number, batch, row in self._online.pushes(table):
            seen = self._store.version_of_batch(table, batch) if batch else None
            if seen is None or seen.version > snapshot.version:
                found.append((number, row))
        return found

    def _continues(self, table: Table, snapshot: Snapshot, before: WindowLayout, fresh: WindowLayout) -> bool:
        same = (before.columns, before.aggregates, before.span) == (fresh.columns, fresh.aggregates, fresh.span)
        since = [one for one in self._store.versions(table) if before.version < one.version <= snapshot.version]
        return same and not any(one.kind in _TAKING_AWAY for one in since)

    def _read(
        self, table: Table, snapshot: Snapshot, layout: WindowLayout, since: int, oldest_us: int
    ) -> list[tuple[Any, ...]]:
        from mlops_tui.domains.features import offline

        known = {file.path for file in self._store.files(table, since)} if since else set()
        files = [file for file in self._store.files(table, snapshot.version) if file.path not in known]
        recent = [file.path for file in files if file.max_time is None or file.max_time * 1000 >= oldest_us]
        if not recent:
            return []
        assert table.time is not None
        picked = [f"epoch_us({quote(n)})" if kind == TIMESTAMP else quote(n) for n, kind in layout.columns.items()]
        created = f"coalesce(epoch_us({quote(table.created)}), {EARLY})" if table.created else str(EARLY)
        event = f"epoch_us({quote(table.time)})"
        listed = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate([*picked, event, created, "_seq"]))
        with self._snapshots.held() as hold, self._context.lake.connection() as connection:
            hold(table, snapshot)
            paths = [self._context.lake.root / path for path in recent]
            source = offline.scan(paths, snapshot.columns)
            arrow = offline.fetch(connection, f"SELECT {listed} FROM {source} WHERE {event} > {oldest_us}")
        return list(zip(*(column.to_pylist() for column in arrow.columns), strict=True))
