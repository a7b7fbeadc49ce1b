"""Declaring aggregates by window, as in `sum(amount) over 7d`."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.features.derived_records import Aggregate, parse_aggregate
from mlops_tui.domains.features.online import Online
from mlops_tui.domains.features.records import BIGINT, DOUBLE, Table


class Declaring(Online):
    """Aggregates of tables."""

    def add_aggregates(
        self, name: str, expressions: Sequence[str | Aggregate], *, corrected: bool = False
    ) -> list[Aggregate]:
        """Declare aggregates such as `sum(amount) over 7d`; all or none. They are columns of joins and lookups that name them.

        A text may end in ` as NAME`. `corrected` says that rows that repeat a key at one time correct each other. Raises
        InvalidInput (no such column, not a number, no event time), AlreadyExists.
        """
        table = self._snapshots.table(name)
        wanted = [one if isinstance(one, Aggregate) else _read(one, corrected) for one in expressions]
        known = self._derived.aggregates(table)
        for one in wanted:
            self._fit(table, one)
            if one.name in known or one.name in table.columns:
                what = "an aggregate" if one.name in known else "a column"
                raise AlreadyExists(f"'{name}' has {what} '{one.name}' already.", hint="Give this one another name.")
            known[one.name] = one
        with self._context.catalog.write() as tx:
            for one in wanted:
                self._derived.add_aggregate(tx, table, one)
                after = {"aggregate": one.name, "is": one.expression, "corrected": one.corrected}
                self._audit.note(tx, "declare", "feature table", name, after=after)
        return wanted

    def aggregates(self, name: str) -> list[Aggregate]:
        """The aggregates declared for a table."""
        return list(self._derived.aggregates(self._snapshots.table(name)).values())

    def remove_aggregate(self, name: str, aggregate: str) -> None:
        """Declare it no more. Raises NotFound."""
        table = self._snapshots.table(name)
        known = self._derived.aggregates(table)
        if aggregate not in known:
            hint = did_you_mean(aggregate, list(known), f"It has: {', '.join(known) or 'none'}.")
            raise NotFound(f"Table '{name}' has no aggregate '{aggregate}'.", hint=hint)
        with self._context.catalog.write() as tx:
            self._derived.remove_aggregate(tx, table, aggregate)
            before = {"aggregate": aggregate, "is": known[aggregate].expression}
            self._audit.note(tx, "undeclare", "feature table", name, before=before)

    def _fit(self, table: Table, one: Aggregate) -> None:
        check_name("aggregate", one.name)
        if table.time is None:
            raise InvalidInput(
                f"Table '{table.name}' has no event time to lay a window over.", hint="Make it with: --time COLUMN"
            )
        if not table.latest_version:
            raise NotFound(
                f"Table '{table.name}' has no columns yet.", hint=f"First: mlops features ingest {table.name} FILE"
            )
        if one.column and one.column not in table.columns:
            names = list(table.columns)
            hint = did_you_mean(one.column, names, f"It has: {', '.join(names)}.")
            raise InvalidInput(f"Table '{table.name}' has no column '{one.column}'.", hint=hint)
        if one.function in ("sum", "mean") and table.columns[one.column] not in (BIGINT, DOUBLE):
            kind = table.columns[one.column]
            raise InvalidInput(
                f"{one.function} needs numbers, and '{one.column}' is {kind}.", hint="Use count or last."
            )


def _read(words: str, corrected: bool) -> Aggregate:
    expression, _, name = words.partition(" as ")
    return parse_aggregate(expression, name=name.strip(), corrected=corrected)
