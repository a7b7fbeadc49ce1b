"""`mlops monitors`: what deployments see and get wrong. `mlops alerts` lies beside it in alerts.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import monitoring_drift, monitoring_insight, monitoring_odd, plotting
from mlops_tui.cli.alerts import alerts
from mlops_tui.cli.monitoring_drift import print_report, rounded
from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.workbench import Workbench

__all__ = ["alerts", "monitors"]

NO_MONITORS = "No deployments, so nothing to monitor. Make one: mlops deployments create NAME MODEL@champion"
# A report that says this makes `monitors run` exit with 1, as any check that says no.
PLOTTED = 50  # reports behind a curve of PSI
BAD = {"drift", "performance", "unhealthy", "quality"}


@click.group()
def monitors() -> None:
    """Drift and performance of deployments; each has a monitor with defaults from its first day.

    \b
    Example: mlops monitors list
    """


@monitors.command("list")
@json_option
@pass_workbench
def list_monitors(workbench: Workbench, as_json: bool) -> None:
    """List monitors with what their last check found.

    \b
    Example: mlops monitors list --json
    """
    columns = [("deployment", "Deployment"), ("state", "State"), ("verdict", "Verdict"), ("version", "Version")]
    columns += [("checked_at", "Checked"), ("min_rows", "Min rows"), ("max_rows", "Window"), ("alpha", "Alpha")]
    emit(workbench.monitoring.list(), columns, as_json=as_json, empty=NO_MONITORS)


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that stand for the settings of a monitor."""
    for option in reversed(
        [
            click.option("--min-rows", type=int, help="New predictions a check waits for (200)."),
            click.option("--max-rows", type=int, help="Largest window; older predictions are passed over (2000)."),
            click.option(
                "--alpha", type=float, help="Chance of a false alarm per window, all columns together (0.01)."
            ),
            click.option("--need", type=int, help="Drifted windows that make an alert (2) ..."),
            click.option("--of", type=int, help="... of this many last ones (3)."),
            click.option("--margin", type=float, help="How much worse than the baseline is bad (0.1: ten percent)."),
            click.option("--min-labels", type=int, help="Labels needed before performance is judged (50)."),
            click.option("--max-error-rate", type=float, help="Share of failed requests that alarms (0.05)."),
            click.option("--max-latency-ms", type=float, help="95th percentile of latency that alarms (500)."),
            click.option(
                "--sensitive", multiple=True, metavar="INPUT", help="Compare the groups of this input; may be repeated."
            ),
            click.option(
                "--positive", metavar="ANSWER", help="The good answer, for fairness (the second of two classes)."
            ),
            click.option(
                "--slice", "slices", multiple=True, metavar="INPUT", help="Always show this input level by level."
            ),
            click.option("--group-rows", type=int, help="Groups with fewer rows are not compared (30)."),
        ]
    ):
        function = option(function)
    return function


@monitors.command("add")
@click.argument("deployment")
@settings_options
@json_option
@pass_workbench
def add_monitor(workbench: Workbench, deployment: str, as_json: bool, **settings: Any) -> None:
    """Set how a deployment is watched, or watch it again after its monitor was removed.

    \b
    Example: mlops monitors add churn --min-rows 500 --alpha 0.005
    """
    given = {name: value for name, value in settings.items() if value is not None and value != ()}
    # `--sensitive ""` names none: back to those of the pipeline.
    named = {
        name: [one for one in value if one] if isinstance(value, tuple) else value for name, value in given.items()
    }
    emit_one(workbench.monitoring.add(deployment, **named), as_json)


