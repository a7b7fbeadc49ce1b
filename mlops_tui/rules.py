"""Where the numbers of alert rules come from: hardware, what runs and jobs take of it, traffic of deployments, reports of monitors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.alerts import bounds
from mlops_tui.domains.alerts.rules import Watch
from mlops_tui.telemetry import loads, running

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.rules import Judgement, Rule
    from mlops_tui.domains.alerts.ruling import Values
    from mlops_tui.workbench import Workbench

COUNTED = ("requests", "rows", "errors", "client_errors", "server_errors", "rate", "in_flight")
"""Figures of traffic that are zero when nobody asks."""
TRAFFIC = (*COUNTED, "error_rate", "success_rate", "p50_ms", "p95_ms", "p99_ms")
GAPS = ("selection_gap", "tpr_gap", "fpr_gap", "error_gap")
STRETCHES = ("coverage", "estimate", *GAPS, *(f"{name}_low" for name in GAPS))
"""Of every stretch of time that a monitor measured; `_low` is the lower end of the interval: what is surely there."""
MONITOR = ("psi", "performance", "error_rate", "latency_p95_ms", "outliers", *STRETCHES)
STEP = 10 * clock.SECOND
REPORTS = 500
SERIES = (
    *(f"deployment.{name}" for name in (*TRAFFIC, *loads.SERIES, *loads.OF_DEPLOYMENTS)),
    *(f"monitor.{name}" for name in MONITOR),
    *(f"{kind}.{name}" for kind in running.KINDS for name in loads.SERIES),
    "hardware.cpu", "hardware.memory", "hardware.disk", "hardware.load", "hardware.swap", "hardware.temperature",
)  # fmt: skip
"""What rules can look at; of `hardware` any series that is recorded, such as hardware.gpu0_temperature."""
SHARES = ("deployment.error_rate", "monitor.error_rate", "monitor.outliers")
"""Those that are shares of failures, whose budget can burn."""


def check(bench: Workbench, rule: Rule) -> None:
    """Raise InvalidInput or NotFound for a series or a subject that there is not, and for a limit beyond what a series can be."""
    bounds.check(rule)
    kind, _, name = rule.series.partition(".")
    if kind == "hardware":
        if rule.test is Watch.BURNS:
            raise InvalidInput(f"{rule.series} is no share of failures.", hint=f"One of: {', '.join(SHARES)}")
        known = bench.hardware.series() or [one.partition(".")[2] for one in SERIES if one.startswith("hardware.")]
        if name not in known:
            hint = did_you_mean(name, known, ", ".join(known))
            raise InvalidInput(f"There is no series '{rule.series}'.", hint=hint)
        if rule.subject:
            raise InvalidInput("A rule about this machine has no --of.")
        return
    if rule.series not in SERIES:
        hint = did_you_mean(rule.series, SERIES, ", ".join(SERIES))
        raise InvalidInput(f"There is no series '{rule.series}'.", hint=hint)
    if rule.test is Watch.BURNS and rule.series not in SHARES:
        raise InvalidInput(f"{rule.series} is no share of failures.", hint=f"One of: {', '.join(SHARES)}")
    if kind in running.KINDS:
        running.check(bench, kind, rule.subject)
        return
    if not rule.subject:
        raise InvalidInput(f"{rule.series} needs a deployment.", hint="Name it: --of NAME")
    bench.serving.get(rule.subject)


def evaluate(bench: Workbench) -> dict[str, Judgement]:
    """Look at every rule and raise or resolve its alert; of a deployment that is gone it ends the alert."""
    return bench.alerts.rules.evaluate(source(bench))


def source(bench: Workbench) -> Values:
    """Where rules of this workspace take their values from."""
    return lambda rule, since, step: _found(bench, rule, since, step)


def values(bench: Workbench, rule: Rule, since: int, step: int = 0) -> Sequence[Sequence[float]]:
    """What a rule looks at, from `since` on, oldest first: (ms, value) or (ms, value, weight), at best one for each `step` ms."""
    return _found(bench, rule, since, step) or []


def _found(bench: Workbench, rule: Rule, since: int, step: int) -> Sequence[Sequence[float]] | None:
    """None when what the rule looks at was removed; a GPU that fell off the bus has no values and is not gone."""
    kind, _, name = rule.series.partition(".")
    try:
        if kind in ("deployment", "monitor"):
            bench.serving.get(rule.subject)
        points = max(300, (bench.context.now() - since) // step) if step else 300
        if kind == "hardware":
            return [(at, mean) for at, _, mean, _ in bench.hardware.history(name, since, points=points)]
        if kind in running.KINDS:
            return running.values(bench, rule, since, points)
        if kind == "deployment" and name not in TRAFFIC:
            found = bench.hardware.load_history(f"deployment {rule.subject}", name, since, points=points)
            return [(at, mean) for at, _, mean, _ in found]
        if kind == "deployment":
            return _traffic(bench, rule, name, since, max(step, STEP))
        return _reports(bench, rule.subject, name, since)
    except NotFound:
        return [] if kind == "hardware" else None


def _traffic(bench: Workbench, rule: Rule, name: str, since: int, step: int) -> Sequence[tuple[int, float, float]]:
    found: list[tuple[int, float, float]] = []
    over = bench.context.now() - step
    for point in bench.serving.series(rule.subject, since, step):
        counted = name in COUNTED and rule.test is not Watch.ABSENT
        if counted and point.at > over:
            continue  # this step has not ended, so its count is not comparable
        if not counted and not point.requests:
            continue  # nobody asked, so there is neither a share of errors nor a latency
        failed = point.errors / point.requests if point.requests else 0.0
        shares = {"error_rate": failed, "success_rate": 1 - failed}
        value = shares[name] if name in shares else getattr(point, name) or 0.0
        if name in COUNTED and name not in ("rate", "in_flight") and step > STEP:
            value *= STEP / step  # always so many in ten seconds
        found.append((point.at, float(value), float(point.requests if name == "error_rate" else 1)))
    return found


def _reports(bench: Workbench, deployment: str, name: str, since: int) -> Sequence[Sequence[float]]:
    if name in STRETCHES:
        now = bench.context.now()  # the last stretch has not ended yet
        return [(min(at, now), value) for at, value in bench.monitoring.insight.series(deployment, name, since)]
    if name == "outliers":
        return [
            (one.at, one.share, float(one.rows))
            for one in reversed(bench.monitoring.odd.windows(deployment, since, REPORTS))
        ]
    found: list[tuple[int, float]] = []
    for report in reversed(bench.monitoring.reports(deployment, REPORTS)):
        value = {
            "psi": report.max_psi,
            "performance": report.performance.value if report.performance else None,
            "error_rate": report.error_rate,
            "latency_p95_ms": report.latency_p95_ms,
        }[name]
        if report.at >= since and value is not None:
            found.append((report.at, value))
    return found
