"""Joins: tables, their aggregates by window, and on-demand transformations, all as of each spine row's moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean, split_reference
from mlops_tui.domains.features.checking import Checking
from mlops_tui.domains.features.derived_records import Asked, Transform
from mlops_tui.domains.features.derived_store import DerivedStore
from mlops_tui.domains.features.records import JoinMode, JoinReport
from mlops_tui.domains.features.transforming import Transforms
from mlops_tui.domains.features.words import choice, span

if TYPE_CHECKING:
    import pandas as pd


class Joining(Checking):
    """What tables said at the moments of a spine."""

    @cached_property
    def _derived(self) -> DerivedStore:
        return DerivedStore(self._context)

    @cached_property
    def _transforms(self) -> Transforms:
        return Transforms(self._context)

    def join(
        self,
        spine: pd.DataFrame | Path | str,
        refs: Sequence[str],
        *,
        mode: JoinMode | str = JoinMode.EVENT,
        ttl: int | str | None = None,
        time: str | None = None,
        at: Sequence[str] = (),
    ) -> pd.DataFrame:
        """What the tables said at the moment of each spine row: one output row per spine row, in spine order.

        `spine` is a DataFrame, a table reference or the path of a CSV or Parquet file.
        `refs` name tables, versions and columns: `orders`, `orders@12`, `orders@12:total_30d,x`; aggregates come when they are
        named. On-demand transformations are named alike: `comfort`, `comfort@2:warmer`; what they take with a request has to be
        a column of the spine. `mode` "event" takes what had happened by then, "known" only what had also been recorded by then.
        `ttl` (ms or a span) overrides the tables' own; a row exactly `ttl` old still counts. `time` names the spine's time
        column; `at` pins the snapshots that on-demand transformations look up, as `pinned` gives them (the newest otherwise).
        Raises NotFound, InvalidInput.
        """
        return self.join_with_report(spine, refs, mode=mode, ttl=ttl, time=time, at=at)[0]

    def join_with_report(
        self,
        spine: pd.DataFrame | Path | str,
        refs: Sequence[str],
        *,
        mode: JoinMode | str = JoinMode.EVENT,
        ttl: int | str | None = None,
        time: str | None = None,
        at: Sequence[str] = (),
    ) -> tuple[pd.DataFrame, list[JoinReport]]:
        """As `join`, and per table how many rows matched, were expired, exist only later, or are missing."""
        from mlops_tui.domains.features import join as engine

        chosen = choice(JoinMode, mode, "mode")
        if not refs:
            raise InvalidInput(
                "No feature table is named for the join.", hint="Name one or more: orders customers@3:age"
            )
        pins = {split_reference(ref)[0]: ref for ref in at}
        views = {place: view for place, ref in enumerate(refs) if (view := self._view(ref)) is not None}
        asked = {place: self._asked(ref) for place, ref in enumerate(refs) if place not in views}
        below = {place: self._below(view[0], pins) for place, view in views.items()}
        tables = [one.table for one in (*asked.values(), *(one for some in below.values() for one in some))]
        if isinstance(spine, Path):
            spine = engine.read_spine(spine)
        elif isinstance(spine, str):
            time = time or self._snapshots.resolve(spine)[0].time
            spine = self.frame(spine)
        time = engine.spine_time(spine, tables, time)
        wanted = [
            (views[n][0].name, views[n][1]) if n in views else (asked[n].table.name, asked[n].names)
            for n in range(len(refs))
        ]
        names = engine.name_columns([str(name) for name in spine.columns], wanted)
        limit = None if ttl is None else span(ttl)
        parts: list[engine.Part] = []
        with self._snapshots.held() as hold, self._context.lake.connection() as connection:

            def part(one: Asked, shown: dict[str, str], *, exact: bool = False) -> engine.Part:
                lives = one.table.ttl if ttl is None else limit
                source = hold(one.table, one.snapshot)
                return engine.Part(one.table, one.snapshot, source, shown, lives, one.aggregates, exact)

            for place in range(len(refs)):
                if place in asked:
                    parts.append(part(asked[place], names[place]))
                else:
                    parts += [part(one, _hidden(place, one), exact=True) for one in below[place]]
            frame, reports = engine.join(connection, spine, time, parts, chosen)
        # Of what a view looks up, the report names the table's columns, not those they went by on the way.
        reports = [
            dataclasses.replace(report, columns=tuple(one.columns)) if one.exact else report
            for report, one in zip(reports, parts, strict=True)
        ]
        for place, (shown_by, _) in views.items():
            frame = self._transforms.beside(shown_by, frame, names[place], f"_{place}_")
        final = [*spine.columns, *(shown for named in names for shown in named.values())]
        return (frame if not views else frame[final]), reports

    def pinned(self, refs: Sequence[str]) -> tuple[list[str], list[str]]:
        """References that name versions, and the snapshots that a join over them reads: to be kept with what is made of it.

        `orders:total` -> `orders@12:total`; of an on-demand transformation its version is named, and its tables' snapshots are
        among those read, to be given to the join as `at`. Raises NotFound.
        """
        named, read = [], []
        for ref in refs:
            name, colon, columns = ref.partition(":")
            view = self._view(ref)
            if view is None:
                reference = self.snapshot(name).reference
                read.append(reference)
            else:
                reference = view[0].reference
                read += [self.snapshot(table).reference for table in view[0].tables]
            named.append(f"{reference}{colon}{columns}")
        return named, list(dict.fromkeys(read))

    # -- references --------------------------------------------------------------------------------------------------

    def _asked(self, ref: str) -> Asked:
        """Table, snapshot and columns of a reference; all features without a list. Raises NotFound, InvalidInput."""
        table, snapshot, columns = self._snapshots.asked(ref)
        own = [name for name in snapshot.columns if name not in table.special]
        if columns is None:
            return Asked(table, snapshot, tuple(own))
        declared = self._derived.aggregates(table)
        for name in columns:
            if name not in snapshot.columns and name not in declared:
                known = [*own, *declared]
                raise InvalidInput(
                    f"Table '{snapshot.reference}' has no column '{name}'.",
                    hint=did_you_mean(name, known, f"It has: {', '.join(known)}."),
                )
        used = {name: declared[name] for name in columns if name in declared}
        for name, one in used.items():
            lost = next((column for column in (one.column,) if column and column not in snapshot.columns), None)
            if lost is not None or name in snapshot.columns:
                why = f"lacks '{lost}'" if lost else f"has a column '{name}' too"
                raise InvalidInput(
                    f"'{name}' cannot be worked out of {snapshot.reference}, which {why}.",
                    hint=f"See: mlops features aggregate list {table.name}",
                )
        return Asked(table, snapshot, tuple(columns), used)

    def _view(self, ref: str) -> tuple[Transform, tuple[str, ...]] | None:
        """The on-demand transformation a reference names, with the outputs wanted; None when it names none."""
        reference, _, columns = ref.partition(":")
        name, version = split_reference(reference)
        found = self._derived.get(name)
        if found is None or not found.on_demand:
            return None
        if version not in ("", "latest"):
            older = self._derived.get(name, int(version)) if version.isdecimal() and len(version) < 10 else None
            if older is None:
                raise NotFound(
                    f"On-demand '{name}' has no version {version}.", hint=f"See: mlops features transform show {name}"
                )
            found = older
        names = tuple(part.strip() for part in columns.split(",") if part.strip()) or tuple(found.outputs)
        for one in names:
            if one not in found.outputs:
                hint = did_you_mean(one, list(found.outputs), f"It gives: {', '.join(found.outputs)}.")
                raise InvalidInput(f"On-demand '{found.reference}' gives no '{one}'.", hint=hint)
        return found, names

    def _below(self, view: Transform, pins: dict[str, str]) -> list[Asked]:
        """What a view looks up, table by table."""
        return [
            self._asked(f"{pins.get(table, table)}:{','.join(one.column for one in fields)}")
            for table, fields in view.tables.items()
        ]


def _hidden(place: int, one: Asked) -> dict[str, str]:
    """Names that columns which a view looks up have until it has them."""
    return {name: f"_{place}_{one.table.name}:{name}" for name in one.names}
