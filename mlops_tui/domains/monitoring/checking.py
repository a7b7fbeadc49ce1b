"""One check: read the window, score each column, judge the labels. Reads only; the service keeps what comes out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.clock import DAY
from mlops_tui.domains.monitoring import concept, inputs, performance, quality, seasons, windows
from mlops_tui.domains.monitoring.compare import compare
from mlops_tui.domains.monitoring.counting import counted
from mlops_tui.domains.monitoring.monitors import Detector, Monitor
from mlops_tui.domains.monitoring.records import FeatureDrift, Performance, Report, Verdict
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.monitoring.store import MonitoringStore
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.records import Deployment
    from mlops_tui.domains.serving.service import Serving

LABEL_HORIZON = 30 * DAY
CLASSES = {"classification", "semi-supervised"}
MAX_LABEL_LEVELS = 20

Fed = list[tuple[str, int]]
Wanted = dict[str, tuple[str, dict[str, Any]]]


class Check:
    """What one check needs to read."""

    def __init__(self, context: Context, registry: Registry, serving: Serving, store: MonitoringStore) -> None:
        self._context = context
        self._registry = registry
        self._serving = serving
        self._store = store

    def run(self, monitor: Monitor, deployment: Deployment, number: int) -> tuple[Report, Detector | None, Fed]:
        """A report without a number, the detector as it is now, and the predictions whose labels it was fed."""
        version = self._registry.version(f"{deployment.model}/{number}")
        profile = self._registry.profile(version.ref)
        report = self._window(monitor, deployment, number, profile)
        rows = self._labelled(deployment.name, number)
        found, detector, fed = self._labels(monitor, deployment.name, version, profile, rows)
        label = _label_drift(monitor, profile, rows) if fed else None
        report = dataclasses.replace(report, performance=found, label=label, alpha=monitor.alpha)
        return dataclasses.replace(report, verdict=_verdict(report, monitor, profile, bool(fed))), detector, fed

    # -- inputs and predictions ----------------------------------------------------------------------------------------

    def _window(self, monitor: Monitor, deployment: Deployment, number: int, profile: dict[str, Any] | None) -> Report:
        since = monitor.until if monitor.until is not None else -1
        files = self._serving.prediction_files(deployment.name, since + 1, version=number)
        lake = self._context.lake
        traffic = windows.traffic(lake, files, number, since)
        report = Report(
            id=0,
            deployment=deployment.name,
            model=deployment.model,
            version=number,
            at=self._context.now(),
            since=None,
            until=monitor.until,
            rows=0,
            seen=traffic.seen,
            verdict=Verdict.WAITING,
        )
        if traffic.seen < monitor.min_rows:
            return dataclasses.replace(report, notes=[f"{traffic.seen} of {monitor.min_rows} new predictions."])
        columns: dict[str, Any] = profile["columns"] if profile else {}
        window = windows.newest(lake, files, number, since, list(columns), monitor.max_rows, traffic.answered)
        rows = min(traffic.answered, monitor.max_rows)
        report = dataclasses.replace(
            report,
            since=traffic.since,
            until=traffic.until,
            rows=rows,
            error_rate=traffic.error_rate,
            latency_p95_ms=traffic.latency_p95_ms,
            notes=_notes(window, profile, traffic, rows),
        )
        if profile is None or rows < monitor.min_rows:
            return report
        history = self._serving.prediction_files(deployment.name, version=number)
        before = self._store.calm_until(deployment.name, number)

        def same_times(wanted: Wanted, covered: tuple[int, int]) -> seasons.Season:
            return seasons.same_times(lake, history, number, wanted, covered, before or covered[0])

        report, scan = inputs.compared(lake, report, window, profile, monitor.alpha, same_times)
        if scan is None or scan.since is None:
            return report
        known = {name: columns[name] for name in columns if name not in window.missing}
        checks = quality.check(known, scan, window.missing, monitor.alpha, scan.until)
        rates = self._store.rates(deployment.name, number)
        checks += quality.traffic(traffic.seen, traffic.since, traffic.until, self._context.now(), rates)
        return dataclasses.replace(report, since=scan.since, quality=checks)

    # -- labels --------------------------------------------------------------------------------------------------------

    def _labelled(self, name: str, number: int) -> pd.DataFrame:
        """The labelled predictions of a version, in the order their labels came."""
        rows = self._serving.labelled(name, self._context.now() - LABEL_HORIZON, None)
        return rows[rows["version"] == number].sort_values(["label_at", "id"], ignore_index=True)

    def _labels(
        self, monitor: Monitor, name: str, version: Version, profile: dict[str, Any] | None, rows: pd.DataFrame
    ) -> tuple[Performance | None, Detector | None, Fed]:
        """How right the newest labelled predictions are; each label goes to the detector once, in order of arrival."""
        if not len(rows):
            return None, None, []
        classification = version.task in CLASSES
        baseline = (profile or {}).get("baseline") or {}
        fed = self._store.fed(name)
        fresh = rows[~rows["id"].isin(fed)].reset_index(drop=True)
        detector = self._detector(name, version.version, profile, classification)
        labels = version.signature.get("labels") or ()
        if len(fresh):
            judged = performance.judge(fresh, classification=classification, labels=labels)
            times = [int(at) for at in fresh["label_at"][judged.usable]]
            errors = concept.normalised(judged.errors, baseline.get("mae"), classification=classification)
            detector = concept.watch(
                detector,
                errors,
                times,
                classification=classification,
                reference=self._expected(profile, classification),
                margin=monitor.margin,
            )
        recent = rows.tail(monitor.max_rows)
        judged = performance.judge(recent, classification=classification, labels=labels)
        newest = concept.normalised(judged.errors, baseline.get("mae"), classification=classification)
        detector = concept.calmed(detector, newest[-monitor.min_labels :], monitor.margin)
        found = _judgement(monitor, recent, judged, baseline, detector, classification, len(fresh))
        return found, detector, [(str(each), int(at)) for each, at in zip(fresh["id"], fresh["at"], strict=True)]

    def _detector(self, name: str, number: int, profile: dict[str, Any] | None, classification: bool) -> Detector:
        """The detector so far; a new version starts from the errors it made on its reference data."""
        known = self._store.detector(name)
        if known is not None and known.version == number:
            return known
        start = self._expected(profile, classification)
        warmed = concept.watch(Detector(number), start, [0] * len(start), classification=classification)
        return Detector(number, warmed.errors)  # an alarm inside the reference data is no news

    @staticmethod
    def _expected(profile: dict[str, Any] | None, classification: bool) -> list[float]:
        """The errors on the reference data, as the detectors take them."""
        errors = np.asarray((profile or {}).get("errors") or [], dtype=np.float64)
        baseline = ((profile or {}).get("baseline") or {}).get("mae")
        return concept.normalised(errors, baseline, classification=classification)


def _label_drift(monitor: Monitor, profile: dict[str, Any] | None, rows: pd.DataFrame) -> FeatureDrift | None:
    """The newest true values against those of the reference; None while there are few."""
    target = (profile or {}).get("target")
    recent = rows["label"].tail(monitor.max_rows)
    if profile is None or not target or recent.notna().sum() < monitor.min_labels:
        return None
    return compare(inputs.LABEL, target, counted(recent, target), inputs.each_alpha(profile, monitor.alpha))


def _notes(window: windows.Window, profile: dict[str, Any] | None, traffic: windows.Traffic, rows: int) -> list[str]:
    notes = []
    if profile is None:
        notes.append("The version has no reference profile, so its inputs cannot be compared.")
    elif not profile["rows"]:
        notes.append("The reference profile has no rows.")
    if traffic.answered > rows:
        notes.append(f"The newest {rows} of {traffic.answered} new predictions were compared.")
    if window.unknown:
        notes.append(f"Inputs the reference does not have: {', '.join(sorted(window.unknown))}.")
    if window.missing:
        notes.append(f"Inputs that are no longer sent: {', '.join(sorted(window.missing))}.")
    return notes


def _judgement(
    monitor: Monitor,
    rows: pd.DataFrame,
    judged: performance.Judged,
    baseline: dict[str, Any],
    detector: Detector,
    classification: bool,
    fresh: int,
) -> Performance | None:
    """The metric with its interval against the baseline; None without a single usable label."""
    if not judged.errors.size:
        return None
    low, high = performance.interval(judged.errors, classification=classification)
    value, known = float(judged.errors.mean()), baseline.get(judged.metric)
    before = None if known is None else (1 - known if classification else known)
    limit = None if before is None else performance.limit_of(before, monitor.margin, classification=classification)
    if classification:
        value, low, high = 1 - value, 1 - high, 1 - low
    # The whole interval has to lie on the wrong side: a bad day of few labels is not yet a bad model.
    worse = limit is not None and ((1 - high) > limit if classification else low > limit)
    return Performance(
        metric=judged.metric,
        value=value,
        low=low,
        high=high if np.isfinite(high) else value,
        baseline=known,
        labels=int(judged.errors.size),
        new_labels=fresh,
        since=int(rows["label_at"].min()),
        until=int(rows["label_at"].max()),
        worse=worse and judged.errors.size >= monitor.min_labels,
        concept_drift=detector.concept_at is not None,
        concept_at=detector.concept_at,
        concept_by=detector.by,
        evidence=round(concept.evidence(detector.few), 3),
        metrics=judged.metrics,
        baseline_metrics={key: float(number) for key, number in baseline.items() if key != "rows"},
        label_shares=_shares(rows["label"]) if classification else {},
    )


def _shares(labels: pd.Series[Any]) -> dict[str, float]:
    counts = labels.dropna().map(level_text).value_counts(normalize=True)
    return {str(level): round(float(share), 6) for level, share in counts.head(MAX_LABEL_LEVELS).items()}


def _verdict(report: Report, monitor: Monitor, profile: dict[str, Any] | None, new_labels: bool) -> Verdict:
    found = report.performance
    if not report.rows and report.error_rate is None and not new_labels:
        return Verdict.WAITING
    if found is not None and (found.worse or found.concept_drift):
        return Verdict.PERFORMANCE
    slow = report.latency_p95_ms is not None and report.latency_p95_ms > monitor.max_latency_ms
    if slow or (report.error_rate is not None and report.error_rate > monitor.max_error_rate):
        return Verdict.UNHEALTHY
    if report.moved:
        return Verdict.DRIFT
    if report.malformed:
        return Verdict.QUALITY
    return Verdict.NO_REFERENCE if profile is None or not profile["rows"] else Verdict.OK