@monitors.command("show")
@click.argument("deployment")
@click.option("--history", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many reports to list.")
@click.option("--report", "number", type=int, help="This report, by its number, and no more.")
@plotting.plot_options
@json_option
@pass_workbench
def show_monitor(
    workbench: Workbench,
    deployment: str,
    history: int,
    number: int | None,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Show the settings of a monitor, its newest report column by column, and earlier verdicts.

    With --plot: the distribution of each column over that at training, and PSI over time.

    \b
    Example: mlops monitors show churn --plot
    """
    plotting.alone(as_plot, as_json)
    monitor = workbench.monitoring.get(deployment)
    one = workbench.monitoring.report(number) if number is not None else None
    if one is not None and one.deployment != deployment:
        raise NotFound(f"Report {number} is of {one.deployment}.", hint=f"mlops monitors show {deployment}")
    if one is not None and not as_plot:
        if as_json:
            emit_one(one, True)
        else:
            print_report(one)
        return
    reports = workbench.monitoring.reports(deployment, max(history, PLOTTED) if as_plot else history)
    if as_plot and reports:
        newest = one or next((report for report in reports if report.features), reports[0])
        draw = plotting.pictures().drift
        plotting.show(lambda on: draw(newest, reports, on), ascii_only=as_ascii)
        return
    if as_json:
        emit_one(
            {"monitor": monitor, "report": reports[0] if reports else None, "history": [*map(_line, reports)]}, True
        )
        return
    emit_one(monitor)
    if not reports:
        say("Not checked yet. Check now: mlops monitors run " + deployment)
        return
    click.echo()
    print_report(reports[0])
    click.echo("\nBefore")
    columns = [("id", "Report"), ("at", "At"), ("version", "Version"), ("rows", "Rows"), ("verdict", "Verdict")]
    columns += [("drifted", "Drifted"), ("metric", "Metric"), ("value", "Value")]
    emit([*map(_line, reports)], columns)


@monitors.command("run")
@click.argument("deployment", required=False)
@click.option("--all", "everything", is_flag=True, help="Check every active monitor.")
@click.option("--window", type=click.IntRange(min=2), help="Compare at most this many of the newest predictions.")
@json_option
@pass_workbench
def run_monitor(
    workbench: Workbench, deployment: str | None, everything: bool, window: int | None, as_json: bool
) -> None:
    """Check a deployment now; exit code 1 when something is wrong.

    \b
    Example: mlops monitors run churn
    """
    if bool(deployment) == everything:
        raise click.UsageError("Name a deployment, or say --all.")
    # What was answered a moment ago lies in segments still; a person who asks now means that too.
    workbench.serving.compact()
    reports = (
        [workbench.monitoring.check(deployment, window=window)] if deployment else workbench.monitoring.check_all()
    )
    if as_json:
        emit(reports, [], as_json=True) if everything else emit_one(reports[0], True)
    else:
        for place, report in enumerate(reports):
            if place:
                click.echo()
            print_report(report)
        if not reports:
            say(NO_MONITORS)
    if any(report.verdict in BAD for report in reports):
        raise click.exceptions.Exit(1)


for _command in (
    monitoring_drift.column,
    monitoring_drift.apart,
    monitoring_insight.performance,
    monitoring_insight.fairness,
    monitoring_insight.explain,
    monitoring_insight.report,
    monitoring_odd.outliers,
    monitoring_odd.clients,
):
    monitors.add_command(_command)


@monitors.command("pause")
@click.argument("deployment")
@why_option
@pass_workbench
def pause_monitor(workbench: Workbench, deployment: str, why: str) -> None:
    """Stop checking a deployment until resumed.

    \b
    Example: mlops monitors pause churn --why "data migration"
    """
    workbench.monitoring.pause(deployment, why)
    say(f"Paused the monitor of {deployment}.")


@monitors.command("resume")
@click.argument("deployment")
@why_option
@pass_workbench
def resume_monitor(workbench: Workbench, deployment: str, why: str) -> None:
    """Check a paused deployment again.

    \b
    Example: mlops monitors resume churn
    """
    workbench.monitoring.resume(deployment, why)
    say(f"Resumed the monitor of {deployment}.")


@monitors.command("remove")
@click.argument("deployment")
@why_option
@yes_option
@pass_workbench
def remove_monitor(workbench: Workbench, deployment: str, why: str, yes: bool) -> None:
    """Stop watching a deployment and end its alerts; its reports stay.

    \b
    Example: mlops monitors remove churn --yes
    """
    workbench.monitoring.get(deployment)
    confirm(f"Stop watching {deployment}?", yes=yes)
    workbench.monitoring.remove(deployment, why)
    say(f"Removed the monitor of {deployment}.")


def _line(report: Report) -> dict[str, Any]:
    found = report.performance
    return {
        "id": report.id,
        "at": report.at,
        "version": report.version,
        "rows": report.rows,
        "verdict": report.verdict,
        "drifted": [one.name for one in (*report.drifted, *(report.joint.drifted if report.joint else ()))],
        "metric": found.metric if found else None,
        "value": rounded(found.value) if found else None,
    }
