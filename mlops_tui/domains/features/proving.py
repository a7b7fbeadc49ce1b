"""Proving that what was served is what training would see: logged lookups against the offline join."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.derived_records import SkewReport
from mlops_tui.domains.features.deriving import Deriving
from mlops_tui.domains.features.records import JoinMode


class Proving(Deriving):
    """Skew between the online and the offline side."""

    def log_lookups(self, name: str, share: float) -> None:
        """Keep this share (0..1) of the lookups of a table, 0.01 if never said. Raises InvalidInput, NotFound (not online)."""
        if not 0 <= share <= 1:
            raise InvalidInput(f"{share:g} is no share.", hint="Write a number from 0 to 1, as in 0.05.")
        table = self._snapshots.table(name)
        layout = self._online.layout(name)
        if layout is None or layout.table_id != table.id:
            raise NotFound(f"Table '{name}' is not online.", hint=f"Bring it there: mlops features materialize {name}")
        with self._online.db.write() as tx:
            self._online.set_share(tx, layout, share)

    def skew(
        self,
        name: str,
        *,
        since: int | str | None = None,
        tolerate: float = 0.0,
        difference: float = 1e-6,
        limit: int = 10_000,
    ) -> SkewReport:
        """Replay logged lookups of a table or on-demand transformation against the offline join, as known at their moments.

        The newest `limit` vectors since `since` (ms, or a span such as "1d") are compared column by column. Numbers may differ
        by the share `difference`; more than the share `tolerate` of differing values in a column makes the verdict fail.
        Pushed rows that wait are taken into the lake first. Raises NotFound.
        """
        from mlops_tui.domains.features import skew as engine

        view = self._view(name)
        table = None if view is not None else self._snapshots.table(name)
        start = clock.parse_time(since, now=self._context.now()) if isinstance(since, str) else since or 0
        if view is not None:
            below = [self._snapshots.table(one) for one in view[0].tables]
            keys = {key: one.columns[key] for one in below for key in one.keys}
            rows, kinds = keys | view[0].request, dict(view[0].outputs)
        else:
            assert table is not None
            declared = {key: one.type_in(table.columns) for key, one in self._derived.aggregates(table).items()}
            rows, kinds = {key: table.columns[key] for key in table.keys}, table.columns | declared
        for one in view[0].tables if view is not None else [name]:
            self.flush(one)
        vectors: deque[dict[str, Any]] = deque(maxlen=limit)
        for record in self._served.read(name, table.id if table else 0, start):
            for row, values in zip(record["rows"], record["values"], strict=True):
                vectors.append(
                    {"row": row, "at": record["at"], "values": dict(zip(record["names"], values, strict=True))}
                )
        seen = {
            column: kinds[column]
            for one in vectors
            for column in one["values"]
            if column in kinds and column not in rows
        }
        if not vectors or not seen:
            return SkewReport(name, 0, None, None, tolerate, "empty", ())
        listed = list(vectors)
        joined = self.join(
            engine.spine_of(listed, rows), [f"{name}:{','.join(seen)}"], mode=JoinMode.KNOWN, time=engine.AT
        )
        found = [engine.compare(column, kind, listed, joined[column], difference) for column, kind in seen.items()]
        columns = tuple(one for one in found if one is not None)
        bad = any(one.share > tolerate for one in columns)
        times = [one["at"] for one in listed]
        return SkewReport(name, len(listed), min(times), max(times), tolerate, "fail" if bad else "pass", columns)
