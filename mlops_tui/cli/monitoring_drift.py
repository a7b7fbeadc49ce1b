"""Drift on the command line: a report for a person, one column with every figure, and what tells a window from before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.core.printable import clean
from mlops_tui.domains.monitoring.records import figures

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.records import FeatureDrift, Performance, Report
    from mlops_tui.workbench import Workbench


@click.command("column")
@click.argument("deployment")
@click.argument("column")
@click.option("--report", "number", type=int, help="Which report; the newest that compared columns when left out.")
@json_option
@pass_workbench
def column(workbench: Workbench, deployment: str, column: str, number: int | None, as_json: bool) -> None:
    """Show every figure of one column, with its limit, its verdict and both distributions.

    \b
    Example: mlops monitors column churn age
    """
    workbench.monitoring.get(deployment)
    report = workbench.monitoring.report(number) if number else _newest(workbench, deployment)
    known = {one.name: one for one in (report.prediction, report.label) if one}
    known |= {one.name: one for one in report.features}
    if column not in known:
        raise NotFound(
            f"Report {report.id} has no column '{column}'.",
            hint=did_you_mean(column, known, "It has: " + ", ".join(map(clean, known))),
        )
    found = known[column]
    if as_json:
        emit_one(dataclasses.asdict(found) | {"report": report.id, "alpha": report.alpha}, True)
        return
    click.echo(click.style(clean(f"{column}: {_verdict(found)}"), bold=True))
    if found.note:
        click.echo(found.note)
    say_alpha(report)
    rows = [
        {"figure": name, "value": rounded(value), "limit": rounded(limit), "says": says}
        for name, value, limit, says in figures(found)
    ]
    emit(rows, [("figure", "Figure"), ("value", "Value"), ("limit", "Limit"), ("says", "Says")])
    if found.bins:
        click.echo()
        bins = [
            {"bin": name, "reference": f"{old:.1%}", "window": f"{new:.1%}"}
            for name, old, new in zip(found.bins, found.reference, found.current, strict=True)
        ]
        emit(bins, [("bin", "Bin"), ("reference", "At training"), ("window", "Now")])


@click.command("apart")
@click.argument("deployment")
@click.option(
    "--report", "number", type=int, help="Which report's window; the newest that compared columns when left out."
)
@json_option
@pass_workbench
def apart(workbench: Workbench, deployment: str, number: int | None, as_json: bool) -> None:
    """Let a classifier tell the window from what came before, and say by which columns; exit code 1 when it can.

    \b
    Example: mlops monitors apart churn
    """
    found = workbench.monitoring.apart(deployment, number)
    if as_json:
        emit_one(dataclasses.asdict(found) | {"told": found.told}, True)
    else:
        verdict = "can be told" if found.told else "cannot be told"
        click.echo(click.style(f"{deployment}: the window {verdict} from {found.against}", bold=True))
        click.echo(
            f"AUC {found.auc:.3f} ({found.low:.3f} to {found.high:.3f} with 99 %), {found.rows} rows; 0.5 is chance"
        )
        if found.told:
            rows = [{"column": name, "lost": f"{lost:.3f}"} for name, lost in found.columns.items()]
            emit(rows, [("column", "Column"), ("lost", "AUC lost without it")])
    if found.told:
        raise click.exceptions.Exit(1)


def print_report(report: Report) -> None:
    """A report for a person: the verdict, then columns with statistic against threshold, then how right it is."""
    click.echo(click.style(f"{report.deployment}: {report.verdict}", bold=True))
    click.echo(
        f"version {report.version}, {report.rows} predictions compared, {report.seen} new since the check before"
    )
    if report.error_rate is not None:
        latency = "-" if report.latency_p95_ms is None else f"{report.latency_p95_ms:.1f} ms"
        click.echo(f"failed requests {report.error_rate:.1%}, 95th percentile of latency {latency}")
    for note in report.notes:
        click.echo(clean(note))
    rows = [*report.features, *(one for one in (report.prediction, report.label) if one)]
    if rows:
        click.echo()
        columns = [("name", "Column"), ("psi", "PSI"), ("psi_limit", "Limit"), ("ks", "KS"), ("ks_limit", "Limit")]
        columns += [("shift", "Shift"), ("shift_limit", "Limit"), ("missing", "Missing"), ("verdict", "Verdict")]
        emit([_column(one) for one in rows], [*columns, ("note", "Note")])
        say_alpha(report)
    if report.joint is not None:
        _print_joint(report)
    for check in report.malformed:
        click.echo(clean(f"data quality: {check.text}"))
    if report.performance:
        click.echo()
        click.echo(_right(report.performance))


def say_alpha(report: Report) -> None:
    """The promise that stands beside every limit."""
    if report.alpha is not None:
        say(f"Of windows in which nothing changed, at most {report.alpha:.2%} have anything past a limit.")


def rounded(value: float | None) -> float | None:
    """Four digits."""
    return None if value is None else round(value, 4)


def _print_joint(report: Report) -> None:
    assert report.joint is not None
    moved = report.joint.drifted
    if not moved:
        click.echo(f"{report.joint.pairs} pairs of columns go together as they did.")
        return
    click.echo()
    rows = [
        {"pair": one.name, "then": one.reference, "now": one.current, "limit": f"{one.threshold:.3f} apart"}
        for one in moved
    ]
    emit(rows, [("pair", "No longer go together"), ("then", "Correlation then"), ("now", "Now"), ("limit", "Limit")])


def _newest(workbench: Workbench, deployment: str) -> Report:
    found = next((one for one in workbench.monitoring.reports(deployment) if one.features), None)
    if found is None:
        raise NotFound(
            f"No report of '{deployment}' compared columns yet.", hint=f"Check now: mlops monitors run {deployment}"
        )
    return found


def _verdict(found: FeatureDrift) -> str:
    if found.drifted:
        return "DRIFT"
    return "season" if found.seasonal else "ok" if found.psi is not None else "-"


def _column(found: FeatureDrift) -> dict[str, Any]:
    return {
        "name": found.name,
        "psi": rounded(found.psi),
        "psi_limit": rounded(found.psi_threshold),
        "ks": rounded(found.ks),
        "ks_limit": rounded(found.ks_threshold),
        "shift": rounded(found.rank_shift),
        "shift_limit": rounded(found.rank_threshold),
        "missing": f"{found.nulls:.1%}",
        "verdict": _verdict(found),
        "note": found.note,
    }


def _right(found: Performance) -> str:
    baseline = "" if found.baseline is None else f", {found.baseline:.4g} at training"
    text = f"{found.metric} {found.value:.4g} ({found.low:.4g} to {found.high:.4g}){baseline}, {found.labels} labels"
    if found.worse:
        text += "; worse than at training"
    if found.concept_drift:
        text += f"; errors rose at {clock.iso(found.concept_at)} ({found.concept_by or 'ADWIN'})"
    others = [f"{name} {value:.4g}" for name, value in found.metrics.items() if name != found.metric]
    return text + ("\n" + ", ".join(others) if others else "")
