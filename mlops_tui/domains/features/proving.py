"""Proving that what was served is what training would see: logged lookups against the offline join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.derived_records import SkewReport, Transform
from mlops_tui.domains.features.deriving import Deriving
from mlops_tui.domains.features.records import JoinMode


class Proving(Deriving):
    """Skew between the online and the offline side."""

    def log_lookups(self, name: str, share: float) -> None:
        """Keep this share (0..1) of the lookups of a table, 0.01 if never said; of an on-demand transformation by its tables.

        Raises InvalidInput, NotFound (not online).
        """
        if not 0 <= share <= 1:
            raise InvalidInput(f"{share:g} is no share.", hint="Write a number from 0 to 1, as in 0.05.")
        view = self._view(name)
        for below in view[0].tables if view is not None else ():
            self.log_lookups(below, share)
        if view is not None:
            return
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
        view = self._view(name)
        table = None if view is not None else self._snapshots.table(name)
        reference = view[0].reference if view is not None else name  # a version is compared with what it served itself
        start = clock.parse_time(since, now=self._context.now()) if isinstance(since, str) else since or 0
        for one in view[0].tables if view is not None else [name]:
            self.flush(one)
        vectors = [
            {"row": row, "at": record["at"], "values": dict(zip(record["names"], values, strict=True))}
            for record in sorted(self._served.read(reference, table.id if table else 0, start), key=itemgetter("at"))
            for row, values in zip(record["rows"], record["values"], strict=True)
        ][-limit:]
        return self.replayed(name, vectors, [reference], tolerate=tolerate, difference=difference)

    def replayed(
        self,
        subject: str,
        vectors: Sequence[Mapping[str, Any]],
        references: Sequence[str],
        *,
        ttl: int | None = None,
        tolerate: float = 0.0,
        difference: float = 1e-6,
    ) -> SkewReport:
        """Compare what was used at some moments with the offline join of these references, as known then.

        A vector is {"row": keys and request fields, "at": ms, "values": what was used}, the oldest first; a value is compared with
        the column of that name, or `table__column` as joins call it when two have the name. `ttl` (ms) overrides the tables' own.
        Raises NotFound, InvalidInput.
        """
        from mlops_tui.domains.features import skew as engine

        used = dict.fromkeys(column for one in vectors for column in one["values"])
        columns = []
        for reference in references:
            view = self._view(reference)
            name, _, chosen = reference.partition(":")
            rows, kinds = self._types(name.partition("@")[0], view[0] if view is not None else None)
            owner, names = name.partition("@")[0], [one.strip() for one in chosen.split(",") if one.strip()] or [*kinds]
            shown = {column: f"{owner}__{column}" if f"{owner}__{column}" in used else column for column in names}
            asked = {
                column: seen
                for column, seen in shown.items()
                if seen in used and column in kinds and column not in rows
            }
            if asked:
                joined = self.join(
                    engine.spine_of(vectors, rows),
                    [f"{name}:{','.join(asked)}"],
                    mode=JoinMode.KNOWN,
                    ttl=ttl,
                    time=engine.AT,
                )
                columns += [
                    engine.compare(seen, kinds[own], vectors, joined[own], difference) for own, seen in asked.items()
                ]
        if not columns:
            return SkewReport(subject, 0, None, None, tolerate, "empty", ())
        verdict = "fail" if any(one.share > tolerate for one in columns) else "pass"
        return SkewReport(subject, len(vectors), vectors[0]["at"], vectors[-1]["at"], tolerate, verdict, tuple(columns))

    def asked_types(self, name: str) -> dict[str, str]:
        """What a lookup of a table or on-demand transformation is given, by type: keys and request fields."""
        view = self._view(name)
        return self._types(name, view[0] if view is not None else None)[0]

    def _types(self, name: str, view: Transform | None) -> tuple[dict[str, str], dict[str, str]]:
        """What a lookup is given and what it gives, by type."""
        if view is not None:
            below = [self._snapshots.table(table) for table in view.tables]
            return {key: table.columns[key] for table in below for key in table.keys} | view.request, view.outputs
        table = self._snapshots.table(name)
        declared = {key: one.type_in(table.columns) for key, one in self._derived.aggregates(table).items()}
        return {key: table.columns.get(key, "") for key in table.keys}, table.columns | declared
