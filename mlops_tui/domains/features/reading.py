"""Reading tables: versions, rows, frames, read-only SQL and point-in-time joins. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import split_reference
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features.records import BadRow, JoinMode, JoinReport, Snapshot
from mlops_tui.domains.features.snapshots import Snapshots
from mlops_tui.domains.features.store import FeatureStore
from mlops_tui.domains.features.words import choice, span

if TYPE_CHECKING:
    import pandas as pd


class Reading:
    """What can be asked of feature tables. References: `orders` and `orders@latest` the newest snapshot, `orders@12` one version."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = FeatureStore(context)
        self._snapshots = Snapshots(context, self._store)

    # -- reading -----------------------------------------------------------------------------------------------------

    def history(self, name: str) -> list[Snapshot]:
        """All versions, newest first."""
        return self._store.versions(self._snapshots.table(name))

    def snapshot(self, ref: str) -> Snapshot:
        """The snapshot a reference names. Raises NotFound, InvalidInput."""
        return self._snapshots.resolve(ref)[1]

    def files(self, ref: str) -> list[Path]:
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
    ) -> list[dict[str, Any]]:
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

    def quarantine(self, ref: str) -> list[BadRow]:
        """The rows set aside by the ingests: of one version for `orders@3`, of all for `orders`."""
        from mlops_tui.domains.features import offline
        from mlops_tui.domains.features.records import text

        name, version = split_reference(ref)
        table = self._snapshots.table(name)
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

        folder = self._context.lake.root / "features"
        with self._snapshots.held() as hold, self._context.lake.connection() as connection:
            arrow = offline.query(
                connection, query, lambda ref: hold(*self._snapshots.resolve(ref)), folder, limit=limit
            )
            return offline.as_frame(arrow)

    # -- joining -----------------------------------------------------------------------------------------------------

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
    ) -> tuple[pd.DataFrame, list[JoinReport]]:
        """As `join`, and per table how many rows matched, were expired, exist only later, or are missing."""
        from mlops_tui.domains.features import join as engine

        chosen = choice(JoinMode, mode, "mode")
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
        with self._snapshots.held() as hold, self._context.lake.connection() as connection:
            parts = [
                engine.Part(table, snapshot, hold(table, snapshot), named, table.ttl if ttl is None else span(ttl))
                for (table, snapshot, _), named in zip(asked, names, strict=True)
            ]
            return engine.join(connection, spine, time, parts, chosen)
