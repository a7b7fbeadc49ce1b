"""How right a deployment is over time, by slice and by group, with labels and without; and what its drift is about."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlops_tui.core.clock import DAY, HOUR
from mlops_tui.domains.monitoring.measure_store import KEEP, MeasureStore
from mlops_tui.domains.monitoring.monitors import main_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_tui.core.context import Context
    from mlops_tui.domains.monitoring.explained import Explanation
    from mlops_tui.domains.monitoring.measured import Standing, Stretch
    from mlops_tui.domains.monitoring.measuring import Log, Span, Wanted
    from mlops_tui.domains.monitoring.monitors import Monitor
    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.domains.monitoring.store import MonitoringStore
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

HORIZON = 30 * DAY
"""Labels later than this after their prediction change nothing any more."""
AGAIN = HOUR
"""A drift that stays is explained again so often."""
CLASSES = {"classification", "semi-supervised"}
FEW = 0.5


class Insight:
    """What `check` keeps measured beside its reports; `measure` does so at once."""

    def __init__(
        self,
        context: Context,
        registry: Registry,
        serving: Serving,
        monitor: Callable[[str], Monitor],
        reports: MonitoringStore,
    ) -> None:
        self._context = context
        self._registry = registry
        self._serving = serving
        self._monitor = monitor
        self._reports = reports
        self._store = MeasureStore(context)

    def standing(self, name: str) -> Standing | None:
        """What was last measured of the version that serves, None before the first time. Raises NotFound. Reads SQLite only."""
        return self._store.standing(self._monitor(name).deployment)

    def stretches(self, name: str, version: int | None = None, limit: int = KEEP) -> list[Stretch]:
        """Measured stretches of time, oldest first; of every version when none is named. Raises NotFound."""
        return self._store.stretches(self._monitor(name).deployment, version, limit)

    def series(self, name: str, series: str, since: int) -> list[tuple[int, float]]:
        """A number of each stretch from `since` (ms) on, one of `measure_store.SERIES`, for alert rules."""
        return self._store.series(name, series, since)

    def measure(self, name: str, version: int | None = None) -> Standing | None:
        """Measure the stretches whose predictions or labels changed since they were measured; None without a prediction.

        Late, corrected and repeated labels are counted where their prediction was made. Of the version in front, or of an earlier
        one. Raises NotFound. Imports pandas and duckdb.
        """
        from mlops_tui.domains.monitoring import measuring

        monitor, now = self._monitor(name), self._context.now()
        wanted = self._wanted(monitor, version)
        log = measuring.Log(self._context.lake, self._serving, wanted, now - HORIZON)
        minutes = log.per_minute()
        if not len(minutes):
            return None
        length = measuring.length_of(minutes, monitor.min_rows)
        spans = measuring.stretches_of(minutes, length, _settings(wanted))
        known = self._store.marks(name, wanted.version)
        # One that began before the horizon loses rows from its start: it stays as it was measured when it was whole.
        fresh = [one for one in spans if known.get((one.since, one.until)) != one.mark and one.since >= now - HORIZON]
        gone = [(name, wanted.version, since) for since, until in known if until - since != length]
        made = [(measuring.measure(log, wanted, one)[0], one.mark) for one in fresh]
        if made or gone:
            self._store.put(wanted.task.metric, made, gone)
        whole = measuring.together(spans)
        if version is not None:  # what stands is said of the version in front
            earlier = self._store.stretches(name, version, KEEP)
            return dataclasses.replace(self._whole(log, wanted, monitor, whole), stretches=earlier)
        if whole.mark != self._store.standing_mark(name):
            self._store.put_standing(self._whole(log, wanted, monitor, whole), whole.mark, now)
        return self._store.standing(name)

    def explain(self, name: str, report: int | None = None) -> Explanation:
        """What the drift of a report (the newest with columns) is about: since when, where, and what it did to the answers.

        Raises NotFound; InvalidInput where no report compared columns. Asks the model itself, aside (seconds).
        """
        from mlops_tui.domains.monitoring.explaining import Explainer

        explainer = Explainer(self._context, self._registry, self._serving, self._reports)
        found = explainer.explain(self._monitor(name), report)
        self._store.put_explanation(found)
        return found

    def explanation(self, name: str, report: int | None = None) -> Explanation | None:
        """What was found of a report's drift, or of the newest that was explained; None where none was. Reads SQLite only."""
        return self._store.explanation(name, report)

    def explained_lately(self, report: Report) -> bool:
        """Whether the same columns of the same version were explained within the hour: asking the model again would say the same."""
        found = self._store.explanation(report.deployment)
        if found is None or found.version != report.version or report.at - found.at >= AGAIN:
            return False
        return {one.name for one in found.moved} == {one.name for one in report.features if one.drifted}

    # -- inside --------------------------------------------------------------------------------------------------------

    def _wanted(self, monitor: Monitor, number: int | None = None) -> Wanted:
        from mlops_tui.domains.monitoring.fairness import Declared
        from mlops_tui.domains.monitoring.measures import Task, label_texts
        from mlops_tui.domains.monitoring.measuring import Wanted

        deployment = self._serving.get(monitor.deployment)
        version = self._registry.version(f"{deployment.model}/{number or main_version(deployment)}")
        profile = self._registry.profile(version.ref) or {}
        known = self._registry.evidence(version.ref)
        inputs = [str(one["name"]) for one in version.signature.get("inputs") or ()]
        task = Task(version.task in CLASSES, label_texts(version.signature.get("labels") or ()))
        sensitive = monitor.sensitive or _texts(known.fairness.get("sensitive"))
        positive = monitor.positive or str(known.fairness.get("positive") or "")
        return Wanted(
            deployment=monitor.deployment,
            version=version.version,
            task=task,
            inputs=tuple(dict.fromkeys([*(inputs or profile.get("columns", {})), *sensitive])),
            declared=Declared(tuple(sensitive), positive, monitor.group_rows),
            slices=tuple(monitor.slices or _texts((known.definition.get("evaluate") or {}).get("slices"))),
            learned=profile.get("trust"),
            baseline=(profile.get("baseline") or {}).get(task.metric),
            min_rows=monitor.min_rows,
        )

    def _whole(self, log: Log, wanted: Wanted, monitor: Monitor, span: Span) -> Standing:
        from mlops_tui.domains.monitoring import measuring, slices
        from mlops_tui.domains.monitoring.measured import Standing

        whole, frame = measuring.measure(log, wanted, span)
        labelled = frame[frame["label"].notna()]
        weak = slices.weakest(labelled, wanted.task, wanted.inputs, wanted.slices)
        notes = _notes(whole, wanted, monitor, log.missing)
        return Standing(whole, wanted.task.metric, wanted.baseline, weak, [], notes)


