"""Reading tables: versions, rows, frames and read-only SQL. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import split_reference
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features.records import BadRow, Snapshot
from mlops_tui.domains.features.snapshots import Snapshots
from mlops_tui.domains.features.store import FeatureStore

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
        from mlops_tui.domains.features import offline, views

        folder = self._context.lake.root / "features"
        with views.stream(query, self._snapshots, self._context.lake, folder, lambda stop: None) as reader:
            return offline.as_frame(views.taken(reader, limit))
