"""What monitors found as Prometheus families: every series that alert rules can look at, and drift and missing values by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.telemetry.prometheus import Family, gauge

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.measured import Standing
    from mlops_tui.domains.monitoring.odd_records import OddWindow
    from mlops_tui.domains.monitoring.records import FeatureDrift, Performance, Report
    from mlops_tui.workbench import Workbench

MOST_COLUMNS = 200
"""Of a wider model those that moved furthest: a time series for each of ten thousand columns helps nobody."""
GAPS = ("selection", "tpr", "fpr", "error")


class Watching:
    """The families of monitors, filled deployment by deployment."""

    def __init__(self) -> None:
        self.checked = gauge("mlops_monitor_checked_timestamp_seconds", "When the monitor last looked.")
        self.verdict = gauge("mlops_monitor_verdict", "What the newest report says.")
        self.rows = gauge("mlops_monitor_rows", "Rows the newest report compared.")
        self.moved = gauge("mlops_monitor_drifted_columns", "Columns past a threshold in the newest report.")
        self.psi = gauge("mlops_monitor_psi", "Population stability index by column in the newest report.")
        self.size = gauge("mlops_monitor_drift_ratio", "How far past its limit a column is; more than 1 is drift.")
        self.missing = gauge("mlops_monitor_missing_ratio", "Share of missing values by column.")
        self.outcome = gauge("mlops_monitor_outcome_psi", "Population stability index of predictions and labels.")
        self.pairs = gauge("mlops_monitor_parted_pairs", "Pairs of columns that no longer go together.")
        self.malformed = gauge("mlops_monitor_malformed", "Checks of data quality that failed in the newest report.")
        self.failed = gauge("mlops_monitor_failed_requests_ratio", "Share of failed requests in the newest report.")
        self.slow = gauge("mlops_monitor_latency_p95_seconds", "95th percentile of latency in the newest report.")
        self.performance = gauge("mlops_monitor_performance", "How right the model was on the newest labels.")
        self.bounds = gauge("mlops_monitor_performance_bound", "Ends of the 99 % interval of the performance.")
        self.baseline = gauge("mlops_monitor_performance_baseline", "The performance at training.")
        self.labels = gauge("mlops_monitor_labels", "Labelled predictions behind the performance.")
        self.concept = gauge("mlops_monitor_concept_drift", "Whether errors rose and have not come back.")
        self.coverage = gauge("mlops_monitor_label_coverage_ratio", "Share of predictions with a label so far.")
        self.estimate = gauge("mlops_monitor_performance_estimate", "The performance as estimated without labels.")
        self.gap = gauge("mlops_monitor_fairness_gap", "Gap between groups in the newest stretch of time.")
        self.gap_low = gauge("mlops_monitor_fairness_gap_low", "Lower end of the gap: what is surely there.")
        self.odd = gauge("mlops_monitor_outliers_ratio", "Share of rows unlike the training data in the newest window.")

    def families(self) -> Iterable[Family]:
        """All of them, those nobody fills too."""
        return list(vars(self).values())

    def report(self, names: dict[str, str], report: Report) -> None:
        """What the newest report says."""
        self.verdict.add(1, **names, verdict=report.verdict)
        self.rows.add(report.rows, **names)
        self.moved.add(len(report.drifted), **names)
        columns: dict[str, FeatureDrift] = {column.name: column for column in report.features}
        for column in sorted(columns.values(), key=lambda one: -one.size)[:MOST_COLUMNS]:
            self.psi.add(column.psi, **names, column=column.name)
            self.size.add(None if column.psi is None else column.size, **names, column=column.name)
            self.missing.add(None if column.psi is None else column.nulls, **names, column=column.name)
        for outcome, found in (("prediction", report.prediction), ("label", report.label)):
            self.outcome.add(found.psi if found else None, **names, outcome=outcome)
        self.pairs.add(len(report.joint.drifted) if report.joint else None, **names)
        failed = dict.fromkeys((one.column, one.check) for one in report.malformed)
        for name, what in list(failed)[:MOST_COLUMNS]:
            self.malformed.add(1, **names, column=name, check=what)
        self.failed.add(report.error_rate, **names)
        self.slow.add(None if report.latency_p95_ms is None else report.latency_p95_ms / 1000, **names)
        if report.performance is not None:
            self._performance(names, report.performance)

    def _performance(self, names: dict[str, str], found: Performance) -> None:
        self.performance.add(found.value, **names, metric=found.metric)
        self.bounds.add(found.low, **names, metric=found.metric, end="low")
        self.bounds.add(found.high, **names, metric=found.metric, end="high")
        self.baseline.add(found.baseline, **names, metric=found.metric)
        self.labels.add(found.labels, **names)
        self.concept.add(found.concept_drift, **names)

    def standing(self, names: dict[str, str], standing: Standing) -> None:
        """What was measured of the newest stretch of time."""
        newest = standing.stretches[-1] if standing.stretches else standing.whole
        self.coverage.add(newest.labels.coverage, **names)
        guess = newest.estimate(standing.metric)
        self.estimate.add(guess.value if guess else None, **names, metric=standing.metric)
        for measure in GAPS:
            found = newest.gap(measure)
            if found is not None:
                self.gap.add(found.value, **names, measure=measure)
                self.gap_low.add(found.low, **names, measure=measure)

    def window(self, names: dict[str, str], window: OddWindow) -> None:
        """The newest look for odd rows."""
        self.odd.add(window.share, **names)


def monitors(bench: Workbench) -> Iterable[Family]:
    """Of every monitor what it found last."""
    out, watched = Watching(), bench.monitoring
    for one in watched.list():
        names = {"deployment": one.deployment}
        out.checked.add(None if one.checked_at is None else one.checked_at / 1000, **names)
        report, standing = watched.latest(one.deployment), watched.insight.standing(one.deployment)
        if report is not None:
            out.report(names, report)
        if standing is not None:
            out.standing(names, standing)
        for window in watched.odd.windows(one.deployment, limit=1):
            out.window(names, window)
    return out.families()
