"""`mlops monitors performance | fairness | explain | report`: how right a deployment is, for whom, and what its drift is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.output import emit_one, json_option, pass_workbench, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tui.domains.monitoring.measured import Standing
    from mlops_tui.pages.page import Part
    from mlops_tui.workbench import Workbench

version_option = click.option("--version", type=int, help="An earlier version; the one in front when left out.")
NOTHING = "{name} has answered nothing that could be measured. Ask it: mlops predict {name} --help"


@click.command("performance")
@click.argument("deployment")
@version_option
@click.option("--slices", "only", flag_value="slices", help="Only the slices.")
@click.option("--over-time", "only", flag_value="time", help="Only stretch by stretch.")
@plotting.plot_options
@json_option
@pass_workbench
def performance(
    workbench: Workbench,
    deployment: str,
    version: int | None,
    only: str | None,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Show how right a deployment is: measures with intervals, estimates where labels are missing, weak slices, over time.

    Labels are taken in first, and stretches of time whose labels came late are measured again.

    \b
    Example: mlops monitors performance churn
    """
    from mlops_tui.pages import performance as pages

    plotting.alone(as_plot, as_json)
    standing = _measured(workbench, deployment, version)
    if as_json:
        emit_one(standing, True)
    elif standing is None:
        say(NOTHING.format(name=deployment))
    elif as_plot:
        _draw(pages.over_time(standing), as_ascii)
    else:
        parts: list[Part] = []
        parts += [] if only else pages.whole(standing)
        parts += pages.over_time(standing) if only != "slices" else []
        parts += pages.slices(standing) if only != "time" else []
        _print(pages.headline(standing) if not only else "", parts)


@click.command("fairness")
@click.argument("deployment")
@version_option
@plotting.plot_options
@json_option
@pass_workbench
def fairness(
    workbench: Workbench, deployment: str, version: int | None, as_plot: bool, as_ascii: bool, as_json: bool
) -> None:
    """Compare the groups of the sensitive columns: measures with intervals, and the gaps between groups over time.

    Columns come from [fairness] of the pipeline, or from: mlops monitors add NAME --sensitive COLUMN

    \b
    Example: mlops monitors fairness loans
    """
    from mlops_tui.pages import performance as pages

    plotting.alone(as_plot, as_json)
    standing, monitor = _measured(workbench, deployment, version), workbench.monitoring.get(deployment)
    if as_json:
        whole = standing.whole if standing else None
        emit_one(
            {
                "deployment": deployment,
                "version": whole.version if whole else None,
                "groups": whole.groups if whole else [],
                "gaps": whole.gaps if whole else [],
                "over_time": [
                    {"since": one.since, "until": one.until, "gaps": one.gaps}
                    for one in (standing.stretches if standing else [])
                ],
            },
            True,
        )
    elif standing is None:
        say(NOTHING.format(name=deployment))
    elif not standing.whole.groups:
        say(f"No groups to compare. Name a sensitive input: mlops monitors add {deployment} --sensitive COLUMN")
        for note in standing.notes:
            say(note)
    elif as_plot:
        _draw(pages.gaps_over_time(standing.stretches), as_ascii)
    else:
        _print("", pages.groups(standing.whole, monitor.group_rows))


@click.command("explain")
@click.argument("deployment")
@click.option("--report", "number", type=int, help="A report by its number; the newest one when left out.")
@plotting.plot_options
@json_option
@pass_workbench
def explain(
    workbench: Workbench, deployment: str, number: int | None, as_plot: bool, as_ascii: bool, as_json: bool
) -> None:
    """Explain a drift: which columns matter, since when, where they moved, and what that did to the answers.

    With --plot: the distribution of each column over that at training.

    \b
    Example: mlops monitors explain churn --plot
    """
    from mlops_tui.pages import drift

    plotting.alone(as_plot, as_json)
    found = workbench.monitoring.insight.explain(deployment, number)
    if as_json:
        emit_one(found, True)
        return
    parts = drift.explained(found, workbench.monitoring.report(found.report))
    if as_plot:
        _draw(parts, as_ascii)
    else:
        _print(f"{deployment}: report {found.report} of version {found.version}", parts)


@click.command("report")
@click.argument("deployment")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where to write; the ending says how.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@pass_workbench
def report(workbench: Workbench, deployment: str, out: Path, force: bool) -> None:
    """Write a deployment's monitoring as one Markdown or HTML file: performance, slices, fairness, drift, alerts.

    The HTML file has its charts inside and loads nothing.

    \b
    Example: mlops monitors report churn --out churn.html
    """
    from mlops_tui.pages import writing
    from mlops_tui.pages.monitoring import deployment as page_of

    writing.check(out, replace=force)
    _measured(workbench, deployment)
    writing.save(page_of(workbench, deployment), out)
    say(f"Wrote {out}.")


def _measured(workbench: Workbench, name: str, version: int | None = None) -> Standing | None:
    """Take in what lies in segments still, then measure what changed."""
    workbench.monitoring.get(name)
    workbench.serving.compact()
    return workbench.monitoring.insight.measure(name, version)


def _print(head: str, parts: Sequence[Part]) -> None:
    from mlops_tui.cli import pages

    if head:
        click.echo(click.style(head, bold=True))
        click.echo()
    pages.show(parts)


def _draw(parts: Sequence[Part], as_ascii: bool) -> None:
    from mlops_tui.cli import pages

    plotting.show(lambda on: pages.pictures(parts, on), ascii_only=as_ascii)
