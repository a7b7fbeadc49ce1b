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
    ("quota", "Of quota"),
]
_LIST = [
    ("name", "Name"),
    ("runs", "Runs"),
    ("running", "Running"),
    ("last_started_at", "Last run"),
    ("points", "Points"),
    ("bytes", "Files"),
    ("created_by", "Made by"),
]


@click.group()
def experiments() -> None:
    """Experiments: groups of runs.

    \b
    Example: mlops experiments list
    """


@experiments.command("list")
@click.option("--deleted", is_flag=True, help="Those that can be restored instead.")
@json_option
@pass_workbench
def list_experiments(workbench: Workbench, deleted: bool, as_json: bool) -> None:
    """List experiments, the one with the newest run first, with the points and files that they keep.

    \b
    Example: mlops experiments list --json
    """
    refresh(workbench)
    rooms = workbench.experiments
    found, sizes = rooms.deleted() if deleted else rooms.list(), {one.name: one for one in rooms.sizes()}
    rows = [
        {**fields(one), "points": sizes[one.name].points, "bytes": sizes[one.name].bytes}
        for one in found
        if one.name in sizes
    ]
    columns = [*_LIST, ("deleted_at", "Deleted")] if deleted else _LIST
    emit(rows, columns, as_json=as_json, empty="No deleted experiments." if deleted else NO_RUNS)


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


@experiments.command("delete")
@click.argument("name")
@why_option
@pass_workbench
def delete_experiment(workbench: Workbench, name: str, why: str) -> None:
    """Hide an experiment with all its runs until it is restored or `mlops runs gc` removes it.

    \b
    Example: mlops experiments delete scratch --why "tried out"
    """
    refresh(workbench)
    found = workbench.experiments.experiment(name)
    if found.deleted_at is not None:
        say(f"{name} is deleted already.")
        return
    workbench.experiments.delete(name, why=why)
    say(f"Deleted {name} with {found.runs} run{'s' * (found.runs != 1)}. Back again: mlops experiments restore {name}")


@experiments.command("restore")
@click.argument("name")
@why_option
@pass_workbench
def restore_experiment(workbench: Workbench, name: str, why: str) -> None:
    """Bring a deleted experiment back, with the runs that went with it.

    \b
    Example: mlops experiments restore scratch
    """
    if workbench.experiments.experiment(name).deleted_at is None:
        say(f"{name} is not deleted.")
        return
    found = workbench.experiments.restore(name, why=why)
    say(f"Restored {name} with {found.runs} run{'s' * (found.runs != 1)}.")


@experiments.command("remove")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def remove_experiment(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Remove an experiment for good, with all its runs and what they logged; `delete` can be taken back.

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
    """Show how much the runs of each experiment keep: points, those moved to Parquet, bytes of files, and the share of its quota.

    Deleted ones count until they are collected. [quota] in the settings says how much may be kept.

    \b
    Example: mlops experiments sizes
    """
    refresh(workbench)
    rooms = workbench.experiments
    rows = [{**fields(one), "quota": rooms.quota_used(one)} for one in rooms.sizes()]
    shown = rows if as_json else [{**row, "quota": _percent(row["quota"])} for row in rows]
    limited = any(row["quota"] is not None for row in rows)
    emit(shown, _SIZES if limited else _SIZES[:-1], as_json=as_json, empty=NO_RUNS)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


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
