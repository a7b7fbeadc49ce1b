"""The story of an alert in order: what was seen, who was told, what was trained, what the gate and the rollout said, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui import questions
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound, WorkbenchError

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.domains.pipelines.records import PipelineRun
    from mlops_tui.workbench import Workbench

AROUND = clock.MINUTE
"""A report that raises an alert is written at most so long before it."""
NAMED = 4
"""Columns named of a report."""
JOBS = 500
ABOUT_A_VERSION = (questions.RULE, "rollout")
REPORTS = 200


_DONE = {"acknowledge": "acknowledged", "silence": "silenced", "reopen": "opened again", "resolve": "resolved"}
_ANSWERED = {"approve": "approved", "refuse": "refused", "withdraw": "withdrawn"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story. `command` shows what it is about, whole."""

    at: int
    kind: str
    name: str
    words: str
    command: str


def tell(bench: Workbench, alert_id: int) -> list[Event]:
    """What happened around an alert, oldest first. Raises NotFound."""
    alert = bench.alerts.get(alert_id)
    events = [Event(alert.first_at, "alert", str(alert.id), _first(bench, alert), f"mlops alerts show {alert.id}")]
    for part in (_reports, _told, _handled, _held, _retrained):
        events += part(bench, alert)
    return sorted(events, key=lambda event: event.at)  # stable: what is said of one moment keeps its order


def markdown(bench: Workbench, alert_id: int) -> str:
    """The story as a page for a person: a heading, the state, and a table of what happened."""
    alert = bench.alerts.get(alert_id)
    end = f"resolved after {clock.duration((alert.resolved_at or 0) - alert.first_at)}" if alert.resolved_at else "open"
    rows = [
        f"| {clock.iso(one.at)} | {one.kind} {one.name} | {_cell(one.words)} | `{one.command}` |"
        for one in tell(bench, alert_id)
    ]
    head = [f"# Alert {alert.id}: {alert.title}", "", f"{alert.rule} of {alert.subject}, {alert.severity}, {end}.", ""]
    facts = [f"- {name}: {value}" for name, value in alert.facts.items()]
    table = ["| when | what | said | see |", "|---|---|---|---|", *rows]
    return "\n".join([*head, *facts, *([""] if facts else []), *table]) + "\n"


def _first(bench: Workbench, alert: Alert) -> str:
    """What it said when it began: each repetition brings newer words."""
    began = (
        entry.why
        for entry in bench.audit.list(1000, kind="alert", name=alert.subject, since=alert.first_at)
        if entry.verb == "raise" and isinstance(entry.before, dict) and entry.before.get("alert") == alert.id
    )
    title = next(began, "") or alert.title
    detail = f". {alert.detail}" if alert.detail and title == alert.title else ""
    return f"{alert.severity}: {title}{detail}"


def _reports(bench: Workbench, alert: Alert) -> Iterator[Event]:
    """What the monitor saw when it began, when its verdict changed, and at the end."""
    try:
        found = bench.monitoring.reports(alert.subject, REPORTS)
    except NotFound:
        return
    until = alert.resolved_at or bench.context.now()
    within = [one for one in reversed(found) if alert.first_at - AROUND <= one.at <= until]
    verdict: Any = None
    see = f"mlops monitors show {alert.subject}"
    for number, report in enumerate(within):
        if report.verdict != verdict or number == len(within) - 1:
            yield Event(report.at, "report", str(report.id), _seen(report), f"{see} --report {report.id}")
        verdict = report.verdict


def _seen(report: Report) -> str:
    parts = [f"version {report.version}: {report.verdict}"]
    if report.drifted:
        names = [column.name for column in report.drifted]
        rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        parts.append(f"{', '.join(names[:NAMED])}{rest} moved")
    right = report.performance
    if right is not None:
        against = "" if right.baseline is None else f" against {right.baseline:.4g} at training"
        parts.append(f"{right.metric} {right.value:.4g}{against} on {right.labels} labels")
    return "; ".join(parts)


def _told(bench: Workbench, alert: Alert) -> Iterator[Event]:
    for one in bench.alerts.telling.deliveries(alert=alert.id):
        words = f"{one.kind}, {one.state}" + (f": {one.error}" if one.error else "")
        yield Event(one.created_at, "told", one.channel, words, f"mlops alerts deliveries --alert {alert.id}")


def _handled(bench: Workbench, alert: Alert) -> Iterator[Event]:
    """What people and the daemon did with the alert itself."""
    for entry in bench.audit.list(1000, kind="alert", name=alert.subject, since=alert.first_at):
        if entry.verb != "raise" and isinstance(entry.before, dict) and entry.before.get("alert") == alert.id:
            words = f"{_DONE.get(entry.verb, entry.verb)} by {entry.actor}" + (f": {entry.why}" if entry.why else "")
            yield Event(entry.at, "alert", str(alert.id), words, f"mlops audit show {entry.id}")


def _held(bench: Workbench, alert: Alert) -> Iterator[Event]:
    """Triggers that this alert set off and that got no job: held back, skipped, or a dry run."""
    for fire in bench.schedules.fires(limit=JOBS, since=alert.first_at):
        slot = fire.slot.removeprefix("held:")
        if fire.job_id is None and (slot == f"alert:{alert.id}" or slot.startswith(f"alert:{alert.id}:")):
            see = f"mlops schedules fires {fire.schedule}"
            yield Event(fire.created_at, "trigger", fire.schedule, f"{fire.state}: {fire.reason}", see)


