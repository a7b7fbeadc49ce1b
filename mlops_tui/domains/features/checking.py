"""Checking snapshots against what is expected of them: the defaults, and what `checks/<table>.toml` declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.check_records import Check, CheckReport
from mlops_tui.domains.features.profiling import Profiling
from mlops_tui.domains.features.records import Snapshot, Table

if TYPE_CHECKING:
    from mlops_tui.domains.features.checks import Surroundings


class Checking(Profiling):
    """Checks of tables and what came of them."""

    def check(self, ref: str, checks: Sequence[Check | Mapping[str, Any]] | None = None) -> CheckReport:
        """Run data checks on a snapshot: those given, else the defaults and the declared ones.

        By default keys and times are present, there is one row per key and time, and no column is all but empty. The report
        is kept with the snapshot. Raises InvalidInput for a check that names no column of the table.
        """
        from mlops_tui.domains.features import checks as engine

        with self._snapshots.reading(ref) as (connection, source, table, snapshot), self._snapshots.held() as hold:
            wanted = self._wanted(table, snapshot) if checks is None else [_check(check) for check in checks]
            report = engine.run(connection, source, table, snapshot, wanted, self._around(table, snapshot, hold))
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

    def check_history(self, name: str) -> list[CheckReport]:
        """The newest report of every version that was checked, newest version first."""
        return self._store.checks(self._snapshots.table(name))

    def failing(self, ref: str, check: str | Check, *, limit: int = 100) -> list[dict[str, Any]]:
        """Rows that fail a check (one of the table's, by name), as JSON-ready dicts. Raises NotFound, InvalidInput."""
        from mlops_tui.domains.features import checks as engine
        from mlops_tui.domains.features import offline

        with self._snapshots.reading(ref) as (connection, source, table, snapshot), self._snapshots.held() as hold:
            if isinstance(check, str):
                known = {one.name: one for one in engine.named(self._wanted(table, snapshot))}
                if check not in known:
                    hint = did_you_mean(check, list(known), f"There are: {', '.join(known)}.")
                    raise NotFound(f"Table '{table.name}' has no check '{check}'.", hint=hint)
                check = known[check]
            around = self._around(table, snapshot, hold)
            return offline.as_rows(engine.failing(connection, source, snapshot.columns, check, around, limit))

    # -- what is declared ---------------------------------------------------------------------------------------------

    def checks(self, name: str) -> list[Check]:
        """The checks of a table by name: the defaults and the declared ones."""
        from mlops_tui.domains.features import checks as engine

        table, snapshot = self._snapshots.resolve(name)
        return engine.named(self._wanted(table, snapshot))

    def checks_file(self, name: str) -> Path:
        """Where the checks of a table are declared: `checks/<table>.toml` in the project folder."""
        return self._context.workspace.project / "checks" / f"{self._snapshots.table(name).name}.toml"

    def add_checks(self, name: str, checks: Sequence[str | Check | Mapping[str, Any]]) -> list[Check]:
        """Declare checks for a table, in words (`range column=temp low=-30`) or as records; the checks with their names.

        Nothing is declared unless all of them could be run. Raises InvalidInput, AlreadyExists, NotFound.
        """
        from mlops_tui.domains.features import checks as engine
        from mlops_tui.domains.features import declared
        from mlops_tui.domains.features.check_kinds import validate

        table, snapshot = self._snapshots.resolve(name)
        path = self.checks_file(table.name)
        there = declared.read(path)
        wanted = [declared.parse(one) if isinstance(one, str) else _check(one) for one in checks]
        for one in wanted:
            validate(one, snapshot.columns)
        fresh = [one for one in engine.named([*there, *wanted])[len(there) :] if not _is_among(one, there)]
        if fresh:
            declared.add(path, fresh)
        return fresh

    def import_pandera(self, name: str, place: str, folder: Path | None = None) -> tuple[list[Check], list[str]]:
        """Declare the checks of a pandera schema (`FILE.py:SCHEMA` or a YAML file in `folder`); they, and what has no counterpart.

        Needs the extra `pandera`. Raises NotFound, InvalidInput, Unavailable; then nothing is declared.
        """
        from mlops_tui.domains.features import pandera_bridge

        found, left = pandera_bridge.to_checks(pandera_bridge.read(place, folder or Path()))
        return self.add_checks(name, found), left

    def export_pandera(self, name: str) -> str:
        """Python that makes a pandera schema of a table's columns and checks."""
        from mlops_tui.domains.features import pandera_bridge

        table, snapshot = self._snapshots.resolve(name)
        return pandera_bridge.to_source(table.name, snapshot.columns, self._wanted(table, snapshot))

    def drop_check(self, name: str, check: str) -> None:
        """Declare a check of a table no more. Raises NotFound."""
        from mlops_tui.domains.features import declared

        declared.drop(self.checks_file(name), check)

    def suggest_checks(self, ref: str) -> list[Check]:
        """Checks that hold for this snapshot, from its profile, with room to breathe."""
        from mlops_tui.domains.features import checks as engine
        from mlops_tui.domains.features import suggesting

        table, _ = self._snapshots.resolve(ref)
        return engine.named(suggesting.suggest(self.profile(ref), table))

    def _wanted(self, table: Table, snapshot: Snapshot) -> list[Check]:
        """The defaults, each unless a declared check of that kind and those columns stands in for it, and the declared ones."""
        from mlops_tui.domains.features import checks as engine
        from mlops_tui.domains.features import declared

        own = declared.read(self.checks_file(table.name))
        replaced = {(check.kind, check.columns) for check in own}
        defaults = engine.default_checks(table, snapshot)
        return [*(check for check in defaults if (check.kind, check.columns) not in replaced), *own]

    def _around(self, table: Table, snapshot: Snapshot, hold: Callable[[Table, Snapshot], str]) -> Surroundings:
        from mlops_tui.domains.features.checks import Surroundings

        def named(ref: str) -> str:
            return f"{table.name}{ref}" if ref.startswith("@") or not ref else ref

        versions = [one for one in self._store.versions(table) if one.version < snapshot.version]
        return Surroundings(
            view=lambda ref: hold(*self._snapshots.resolve(named(ref))),
            snapshot=lambda ref: (
                versions[0]
                if not ref and versions
                else self._snapshots.resolve(named(ref) if ref else snapshot.reference)[1]
            ),
            previous=versions[0] if versions else None,
            now=self._context.now(),
        )


def _check(check: Check | Mapping[str, Any]) -> Check:
    return check if isinstance(check, Check) else Check.from_dict(check)


def _is_among(check: Check, checks: Sequence[Check]) -> bool:
    """Whether the same check is there under any name: suggestions saved twice are declared once."""
    body = {**check.to_dict(), "name": ""}
    return any({**one.to_dict(), "name": ""} == body for one in checks)
