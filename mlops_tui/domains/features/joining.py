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


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    """One reference of a join: what it is called, the columns it brings, and the tables that are joined for it."""

    name: str
    names: tuple[str, ...]
    asked: list[Asked]
    view: Transform | None
    prefix: str

    def brought(self, shown: dict[str, str]) -> list[tuple[Asked, dict[str, str], bool]]:
        """Each table with the names its columns go by in the joined frame; hidden ones, kept exact, until a view has them."""
        if self.view is None:
            return [(self.asked[0], shown, False)]
        return [
            (one, {name: f"{self.prefix}{one.table.name}:{name}" for name in one.names}, True) for one in self.asked
        ]


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
        wanted = [self._resolved(f"_{place}_", ref, pins) for place, ref in enumerate(refs)]
        tables = [one.table for ref in wanted for one in ref.asked]
        if isinstance(spine, Path):
            spine = engine.read_spine(spine)
        elif isinstance(spine, str):
            time = time or self._snapshots.resolve(spine)[0].time
            spine = self.frame(spine)
        time = engine.spine_time(spine, tables, time)
        names = engine.name_columns([str(name) for name in spine.columns], [(ref.name, ref.names) for ref in wanted])
        lives = [one.table.ttl if ttl is None else span(ttl) for ref in wanted for one in ref.asked]
        with self._snapshots.held() as hold, self._context.lake.connection() as connection:
            parts = [
                engine.Part(
                    one.table, one.snapshot, hold(one.table, one.snapshot), columns, None, one.aggregates, exact
                )
                for ref, shown in zip(wanted, names, strict=True)
                for one, columns, exact in ref.brought(shown)
            ]
            parts = [dataclasses.replace(part, ttl=live) for part, live in zip(parts, lives, strict=True)]
            frame, reports = engine.join(connection, spine, time, parts, chosen)
        # Of what a view looks up, the report names the table's columns, not those they went by on the way.
        reports = [
            dataclasses.replace(report, columns=tuple(part.columns)) if part.exact else report
            for report, part in zip(reports, parts, strict=True)
        ]
        for ref, shown in zip(wanted, names, strict=True):
            if ref.view is not None:
                frame = self._transforms.beside(ref.view, frame, shown, ref.prefix)
        final = [*spine.columns, *(name for shown in names for name in shown.values())]
        return (frame[final] if any(ref.view for ref in wanted) else frame), reports

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

    def _resolved(self, prefix: str, ref: str, pins: dict[str, str]) -> _Wanted:
        """What one reference asks for. Raises NotFound, InvalidInput."""
        view = self._view(ref)
        if view is None:
            one = self._asked(ref)
            return _Wanted(one.table.name, one.names, [one], None, prefix)
        return _Wanted(view[0].name, view[1], self._below(view[0], pins), view[0], prefix)

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
