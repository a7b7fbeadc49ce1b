"""Rows unlike the training data, and clients that ask as attackers do: `mlops monitors outliers | clients`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import emit, json_option, pass_workbench
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.command("outliers")
@click.argument("deployment")
@click.option(
    "--windows", "as_windows", is_flag=True, help="The share of each window that was looked at, not the rows."
)
@click.option("--now", "look", metavar="SPAN", help="Look at the rows of this last span now, as in 1h, neighbours too.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
@pass_workbench
def outliers(
    workbench: Workbench, deployment: str, as_windows: bool, look: str | None, limit: int, as_json: bool
) -> None:
    """List answered rows unlike the training data with their p-values, newest first.

    \b
    Example: mlops monitors outliers churn --now 1h
    """
    odd = workbench.monitoring.odd
    watched = workbench.monitoring.get(deployment)
    if look is not None:
        from mlops_tui.domains.monitoring.monitors import main_version

        now, served = workbench.context.now(), workbench.serving.get(watched.deployment)
        ref = f"{served.model}/{main_version(served)}"
        if odd.look(deployment, ref, now - clock.parse_span(look), now, neighbours=True) is None:
            raise NotFound(
                f"There is nothing to look at in the last {look} of {deployment}.",
                hint="Rows are looked at once they are in Parquet, for versions whose profile has numbers.",
            )
    if as_windows:
        columns = [
            ("at", "Looked"),
            ("version", "Version"),
            ("rows", "Rows"),
            ("odd", "Odd"),
            ("share", "Share"),
            ("alpha", "Usual"),
        ]
        rows = [
            {**dataclasses.asdict(one), "share": round(one.share, 4)} for one in odd.windows(deployment, limit=limit)
        ]
        emit(rows, columns, as_json=as_json, empty="No window was looked at yet.")
        return
    columns = [
        ("id", "Prediction"),
        ("at", "At"),
        ("version", "Version"),
        ("p", "p"),
        ("why", "Oddest"),
        ("neighbours", "p by neighbours"),
    ]
    found = [{**dataclasses.asdict(one), "p": float(f"{one.p:.3g}")} for one in odd.rows(deployment, limit)]
    emit(found, columns, as_json=as_json, empty="No odd row was seen yet.")


@click.command("clients")
@click.argument("deployment")
@json_option
@pass_workbench
def clients(workbench: Workbench, deployment: str, as_json: bool) -> None:
    """Show how each client asks, and whose pattern looks like taking the model apart; a warning, never a proof.

    \b
    Example: mlops monitors clients churn
    """
    workbench.monitoring.get(deployment)
    columns = [
        ("caller", "Client"),
        ("rows", "Rows"),
        ("share", "Share"),
        ("distinct", "Distinct"),
        ("close", "Close"),
        ("one_column", "One column"),
    ]
    columns += [("flips", "Flips"), ("outside", "Outside"), ("verdict", "Looks like"), ("words", "Because")]
    found = [
        {
            **dataclasses.asdict(one),
            **{name: round(getattr(one, name), 3) for name in ("share", "close", "one_column", "flips", "outside")},
        }
        for one in workbench.monitoring.odd.clients(deployment)
    ]
    emit(found, columns, as_json=as_json, empty="No client was looked at yet.")
