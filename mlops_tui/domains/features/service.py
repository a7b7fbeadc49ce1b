"""The room's one class: make tables, take data in, read it back at any version, join it, check it."""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput
from mlops_tui.core.ids import check_name, split_reference
from mlops_tui.core.query import read
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features import searching
from mlops_tui.domains.features.records import (
    BadRow,
    Check,
    CheckReport,
    JoinMode,
    JoinReport,
    Mode,
    Snapshot,
    Table,
)
from mlops_tui.domains.features.snapshots import Snapshots
from mlops_tui.domains.features.store import FeatureStore

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.features.ingest import Progress
    from mlops_tui.domains.features.sources import Source

_Choice = TypeVar("_Choice", Mode, JoinMode)


class Features:
    """Feature tables of one workspace. References: `orders` and `orders@latest` the newest snapshot, `orders@12` one version."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = FeatureStore(context)
        self._snapshots = Snapshots(context, self._store)

    # -- tables ------------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        keys: Sequence[str],
        *,
        time: str | None = None,
        created: str | None = None,
        description: str = "",
        ttl: int | str | None = None,
    ) -> Table:
        """A new empty table.

        `keys` name the entity, `time` the column of the event time, `created` the column that says when a row became known.
        `ttl` (ms or a span such as "7d") is how old a row may be for a join. Raises InvalidInput, AlreadyExists.
        """
        check_name("feature table", name)
        special = [*keys, *(column for column in (time, created) if column)]
        if not keys or not all(column and not column.startswith("_") for column in special):
            raise InvalidInput(f"Table '{name}' needs at least one key column.", hint="Name them: --key customer_id")
        if len(set(special)) != len(special):
            raise InvalidInput(
                "A column can be only one of key, time and created time.", hint="Name different columns."
            )
        now = self._context.now()
        table = Table(name, tuple(keys), time, created, description, _span(ttl), 0, 0, 0, {}, now, now)
        with self._context.catalog.write() as tx:
            if self._store.get(name):
                raise AlreadyExists(
                    f"There is a feature table '{name}' already.", hint=f"See it: mlops features show {name}"
                )
            self._store.add(tx, table)
            self._audit.note(
                tx, "create", "feature table", name, after={"keys": list(keys), "time": time, "created": created}
            )
        return self.get(name)

    def list(self, query: str = "") -> list[Table]:
        """Tables by name; `query` is in the query language, and InvalidInput is raised when it cannot be read."""
        return read(query, searching.TABLES, self._context.now()).select(self._store.find())

    def get(self, name: str) -> Table:
        """One table; NotFound with the nearest name otherwise."""
        return self._snapshots.table(name)

    def remove(self, name: str, *, why: str = "") -> None:
        """Remove a table with all versions and files. Joins made from it keep their numbers but cannot be repeated."""
        table = self.get(name)
        with self._context.catalog.write() as tx:
            self._store.remove(tx, table)
            before = {"version": table.latest_version, "rows": table.rows}
            self._audit.note(tx, "remove", "feature table", name, why=why, before=before)
        # Only after the commit: a crash in between leaves files no one needs, never a table without its files.
        shutil.rmtree(self._snapshots.folder(table), ignore_errors=True)

    # -- taking data in ----------------------------------------------------------------------------------------------

    def ingest(
        self,
        name: str,
        source: Source,
        *,
        mode: Mode | str = Mode.APPEND,
        message: str = "",
        batch_id: str | None = None,
        types: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Take a CSV or Parquet file, a DataFrame or a list of dicts in as a new immutable snapshot.

        Rows that cannot be read, or lack a key or the event time, are set aside (`quarantine`) and counted. A `batch_id`
        seen before returns its snapshot and changes nothing. `types` fixes column types (BOOLEAN, BIGINT, DOUBLE, VARCHAR,
        TIMESTAMPTZ). New columns and BIGINT -> DOUBLE are accepted; a column that went or changed its type needs mode
        "replace". Raises NotFound, InvalidInput, Unavailable (disk full); then nothing was changed.
        """
        from mlops_tui.domains.features.taking import Ingest

        table = self.get(name)
        chosen = _choice(Mode, mode, "mode")
        if batch_id and (seen := self._store.version_of_batch(table, batch_id)):
            return seen
        taking = Ingest(self._context, self._audit, self._store, table, progress)
        return taking.run(source, chosen, message=message, batch_id=batch_id, types=types or {})

    def restore(self, ref: str, *, message: str = "") -> Snapshot:
        """A new version whose rows are those of `ref`: going back without forgetting. Nothing is copied."""
        from mlops_tui.domains.features.taking import restore

        table, snapshot = self._snapshots.resolve(ref)
        return restore(self._context, self._audit, self._store, table, snapshot, message)

    # -- reading -----------------------------------------------------------------------------------------------------

    def history(self, name: str) -> builtins.list[Snapshot]:
        """All versions, newest first."""
        return self._store.versions(self.get(name))

    def snapshot(self, ref: str) -> Snapshot:
        """The snapshot a reference names. Raises NotFound, InvalidInput."""
        return self._snapshots.resolve(ref)[1]

    def files(self, ref: str) -> builtins.list[Path]:
        """The Parquet files of a snapshot, in the order they came."""
        return self._snapshots.files(*self._snapshots.resolve(ref))

    def rows(
        self,
        ref: str,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        order: str | Sequence[str] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> builtins.list[dict[str, Any]]:
        """A window of rows as JSON-ready dicts (times as ISO 8601 UTC text).

        `where` is one SQL condition over the columns, `order` column names with `-` for descending. Raises InvalidInput.
        """
        from mlops_tui.domains.features import offline

        with self._snapshots.reading(ref) as (connection, source, _, snapshot):
            arrow = offline.select(
                connection,
                source,
                snapshot.columns,
                shown=columns,
                where=where,
                order=order,
                limit=limit,
                offset=offset,
            )
            return offline.as_rows(arrow)

    def count(self, ref: str, *, where: str | None = None) -> int:
        """How many rows a snapshot has, or how many of them meet `where`."""
        if not where:
            return self.snapshot(ref).rows
        from mlops_tui.domains.features import offline

        with self._snapshots.reading(ref) as (connection, source, _, snapshot):
            offline.check_expression(connection, where, snapshot.columns)
            found = offline.fetch(connection, f"SELECT count(*) AS n FROM {source} WHERE ({where}\n)")
            return int(found.to_pylist()[0]["n"])

    def frame(
        self,
        ref: str,
        *,
        columns: Sequence[str] | None = None,
        since: int | str | None = None,
        until: int | str | None = None,
    ) -> pd.DataFrame:
        """A snapshot as a DataFrame in order of event time, key, arrival.

        `since` (included) and `until` (excluded) are event times: ms, or ISO 8601 text. Raises InvalidInput, NotFound.
        """
        from mlops_tui.domains.features import offline
        from mlops_tui.domains.features.records import quote

        with self._snapshots.reading(ref) as (connection, source, table, snapshot):
            bounds = []
            for bound, sign in ((since, ">="), (until, "<")):
                if bound is not None:
                    if table.time is None:
                        raise InvalidInput(
                            f"Table '{table.name}' has no event time.", hint="Ask without since and until."
                        )
                    ms = clock.parse_time(bound, now=self._context.now()) if isinstance(bound, str) else int(bound)
                    bounds.append(f"epoch_us({quote(table.time)}) {sign} {ms * 1000}")
            order = [*([table.time] if table.time else []), *table.keys]
            where = " AND ".join(bounds) or None
            arrow = offline.select(connection, source, snapshot.columns, shown=columns, where=where, order=order)
            return offline.as_frame(arrow)

    def quarantine(self, ref: str) -> builtins.list[BadRow]:
        """The rows set aside by the ingests: of one version for `orders@3`, of all for `orders`."""
        from mlops_tui.domains.features import offline
        from mlops_tui.domains.features.records import text

        name, version = split_reference(ref)
        table = self.get(name)
        number = self._snapshots.resolve(ref)[1].version if version else None
        bad = []
        with self._context.lake.connection() as connection:
            for at, path in self._store.quarantine_paths(table, number):
                file = text(str(self._context.lake.root / path))
                found = offline.fetch(connection, f"SELECT * FROM read_parquet({file}) ORDER BY line").to_pylist()
                bad += [BadRow(**row, version=at) for row in found]
        return bad

    def sql(self, query: str, *, limit: int | None = None) -> pd.DataFrame:
        """One read-only SELECT over tables as views; an older snapshot is quoted: FROM "orders@3". Raises InvalidInput."""
        from mlops_tui.domains.features import offline

        with self._context.lake.connection() as connection:
            arrow = offline.query(
                connection, query, self._snapshots.view, self._context.lake.root / "features", limit=limit
            )
            return offline.as_frame(arrow)

    # -- joining and checking ----------------------------------------------------------------------------------------

    def join(
        self,
        spine: pd.DataFrame | Path | str,
        refs: Sequence[str],
        *,
        mode: JoinMode | str = JoinMode.EVENT,
        ttl: int | str | None = None,
        time: str | None = None,
    ) -> pd.DataFrame:
        """What the tables said at the moment of each spine row: one output row per spine row, in spine order.

        `spine` is a DataFrame, a table reference or the path of a CSV or Parquet file.
        `refs` name tables, versions and columns: `orders`, `orders@12`, `orders@12:total_30d,x`. `mode` "event" takes what had
        happened by then, "known" only what had also been recorded by then. `ttl` (ms or a span) overrides the tables' own;
        a row exactly `ttl` old still counts. `time` names the spine's time column. Raises NotFound, InvalidInput.
        """
        return self.join_with_report(spine, refs, mode=mode, ttl=ttl, time=time)[0]

    def join_with_report(
        self,
        spine: pd.DataFrame | Path | str,
        refs: Sequence[str],
        *,
        mode: JoinMode | str = JoinMode.EVENT,
        ttl: int | str | None = None,
        time: str | None = None,
    ) -> tuple[pd.DataFrame, builtins.list[JoinReport]]:
        """As `join`, and per table how many rows matched, were expired, exist only later, or are missing."""
        from mlops_tui.domains.features import join as engine

        chosen = _choice(JoinMode, mode, "mode")
        if not refs:
            raise InvalidInput(
                "No feature table is named for the join.", hint="Name one or more: orders customers@3:age"
            )
        asked = [self._snapshots.asked(ref) for ref in refs]
        if isinstance(spine, Path):
            spine = engine.read_spine(spine)
        elif isinstance(spine, str):
            time = time or self._snapshots.resolve(spine)[0].time
            spine = self.frame(spine)
        time = engine.spine_time(spine, [table for table, _, _ in asked], time)
        names = engine.name_columns([str(name) for name in spine.columns], asked)
        parts = [
            engine.Part(
                table, snapshot, self._snapshots.scan(table, snapshot), named, table.ttl if ttl is None else _span(ttl)
            )
            for (table, snapshot, _), named in zip(asked, names, strict=True)
        ]
        with self._context.lake.connection() as connection:
            return engine.join(connection, spine, time, parts, chosen)

    def check(self, ref: str, checks: Sequence[Check | Mapping[str, Any]] | None = None) -> CheckReport:
        """Run data checks on a snapshot (default: keys and times present, one row per key and time, no empty column).

        The report is kept with the snapshot. Raises InvalidInput for a check that names no column of the table.
        """
        from mlops_tui.domains.features import checks as engine

        with self._snapshots.reading(ref) as (connection, source, table, snapshot):
            wanted = engine.default_checks(table, snapshot) if checks is None else [_check(check) for check in checks]
            report = engine.run(connection, source, table, snapshot, wanted, self._context.now())
        with self._context.catalog.write() as tx:
            self._store.put_check(tx, table, report)
            failed = [result.check for result in report.failed]
            self._audit.note(
                tx, "check", "feature table", table.name, after={"version": report.version, "failed": failed}
            )
        return report

    def last_check(self, ref: str) -> CheckReport | None:
        """The newest report kept for a snapshot, or None."""
        table, snapshot = self._snapshots.resolve(ref)
        return self._store.last_check(table, snapshot.version)


def _span(ttl: int | str | None) -> int | None:
    """A time to live in ms; InvalidInput unless it is positive."""
    ms = clock.parse_span(ttl) if isinstance(ttl, str) else ttl
    if ms is not None and ms <= 0:
        raise InvalidInput(
            f"A time to live of {ms} ms leaves nothing.", hint="Write a span such as 7d, or leave it out."
        )
    return ms


def _check(check: Check | Mapping[str, Any]) -> Check:
    return check if isinstance(check, Check) else Check.from_dict(check)


def _choice(kind: type[_Choice], value: str, what: str) -> _Choice:
    """A member of a StrEnum; InvalidInput with all of them otherwise."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"'{value}' is no {what}.", hint=f"Use one of {', '.join(kind)}.") from None
