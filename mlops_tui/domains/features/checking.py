"""Checking snapshots against what is expected of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.domains.features.reading import Reading
from mlops_tui.domains.features.records import Check, CheckReport


class Checking(Reading):
    """Checks of tables and what came of them."""

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


def _check(check: Check | Mapping[str, Any]) -> Check:
    return check if isinstance(check, Check) else Check.from_dict(check)
