"""`mlops demo`: the whole loop on data with known changes, then the application."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlops_tui.cli.output import say
from mlops_tui.core.errors import AlreadyExists
from mlops_tui.core.workspace import Workspace


@click.command()
@click.option("--project", default=".", type=click.Path(path_type=Path), help="Where to make or find the workspace.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="The real UCI Bike Sharing file (hour.csv) instead of the sample."
)
@click.option("--keep-running", is_flag=True, help="Leave the daemon running afterwards.")
@click.option("--months", type=click.IntRange(1), help="Replay at most that many months (default: all).")
@click.option("--rate", type=click.FloatRange(1, 1000), help="Requests a second all the while, as in 200.")
@click.option(
    "--harmful",
    "harm",
    type=click.Choice(["gate", "canary"]),
    help="Retrain on labels that lost three bikes in four: all but the newest, which the gate sees; or all, with a loose gate, "
    "which only the canary sees.",
)
@click.option("--approval", is_flag=True, help="Have a person, ana, asked about each version before it gets traffic.")
@click.option("--no-tui", is_flag=True, help="Print the summary and end, even in a terminal.")
def demo(
    project: Path,
    data: Path | None,
    keep_running: bool,
    months: int | None,
    rate: float | None,
    harm: str | None,
    approval: bool,
    no_tui: bool,
) -> None:
    """Run the whole loop: ingest, train, serve, live traffic, drift, alert, retraining, a new version serving.

    Run again, it says what exists and goes on from there. With --rate requests come in all the while and the story of the
    incident is printed; with --harmful as well, what becomes of a version that learned from wrong labels; with --approval nothing
    is deployed before somebody agreed, who the demo plays too.

    \b
    Example: mlops demo --data bike_hour.csv
    """
    try:
        workspace = Workspace.create(project)
        say(f"Made the workspace {workspace.root}")
        fresh = True
    except AlreadyExists:
        workspace = Workspace.find(project)
        say(f"Using the workspace {workspace.root}")
        fresh = False
    from mlops_tui.cli.demo.loop import Demo

    pace = rate or (200.0 if harm else 0.0)
    with Demo(workspace, data, fresh=fresh, months=months, rate=pace, harm=harm or "", approval=approval) as loop:
        closed = loop.run()
        loop.print_summary()
        interactive = sys.stdin.isatty() and sys.stdout.isatty() and not no_tui
        if interactive and click.confirm("\nOpen the application now?", default=True, err=True):
            from mlops_tui.tui.opening import run

            run(workspace.root, screen=None)
        loop.leave(keep_running=keep_running)
    if not closed:
        raise click.exceptions.Exit(1)
