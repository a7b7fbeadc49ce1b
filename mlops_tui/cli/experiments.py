"""`mlops experiments`: groups of runs. `mlops runs` is beside it."""

from __future__ import annotations

import click

from mlops_tui.cli import experiments_insight
from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    human_bytes,
    json_option,
    pass_workbench,
    say,
    why_option,
    yes_option,
)
from mlops_tui.cli.runs_keep import file_option, text_of
from mlops_tui.cli.runs_rows import COLUMNS, NO_RUNS, as_row, fields, refresh
from mlops_tui.core import clock
from mlops_tui.workbench import Workbench

_SIZES = [
    ("name", "Name"),
    ("runs", "Runs"),
    ("points", "Points"),
    ("archived", "In Parquet"),
    ("bytes", "Files"),
]


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
    emit_one({key: value for key, value in fields(found).items() if key != "description"}, title=name)
    if found.description:
        click.echo(f"\n{found.description}")
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


@experiments.command("note")
@click.argument("name")
@click.argument("text", required=False)
@file_option
@pass_workbench
def note_experiment(workbench: Workbench, name: str, text: str | None, file: str | None) -> None:
    """Keep a note in Markdown with an experiment; an empty one takes it away, none prints it.

    \b
    Example: mlops experiments note churn --file plan.md
    """
    given = text_of(text, file)
    if given is None:
        kept = workbench.experiments.experiment(name).description
        click.echo(kept) if kept else say("This experiment has no note.")
        return
    workbench.experiments.note_experiment(name, given)
    say(f"Noted with {name}." if given.strip() else f"{name} has no note now.")


@experiments.command("sizes")
@json_option
@pass_workbench
def show_sizes(workbench: Workbench, as_json: bool) -> None:
    """Show how much the runs of each experiment keep: points, those moved to Parquet, and bytes of files.

    \b
    Example: mlops experiments sizes
    """
    refresh(workbench)
    emit(workbench.experiments.sizes(), _SIZES, as_json=as_json, empty=NO_RUNS)


@experiments.command("archive")
@click.option(
    "--days", type=click.IntRange(0), metavar="DAYS", help="Runs that ended so many days ago; the settings say 30."
)
@json_option
@pass_workbench
def archive_points(workbench: Workbench, days: int | None, as_json: bool) -> None:
    """Move the points of runs that ended long ago to Parquet files; every command reads them as before.

    The daemon does so once an hour.

    \b
    Example: mlops experiments archive --days 7
    """
    refresh(workbench)
    before = workbench.workspace.metrics_db.stat().st_size
    found = workbench.experiments.archive(older_than_ms=None if days is None else days * clock.DAY)
    if as_json:
        emit_one(found, True)
        return
    after = workbench.workspace.metrics_db.stat().st_size
    click.echo(f"{found.points} points of {found.runs} runs moved to {found.files} files")
    if after < before:
        say(f"The database went from {human_bytes(before)} to {human_bytes(after)}.")


for command in (
    experiments_insight.best,
    experiments_insight.group,
    experiments_insight.importance,
    experiments_insight.scatter,
):
    experiments.add_command(command)