def _asked(bench: Workbench, ref: str, this: int) -> Iterator[Event]:
    """Whether people were asked to approve a version, by which alert but `this` they were told, and what they said."""
    for alert in bench.alerts.list(rule=questions.RULE, subject=ref.partition("/")[0], limit=JOBS):
        if alert.facts.get("version") == ref and alert.id != this:
            yield Event(alert.first_at, "alert", str(alert.id), alert.title, f"mlops alerts show {alert.id}")
            yield from _told(bench, alert)
    for request in bench.registry.approvals.list(ref.partition("/")[0]):
        if request.ref == ref:
            see = f"mlops models requests {request.model} --all"
            yield Event(request.asked_at, "approval", ref, f"asked by {request.asked_by}: {request.why}", see)
            for one in request.decisions:
                words = f"{_ANSWERED.get(one.verdict, one.verdict)} by {one.by}" + (f": {one.why}" if one.why else "")
                yield Event(one.at, "approval", ref, words, see)


def _retrained(bench: Workbench, alert: Alert) -> Iterator[Event]:
    """The runs it set off, with those that people resumed or let past the gate; of an alert about a version, the run that made it."""
    runs = {_made_by(bench, alert)} - {""} if alert.rule in ABOUT_A_VERSION else set()
    for job in reversed(bench.jobs.list(kind="pipeline", limit=JOBS)):
        cause = job.cause or {}
        if cause.get("alert") == alert.id or cause.get("run") in runs or job.spec.get("run_id") in runs:
            runs.add(str(job.spec.get("run_id")))
            yield from _training(bench, job, alert.id)


def _made_by(bench: Workbench, alert: Alert) -> str:
    try:
        return bench.registry.version(str(alert.facts.get("version"))).pipeline_run
    except WorkbenchError:  # it was removed
        return ""


def _training(bench: Workbench, job: Job, this: int) -> Iterator[Event]:
    cause = job.cause or {}
    reason = str(cause.get("reason") or cause.get("why") or "")
    reason = reason or " ".join(str(cause[name]) for name in ("kind", "by") if cause.get(name))
    yield Event(job.created_at, "job", str(job.id), f"retraining of {job.name}: {reason}", f"mlops jobs show {job.id}")
    try:
        run = bench.pipelines.get_run(str(job.spec["run_id"]))
    except (NotFound, KeyError):
        return
    see = f"mlops pipelines show {run.id}"
    if run.verdict is not None:
        failed = [check.name for check in run.verdict.checks if check.passed is False]
        words = f"{run.verdict.outcome}: {run.verdict.reason or f'{len(run.verdict.checks)} checks'}"
        words += f" (not passed: {', '.join(failed)})" if failed else ""
        words += f"; compared with {run.verdict.champion}" if run.verdict.champion else ""
        judged = next((step.ended_at for step in run.steps if step.name == "gate"), None)
        yield Event(
            judged or run.ended_at or job.created_at, "gate", run.id[:8], words, f"mlops pipelines gate {run.id}"
        )
    if run.version:
        yield from _asked(bench, run.version, this)
        yield from _carried_on(bench, run)
    if run.ended_at is not None:
        yield from _ended(run, see)
    for rollout in bench.serving.rollouts.list(limit=JOBS):
        if run.version and rollout.ref == run.version:
            see = f"mlops deployments rollout {rollout.deployment} --number {rollout.id}"
            shares = ", ".join(f"{share:g} %" for share in rollout.steps)
            begins = f"{rollout.ref} begins with {rollout.steps[0]:g} % of {rollout.deployment} (steps {shares})"
            yield Event(rollout.began_at, "rollout", str(rollout.id), begins, see)
            if rollout.ended_at is not None:
                yield Event(rollout.ended_at, "rollout", str(rollout.id), f"{rollout.state}: {rollout.reason}", see)


def _ended(run: PipelineRun, see: str) -> Iterator[Event]:
    """How a run ended; one that people were asked about ends twice, with the question and with what the answer led to."""
    assert run.ended_at is not None
    made = f" with {run.version}" if run.version else ""
    later = next((step for step in run.steps if step.name == "deploy" and (step.ended_at or 0) > run.ended_at), None)
    end = f"{run.state}{made}" + (f": {run.error}" if run.error else "")
    if later is None or later.ended_at is None:
        yield Event(run.ended_at, "pipeline run", run.id[:8], end, see)
        return
    yield Event(run.ended_at, "pipeline run", run.id[:8], f"waiting{made}", see)
    yield Event(later.ended_at, "pipeline run", run.id[:8], end if run.error else f"{end}: {later.detail}", see)


def _carried_on(bench: Workbench, run: PipelineRun) -> Iterator[Event]:
    for job in bench.jobs.list(kind="carry_on", limit=JOBS):
        if job.spec.get("run_id") == run.id:
            words = f"{job.title}: {job.state}" + (f", {job.error}" if job.error else "")
            yield Event(job.created_at, "job", str(job.id), words, f"mlops jobs show {job.id}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
