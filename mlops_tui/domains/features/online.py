"""Bringing tables online: the newest row per entity by version delta, pushes that land at once, and lookups."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.features.derived_records import Transform
from mlops_tui.domains.features.joining import Joining
from mlops_tui.domains.features.looking import Lookups, iso, online_value
from mlops_tui.domains.features.online_store import FILE, Layout, OnlineStore
from mlops_tui.domains.features.online_windows import OnlineWindows
from mlops_tui.domains.features.records import BOOLEAN, TIMESTAMP, Found, Materialized, Snapshot, Table, quote
from mlops_tui.domains.features.served import FOLDER, Served

if TYPE_CHECKING:
    from mlops_tui.domains.features.snapshots import Snapshots

# A version of one of these kinds may take rows away, which no delta of added files can tell.
_TAKING_AWAY = ("replace", "restore")
# Pushes wait this long, so that what is pushed together lands together; of a steady stream one snapshot a minute is made.
FLUSH_MS, STREAM_MS, FLUSH_ROWS = 5_000, 60_000, 10_000
_PUSHED = "push:"
_WORST = ("missing", "expired", "null", "ok")


class Online(Joining):
    """The newest values of each entity, ready in microseconds."""

    @cached_property
    def _online(self) -> OnlineStore:
        return OnlineStore(self._context)

    @cached_property
    def _windows(self) -> OnlineWindows:
        return OnlineWindows(self._context, self._store, self._snapshots, self._derived, self._online)

    @cached_property
    def _lookups(self) -> Lookups:
        return Lookups(self._online, self._context.now, self._served)

    @cached_property
    def _served(self) -> Served:
        served = Served(self._context.workspace.segments / FOLDER)
        self._context.on_close(served.close)
        return served

    def lookup(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] | None = None
    ) -> list[Found]:
        """The newest values of entities, in the order asked: `lookup("customers", [{"customer_id": 7}])`.

        Each answer has a status (ok, missing, expired: older than the table's time to live, null: no value at all) and the
        age of its values in ms. Aggregates come when `columns` names them. Of an on-demand transformation rows have the keys
        and request fields, values are its outputs. Raises NotFound for a table that is not online, InvalidInput for a key
        that does not fit.
        """
        try:
            return self.lookup_table(name, rows, columns=columns)
        except NotFound:
            view = self._view(f"{name}:{','.join(columns or ())}")
            if view is None:
                raise
        return self._on_demand(*view, rows)

    def lookup_table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] | None = None
    ) -> list[Found]:
        """As `lookup`, of tables alone: no one's code runs."""
        return self._lookups.lookup(name, rows, columns)

    def peek(self, name: str, row: Mapping[str, Any]) -> Found:
        """What is online of one entity of a table, for someone who looks: not logged, as nothing was served by it."""
        return Lookups(self._online, self._context.now).lookup(name, [row])[0]

    def is_on_demand(self, name: str) -> bool:
        """Whether a name is that of an on-demand transformation."""
        return self._view(name) is not None

    def time_of(self, name: str) -> str | None:
        """The time column of a table that is online; None for one without, and for everything else."""
        layout = self._online.layout(name)
        return layout.time if layout is not None else None

    def _on_demand(self, view: Transform, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Found]:
        """Look up what a view takes and work out what it gives, by the code that joins use."""
        given: dict[str, list[Any]] = {}
        for name in view.request:
            if any(name not in row for row in rows):
                raise InvalidInput(f"A row lacks '{name}', which '{view.name}' takes.", hint="Give it, or null.")
            given[name] = [row[name] for row in rows]
        below = []
        for table, fields in view.tables.items():
            answers = self._lookups.lookup(table, rows, [one.column for one in fields])
            below.append(answers)
            for one in fields:
                given[one.name] = [answer.values[one.column] for answer in answers]
        worked = self._transforms.rows(view, given, len(rows))
        found = []
        for place, row in enumerate(rows):
            values = {name: worked[place][name] for name in names}
            states = [answers[place].status for answers in below]
            ages = [age for answers in below if (age := answers[place].age_ms) is not None]
            status = min([*states, "ok"], key=_WORST.index)
            if status == "ok" and all(value is None for value in values.values()):
                status = "null"
            found.append(Found(row, values, status, max(ages, default=None)))
        self._log_on_demand(view, names, found)
        return found

    def _log_on_demand(self, view: Transform, names: Sequence[str], found: Sequence[Found]) -> None:
        """Keep a share of the answers of a view: the largest share that is kept of its tables'."""
        layouts = [self._online.layout(table) for table in view.tables]
        share = max((one.log_share for one in layouts if one is not None), default=0.0)
        if random.random() < share:
            self._served.add(view.reference, 0, self._context.now(), names, found)

    def materialize(self, name: str, *, full: bool = False) -> Materialized:
        """Bring a table online up to its newest version: from the files added since the version it is at, whatever times
        their rows have, so that no late row is missed. A replaced or restored table is made anew, as with `full`.
        """
        table = self._snapshots.table(name)
        self._flush(table)
        table, snapshot = self._snapshots.resolve(name)
        at = self._online.layout(name)
        since = at.version if at is not None and not full and self._continues(table, snapshot, at) else 0
        layout = _layout(table, snapshot, 1 if at is None else at.generation + (not since), self._context.now())
        layout = layout if at is None else dataclasses.replace(layout, log_share=at.log_share)
        rows = _newest(
            self._snapshots, self._context.lake, table, snapshot, layout, self._added(table, snapshot, since)
        )
        windows = self._windows.plan(table, snapshot, full=full)
        with self._online.db.write() as tx:
            if self._online.layout(name) != at:
                raise Unavailable(f"'{name}' was brought online by another process meanwhile.", hint="Try again.")
            if not since:
                self._online.make(tx, layout)
            written = self._online.upsert(tx, layout, rows)
            # What was pushed since the flush above must not be lost to a table made anew, nor to a lake row without a time.
            self._online.upsert(tx, layout, _rows(layout, self._online.unflushed(table)))
            if windows is not None:
                self._windows.write(tx, table, snapshot, layout, windows)
            self._online.advance(tx, layout, snapshot.version, self._context.now())
        return Materialized(name, snapshot.version, since, len(rows), written, self._online.count(layout))

    def push(self, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Values known just now: online at once, in the lake with the next flush. How many were newer than what was there.

        A row has the keys, the event time and any of the columns. An older row never replaces a newer one. All rows are
        taken or none. Raises InvalidInput, NotFound.
        """
        table = self._snapshots.table(name)
        layout = self._online.layout(name)
        if layout is None or layout.table_id != table.id:
            self.materialize(name)
            layout = self._online.layout(name)
        assert layout is not None
        now = self._context.now()
        whole = [_whole(layout, row, now) for row in rows]
        written = _rows(layout, whole)
        with self._online.db.write() as tx:
            done = self._online.upsert(tx, layout, written)
            numbered = self._online.add_push(tx, layout, now, [_kept(layout, row) for row in written])
            self._windows.push(tx, layout, numbered)
        return done

    def flush(self, name: str) -> int:
        """Take pushed rows that wait into the lake, as a snapshot; how many. A flush that is killed doubles nothing."""
        return self._flush(self._snapshots.table(name))

    def waiting(self, name: str) -> int:
        """Pushed rows that the lake has not got yet."""
        return self._online.waiting(self._snapshots.table(name))

    def flush_due(self) -> list[str]:
        """Tables whose pushed rows should go to the lake by now: the first waits for 5 s, or 60 s after the flush before;
        10,000 rows wait for nothing. Cheap, and opens nothing where nothing was ever online.
        """
        if not (self._context.workspace.root / FILE).exists():
            return []
        pending = {table_id: (rows, since) for table_id, rows, since in self._online.pending()}
        if not pending:
            return []
        waiting = [table for table in self._store.find() if table.id in pending]
        return [table.name for table in waiting if self._flush_due(table, *pending[table.id])]

    def _flush_due(self, table: Table, rows: int, since: int) -> bool:
        now = self._context.now()
        if rows >= FLUSH_ROWS or now < since:
            return True
        last = self._store.version(table, table.latest_version)
        streams = last is not None and last.batch_id.startswith(_PUSHED) and now - last.created_at < STREAM_MS
        return now - since >= FLUSH_MS and not streams

    def _flush(self, table: Table) -> int:
        if not self._online.waiting(table):
            return 0
        done = 0
        for batch in self._online.claim(table, f"{_PUSHED}{os.urandom(8).hex()}"):
            rows = self._online.pushed(table, batch)
            landed = self._take_in(table, rows, batch)
            self._online.forget(table, batch, landed.version)
            done += len(rows)
        return done

    def _take_in(self, table: Table, rows: list[dict[str, Any]], batch: str) -> Snapshot:
        from mlops_tui.domains.features.records import Mode
        from mlops_tui.domains.features.taking import Ingest

        if seen := self._store.version_of_batch(table, batch):
            return seen
        known = table.columns
        whole = [{name: row.get(name) for name in known} | row for row in rows]
        types = {name: known[name] for name in whole[0] if name in known}
        taking = Ingest(self._context, self._audit, self._store, table)
        return taking.run(whole, Mode.APPEND, message=f"{len(rows)} pushed rows", batch_id=batch, types=types)

    def _forget_online(self, name: str) -> None:
        if (self._context.workspace.root / FILE).exists():
            self._online.remove(name)

    def _continues(self, table: Table, snapshot: Snapshot, at: Layout) -> bool:
        """Whether what is online can be carried on from: same table and columns, and nothing was taken away since."""
        same = (at.table_id, at.columns, at.keys, at.ttl) == (table.id, snapshot.columns, table.keys, table.ttl)
        since = [one for one in self._store.versions(table) if at.version < one.version <= snapshot.version]
        return same and at.version > 0 and not any(one.kind in _TAKING_AWAY for one in since)

    def _added(self, table: Table, snapshot: Snapshot, since: int) -> list[str]:
        """Files of the snapshot that the version `since` did not have."""
        before = {file.path for file in self._store.files(table, since)} if since else set()
        return [file.path for file in self._store.files(table, snapshot.version) if file.path not in before]


def _layout(table: Table, snapshot: Snapshot, generation: int, now: int) -> Layout:
    return Layout(
        table.id,
        table.name,
        generation,
        snapshot.version,
        table.keys,
        table.time,
        table.created,
        table.ttl,
        dict(snapshot.columns),
        now,
    )


def _newest(
    snapshots: Snapshots, lake: Any, table: Table, snapshot: Snapshot, layout: Layout, paths: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The newest row per key of these files: by event time, created time, arrival, as joins have it."""
    from mlops_tui.domains.features import offline

    if not paths:
        return []
    order = ", ".join(f"{quote(name)} DESC NULLS LAST" for name in (table.time, table.created, "_seq") if name)
    picked = [
        f"epoch_us({quote(name)}) AS {quote(name)}" if kind == TIMESTAMP else quote(name)
        for name, kind in layout.columns.items()
    ]
    for clock, alias in ((table.time, "_event_us"), (table.created, "_created_us")):
        picked.append(f"coalesce(epoch_us({quote(clock)}), 0) AS {alias}" if clock else f"0 AS {alias}")
    keys = ", ".join(map(quote, table.keys))
    with snapshots.held() as hold, lake.connection() as connection:
        hold(table, snapshot)
        source = offline.scan([lake.root / path for path in paths], snapshot.columns)
        newest = f"SELECT * FROM {source} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"
        arrow = offline.fetch(connection, f"SELECT {', '.join(picked)} FROM ({newest})")
    return list(zip(*(column.to_pylist() for column in arrow.columns), strict=True))


def _whole(layout: Layout, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    """A pushed row with all columns; the time it became known is now unless it is said."""
    unknown = [name for name in row if name not in layout.columns]
    if unknown:
        columns = ", ".join(layout.columns)
        raise InvalidInput(f"Table '{layout.name}' has no column '{unknown[0]}' online.", hint=f"It has: {columns}.")
    for name in (*layout.keys, *([layout.time] if layout.time else [])):
        if row.get(name) is None:
            raise InvalidInput(f"A pushed row lacks '{name}'.", hint="Give all keys and the event time.")
    whole = {name: row.get(name) for name in layout.columns}
    if layout.created and whole[layout.created] is None:
        whole[layout.created] = iso(now * 1000)
    return whole


def _rows(layout: Layout, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows as `OnlineStore.upsert` takes them: the columns, then event and created time in us."""
    places = {column: place for place, column in enumerate(layout.columns)}
    clocks = [places.get(name or "") for name in (layout.time, layout.created)]
    found = []
    for row in rows:
        values = [online_value(layout, column, row.get(column)) for column in layout.columns]
        found.append((*values, *(0 if place is None else values[place] or 0 for place in clocks)))
    return found


def _kept(layout: Layout, row: Sequence[Any]) -> dict[str, Any]:
    """A pushed row as it waits for the lake: JSON, times as text."""
    shown: dict[str, Callable[[Any], Any]] = {TIMESTAMP: iso, BOOLEAN: bool}
    return {
        name: shown[kind](value) if kind in shown and value is not None else value
        for (name, kind), value in zip(layout.columns.items(), row, strict=False)
    }
