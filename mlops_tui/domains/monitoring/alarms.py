"""Which alerts a report raises and which it ends. Pure: a report and the votes in, moves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_tui.core.clock import iso
from mlops_tui.domains.monitoring.monitors import Monitor
from mlops_tui.domains.monitoring.records import FeatureDrift, Pair, Performance, Report

RULES = ("drift", "quality", "performance", "error_rate", "latency")
PROBING = "probing"
NAMED = 3
MISTAKES = {"type", "infinite", "clock"}


@dataclass(frozen=True, slots=True)
class Move:
    """Raise the alert of this rule, or end it when `raised` is False."""

    rule: str
    raised: bool
    severity: str = "warning"
    title: str = ""
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def moves(report: Report, monitor: Monitor, votes: Sequence[bool]) -> Iterator[Move]:
    """What to do about each rule; nothing for rules this report says nothing about.

    `votes` are the last windows of the version, newest first, this one included: one window alone may be chance.
    """
    if votes and report.rows:
        yield from _drift(report, monitor, votes)
        yield _quality(report)
    if report.performance is not None:
        yield _performance(report, report.performance)
    if report.error_rate is not None:
        yield _error_rate(report, monitor, report.error_rate)
    if report.latency_p95_ms is not None:
        yield _latency(report, monitor, report.latency_p95_ms)


def _drift(report: Report, monitor: Monitor, votes: Sequence[bool]) -> Iterator[Move]:
    enough = sum(votes[: monitor.of]) >= monitor.need
    drifted, pairs = report.drifted, report.joint.drifted if report.joint else []
    if not report.moved:
        if not enough:
            yield Move("drift", raised=False)
        return
    if enough:
        moved = "moved away from the training data" if drifted else "no longer go together as in the training data"
        names = _listed([each.name for each in drifted or pairs])
        yield Move(
            "drift",
            raised=True,
            title=f"{report.deployment}: {names} {moved}",
            detail="; ".join([*map(sentence, drifted), *map(pair_sentence, pairs)][:NAMED])
            + f". {sum(votes[: monitor.of])} of the last {len(votes[: monitor.of])} windows drifted"
            + f" ({report.rows} predictions of version {report.version} in this one).",
            facts={
                "report": report.id,
                "version": report.version,
                "rows": report.rows,
                "columns": {
                    column.name: {
                        "psi": column.psi,
                        "psi_threshold": column.psi_threshold,
                        "ks": column.ks,
                        "ks_threshold": column.ks_threshold,
                    }
                    for column in drifted
                },
                "pairs": {pair.name: [pair.reference, pair.current] for pair in pairs[:NAMED]},
            },
        )


def sentence(column: FeatureDrift) -> str:
    """`temp: PSI 0.42 (limit 0.08), KS 0.31 (limit 0.09), mean 12.1 -> 18.9`."""
    parts = []
    if column.psi is not None and column.psi_threshold is not None:
        parts.append(f"PSI {column.psi:.3g} (limit {column.psi_threshold:.2g})")
    if column.ks is not None and column.ks_threshold is not None:
        parts.append(f"KS {column.ks:.3g} (limit {column.ks_threshold:.2g})")
    if column.mean is not None and column.mean_reference is not None:
        parts.append(f"mean {column.mean_reference:.4g} -> {column.mean:.4g}")
    if column.nulls - column.nulls_reference > 0.01:
        parts.append(f"missing {column.nulls_reference:.1%} -> {column.nulls:.1%}")
    return f"{column.name}: {', '.join(parts)}"


def _quality(report: Report) -> Move:
    # A column that drifted is told of as such; what else is odd about its values would only say it twice.
    moved = {column.name for column in report.drifted}
    failed = [check for check in report.malformed if check.column not in moved or check.check in MISTAKES]
    if not failed:
        return Move("quality", raised=False)
    names = _listed(list(dict.fromkeys(check.column or check.check for check in failed)))
    return Move(
        "quality",
        raised=True,
        title=f"{report.deployment}: requests are not as they were ({names})",
        detail=f"{'; '.join(check.text for check in failed[:NAMED])}. {report.rows} predictions of version {report.version}.",
        facts={"report": report.id, "version": report.version, "checks": {check.text: check.value for check in failed}},
    )


def pair_sentence(pair: Pair) -> str:
    """`temp with humidity: correlation -0.61 -> 0.05 (limit 0.12 apart)`."""
    return f"{pair.name}: correlation {pair.reference:.2f} -> {pair.current:.2f} (limit {pair.threshold:.2g} apart)"


def _performance(report: Report, found: Performance) -> Move:
    if not found.worse and not found.concept_drift:
        return Move("performance", raised=False)
    was = "" if found.baseline is None else f" against {found.baseline:.4g} at training"
    reasons = []
    if found.worse:
        reasons.append(
            f"{found.metric} is {found.value:.4g}{was} ({found.low:.4g} to {found.high:.4g} with 99 % confidence)"
        )
    if found.concept_drift:
        reasons.append(f"the stream of errors rose at {iso(found.concept_at)} ({found.concept_by or 'ADWIN'})")
    return Move(
        "performance",
        raised=True,
        severity="critical",
        title=f"{report.deployment}: version {report.version} {_in_short(found, was)}",
        detail=f"{'; '.join(reasons)}. Measured on the newest {found.labels} labelled predictions.",
        facts={
            "report": report.id,
            "version": report.version,
            "metric": found.metric,
            "value": found.value,
            "baseline": found.baseline,
            "labels": found.labels,
            "concept_drift": found.concept_drift,
        },
    )


def _in_short(found: Performance, was: str) -> str:
    """Say only what the numbers show: a rise within a window can leave the window's mean where it was."""
    if found.worse:
        return f"predicts worse than it did ({found.metric} {found.value:.4g}{was})"
    return f"makes larger errors since {iso(found.concept_at)} ({found.metric} {found.value:.4g} over the window{was})"


def _error_rate(report: Report, monitor: Monitor, rate: float) -> Move:
    if rate <= monitor.max_error_rate:
        return Move("error_rate", raised=False)
    return Move(
        "error_rate",
        raised=True,
        severity="critical",
        title=f"{report.deployment}: {rate:.1%} of requests failed",
        detail=f"The limit is {monitor.max_error_rate:.1%}; {report.seen} requests since the check before.",
        facts={"report": report.id, "error_rate": rate, "limit": monitor.max_error_rate},
    )


def _latency(report: Report, monitor: Monitor, p95: float) -> Move:
    if p95 <= monitor.max_latency_ms:
        return Move("latency", raised=False)
    return Move(
        "latency",
        raised=True,
        title=f"{report.deployment}: one request in twenty takes longer than {p95:.0f} ms",
        detail=f"The limit for the 95th percentile is {monitor.max_latency_ms:.0f} ms.",
        facts={"report": report.id, "latency_p95_ms": p95, "limit": monitor.max_latency_ms},
    )


def _listed(names: list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
