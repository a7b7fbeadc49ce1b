"""`mlops experiments`: groups of runs. `mlops runs` is beside it."""

from __future__ import annotations

import click

from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.cli.runs import COLUMNS, NO_RUNS, as_row, fields, refresh, runs
from mlops_tui.workbench import Workbench

__all__ = ["experiments", "runs"]


@click.group()
def experiments() -> None:
    """Experiments: groups of runs.

    \b
    Example: mlops experiments list
    """


@experiments.command("list")
@json_option
@pass_workbench
def list_experiments(workbench: Workbench, as_json: bool) -> None:
    """List experiments, the one with the newest run first.

    \b
    Example: mlops experiments list --json
    """
    refresh(workbench)
    columns = [("name", "Name"), ("runs", "Runs"), ("running", "Running"), ("last_started_at", "Last run")]
    emit(workbench.experiments.list(), [*columns, ("created_by", "Made by")], as_json=as_json, empty=NO_RUNS)


@experiments.command("show")
@click.argument("name")
@json_option
@pass_workbench
def show_experiment(workbench: Workbench, name: str, as_json: bool) -> None:
    """Show one experiment and its newest runs.

    \b
    Example: mlops experiments show churn
    """
    refresh(workbench)
    found = workbench.experiments.experiment(name)
    newest = [as_row(run) for run in workbench.experiments.runs(name, limit=10)]
    if as_json:
        emit_one({**fields(found), "newest_runs": newest}, as_json)
        return
    emit_one(found, title=name)
    click.echo()
    emit(newest, COLUMNS, empty="No runs.")


@experiments.command("rename")
@click.argument("name")
@click.argument("new_name")
@why_option
@pass_workbench
def rename_experiment(workbench: Workbench, name: str, new_name: str, why: str) -> None:
    """Give an experiment another name; its runs stay with it.

    \b
    Example: mlops experiments rename churn leavers
    """
    workbench.experiments.rename(name, new_name, why=why)
    say(f"{name} is now called {new_name}.")


@experiments.command("remove")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def remove_experiment(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Remove an experiment with all its runs and what they logged.

    \b
    Example: mlops experiments remove scratch --yes
    """
    runs = workbench.experiments.experiment(name).runs
    confirm(f"Remove experiment {name} with {runs} runs for good?", yes=yes, typed=name if runs else None)
    workbench.experiments.remove(name, why=why)
    say(f"Removed {name} and {runs} runs.")