def _notes(whole: Stretch, wanted: Wanted, monitor: Monitor, missing: Sequence[str]) -> list[str]:
    labels, notes = whole.labels, []
    if not labels.labelled:
        notes.append("No prediction has a label yet, so nothing is known, only estimated.")
    elif labels.coverage < FEW:
        notes.append(
            f"Only {labels.coverage:.0%} of the predictions have a label so far; those that come early may be unlike the others."
        )
    if labels.contradicted:
        notes.append(f"{labels.contradicted} predictions were given different labels; the latest one counts.")
    if whole.measured < labels.rows:
        notes.append(f"Measured on {whole.measured:,} of {labels.rows:,} predictions, drawn by chance.")
    if missing:
        notes.append(f"Sensitive, but not among the inputs that were logged: {', '.join(missing)}.")
    if wanted.learned is None:
        notes.append(
            "Nothing was kept at registration to estimate performance from; register the model with test rows."
        )
    elif not wanted.learned["held_out"]:
        notes.append("The estimate was learned on rows the model was trained on, so it is too hopeful.")
    found, guess = whole.metric(wanted.task.metric), whole.estimate(wanted.task.metric)
    if found and guess and found.rows >= monitor.min_labels and _apart(found, guess):
        notes.append(
            f"Labels say {found.name} {found.value:.4g} where the estimate says {guess.value:.4g}: the same inputs lead to other"
            " outcomes than at training (concept drift), or the labelled predictions are unlike the others."
        )
    return notes


def _apart(first: Any, second: Any) -> bool:
    """Whether the intervals of two measures do not touch."""
    if None in (first.low, first.high, second.low, second.high):
        return False
    return bool(first.high < second.low or second.high < first.low)


def _settings(wanted: Wanted) -> str:
    return f"{wanted.task} {wanted.inputs} {wanted.declared} {wanted.slices} {bool(wanted.learned)}"


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
