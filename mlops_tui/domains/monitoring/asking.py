"""What a person asks of one report's rows beyond the report: read from the log and the version's package."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.monitoring import apart, locating

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.core.context import Context
    from mlops_tui.domains.monitoring.records import Apart, Report
    from mlops_tui.domains.monitoring.store import MonitoringStore
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

ROWS = 2000
REPORTS = 200


class Asking:
    """Reads only."""

    def __init__(self, context: Context, registry: Registry, serving: Serving, store: MonitoringStore) -> None:
        self._context = context
        self._registry = registry
        self._serving = serving
        self._store = store

    def apart(self, name: str, number: int | None) -> Apart:
        """The window of a report against the calm answers of its version before, else against the package's sample rows."""
        report = self._report(name, number)
        version = self._registry.version(f"{report.model}/{report.version}")
        profile = self._registry.profile(version.ref) or {"columns": {}}
        if report.since is None or report.until is None:
            raise InvalidInput(f"Report {report.id} compared no rows.", hint=f"See others: mlops monitors show {name}")
        change = self._begun(report)
        files = self._serving.prediction_files(name, None, report.until + 1, report.version)
        window, before = (
            locating.rows(self._context.lake, files, report.version, list(profile["columns"]), span, ROWS)
            for span in ((report.since, report.until + 1), (0, change))
        )
        if len(before) >= apart.LEAST:
            return apart.tell(before, window, f"{len(before)} answers from before")
        sample = self._sample(version.ref)
        return apart.tell(sample, window, f"the {len(sample)} sample rows of the model's package")

    def _begun(self, report: Report) -> int:
        """When the run of drifted windows that the report ends began (ms), else its window."""
        begun = report.since or 0
        for one in self._store.reports(report.deployment, REPORTS):  # newest first
            if one.version != report.version or one.id > report.id or not one.features:
                continue
            if one.id != report.id and not one.moved:
                break
            begun = min(begun, one.since if one.since is not None else begun)
        return begun

    def _report(self, name: str, number: int | None) -> Report:
        if number is None:
            found = next((one for one in self._store.reports(name, REPORTS) if one.features), None)
            if found is None:
                raise InvalidInput(
                    f"No report of '{name}' compared columns yet.", hint=f"Check now: mlops monitors run {name}"
                )
            return found
        found = self._store.report(number)
        if found is None or found.deployment != name:
            raise NotFound(f"'{name}' has no report {number}.", hint=f"See them: mlops monitors show {name}")
        return found

    def _sample(self, ref: str) -> pd.DataFrame:
        import pandas as pd

        folder = self._context.workspace.tmp / f"sample-{uuid.uuid4().hex}"
        try:
            return pd.read_parquet(self._registry.checkout(ref, folder) / "sample.parquet")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
