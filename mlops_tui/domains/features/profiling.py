"""Profiles of snapshots: computed once, kept with the snapshot, which never changes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.browsing import Browsing
from mlops_tui.domains.features.profile_records import Diff, Profile, with_warnings
from mlops_tui.domains.features.records import Snapshot, Table

if TYPE_CHECKING:
    from mlops_tui.domains.features.ingest import Progress


class Profiling(Browsing):
    """What is in a snapshot, and how two of them differ."""

    def profile(
        self,
        ref: str,
        *,
        quick: bool = False,
        target: str | None = None,
        since: int | None = None,
        keep: bool = True,
        progress: Progress | None = None,
    ) -> Profile:
        """Per column type, missing, distinct, quantiles, histogram, top values, lengths and warnings; correlations; patterns.

        The exact profile of a snapshot is computed once and kept. `quick` settles for a sample of about 100,000 rows when it
        is not there yet. `target` names a column that others may give away, `since` a version to look for drift from; both
        only add warnings. Without `keep` nothing is written. Raises NotFound, InvalidInput.
        """
        table, snapshot = self._snapshots.resolve(ref)
        kept = self._store.profile(table, snapshot.version)
        profile = kept or self._profiled(table, snapshot, exact=not quick, keep=keep, progress=progress)
        if target is not None:
            profile = self._with_leaks(profile, table, snapshot, target)
        return profile if since is None else self._with_drift(profile, since)

    def kept_profile(self, ref: str) -> Profile | None:
        """The exact profile of a snapshot if it was computed before."""
        table, snapshot = self._snapshots.resolve(ref)
        return self._store.profile(table, snapshot.version)

    def diff(self, left: str, right: str) -> Diff:
        """Two snapshots of one table side by side: rows, schema, and per column missing shares, means, PSI and KS.

        Raises NotFound, and InvalidInput when they are of different tables.
        """
        from mlops_tui.domains.features import compare

        with self._snapshots.reading(left) as (connection, source, table, snapshot), self._snapshots.held() as hold:
            other_table, other = self._snapshots.resolve(right)
            if other_table.name != table.name:
                raise InvalidInput(
                    f"'{left}' and '{right}' are different tables.", hint=f"Compare {left} with {table.name}@VERSION."
                )
            return compare.diff(connection, snapshot, source, other, hold(other_table, other))

    def _profiled(
        self, table: Table, snapshot: Snapshot, *, exact: bool, keep: bool, progress: Progress | None = None
    ) -> Profile:
        from mlops_tui.domains.features import profile as engine

        exact = exact or snapshot.rows <= engine.SAMPLE_ROWS
        now = self._context.now()
        with self._snapshots.reading(snapshot.reference) as (connection, source, _, _):
            built = engine.build(
                connection,
                source,
                table,
                snapshot.version,
                snapshot.columns,
                snapshot.rows,
                now,
                exact=exact,
                progress=progress,
            )
        if exact and keep:
            with self._context.catalog.write() as tx:
                self._store.put_profile(tx, table, built)
        return built

    def _with_leaks(self, profile: Profile, table: Table, snapshot: Snapshot, target: str) -> Profile:
        from mlops_tui.domains.features import compare, offline

        offline.require_column(target, snapshot.columns)
        columns = {name: kind for name, kind in snapshot.columns.items() if name not in table.keys or name == target}
        with self._snapshots.reading(snapshot.reference) as (connection, source, _, _):
            found = compare.leaks(connection, source, snapshot.rows, columns, target)
        return _warned(profile, found)

    def _with_drift(self, profile: Profile, since: int) -> Profile:
        difference = self.diff(f"{profile.table}@{since}", f"{profile.table}@{profile.version}")
        found = {one.column: f"drifted since @{since} (PSI {one.psi:.2f})" for one in difference.columns if one.drifted}
        return _warned(profile, found)


def _warned(profile: Profile, found: dict[str, str]) -> Profile:
    columns = tuple(
        with_warnings(column, found[column.name]) if column.name in found else column for column in profile.columns
    )
    return dataclasses.replace(profile, columns=columns)
