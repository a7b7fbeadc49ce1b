"""`mlops schedules`: when pipelines run by themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

NO_DAEMON = "No daemon runs, so nothing fires. Start it: mlops daemon start"
EMPTY = "No schedules yet. Add one: mlops schedules add nightly PIPELINE --cron '0 3 * * *', or write [[triggers]] in the pipeline's file."
FIRES = [("schedule", "Schedule"), ("due_at", "Due"), ("state", "State"), ("job_id", "Job"), ("reason", "Reason")]
KINDS = ["schedule", "drift", "performance", "new_data"]


@click.group()
def schedules() -> None:
    """When pipelines run by themselves.

    \b
    Example: mlops schedules list
    """


@schedules.command("list")
@json_option
@pass_workbench
def list_schedules(workbench: Workbench, as_json: bool) -> None:
    """List schedules, those in pipeline files included, with what each waits for.

    \b
    Example: mlops schedules list
    """
    _take_over(workbench)
    columns = [("name", "Name"), ("pipeline", "Pipeline"), ("kind", "Kind"), ("cron", "Cron"), ("timezone", "Zone")]
    columns += [("next_due", "Next"), ("last_fired_at", "Last"), ("waits", "Waits")]
    found = workbench.schedules.list()
    emit(found, columns, as_json=as_json, empty=EMPTY)
    if found and not as_json and not workbench.daemon_alive():
        say(NO_DAEMON)


@schedules.command("add")
@click.argument("name")
@click.argument("pipeline")
@click.option("--cron", default="", metavar="LINE", help="Five crontab fields, @daily, or @every 15m.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="As in Europe/Berlin.")
@click.option("--on", "kind", type=click.Choice(KINDS), default="schedule", show_default=True, help="What sets it off.")
@click.option("--deployment", default="", metavar="NAME", help="Whose alerts count; the pipeline's own by default.")
@click.option(
    "--table", "tables", multiple=True, metavar="NAME", help="Whose new data counts; the pipeline's by default."
)
@click.option("--missed", type=click.Choice(["skip", "latest", "all"]), default="latest", show_default=True,
              help="What happens to slots that passed while no daemon ran.")  # fmt: skip
@click.option("--overlap", type=click.Choice(["skip", "queue", "replace"]), default="skip", show_default=True,
              help="What happens while the job before still runs.")  # fmt: skip
@click.option("--cooldown", default="", metavar="SPAN", help="The least time between two events, as in 6h.")
@click.option(
    "--grace", default="5m", show_default=True, metavar="SPAN", help="How late a slot may start with --missed skip."
)
@why_option
@json_option
@pass_workbench
def add_schedule(
    workbench: Workbench, name: str, pipeline: str, cooldown: str, grace: str, why: str, as_json: bool, **rule: Any
) -> None:
    """Let a pipeline run by the clock, on drift, on falling performance or on new data.

    \b
    Example: mlops schedules add nightly churn --cron "0 3 * * *" --timezone Europe/Berlin
    """
    schedule = workbench.schedules.add(
        name,
        pipeline,
        rule["cron"],
        rule["timezone"],
        rule["missed"],
        rule["overlap"],
        kind=rule["kind"],
        cooldown_s=clock.parse_span(cooldown) / 1000 if cooldown else 0.0,
        grace_s=clock.parse_span(grace) / 1000,
        subject=rule["deployment"],
        tables=list(rule["tables"]),
        why=why,
    )
    if as_json:
        emit_one(schedule, as_json)
        return
    say(f"{name} is kept. " + (f"Next: {clock.local(schedule.next_due)}" if schedule.next_due else schedule.waits))
    if not workbench.daemon_alive():
        say(NO_DAEMON)


@schedules.command("show")
@click.argument("name")
@json_option
@pass_workbench
def show_schedule(workbench: Workbench, name: str, as_json: bool) -> None:
    """Show one schedule, its next times and its last fires.

    \b
    Example: mlops schedules show nightly
    """
    _take_over(workbench)
    room = workbench.schedules
    schedule = room.get(name)
    values = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
    coming = [clock.iso(at) for at in room.next(name, 3)]
    fires = room.fires(name, 5)
    emit_one({**values, "next": coming, **({"fires": fires} if as_json else {})}, as_json)
    if not as_json:
        click.echo()
        emit(fires, FIRES, empty="No slot has come yet.")


@schedules.command("pause")
@click.argument("name")
@why_option
@pass_workbench
def pause_schedule(workbench: Workbench, name: str, why: str) -> None:
    """Let a schedule fire nothing until it is resumed.

    \b
    Example: mlops schedules pause nightly --why "data is late this week"
    """
    workbench.schedules.pause(name, why)
    say(f"{name} is paused.")


@schedules.command("resume")
@click.argument("name")
@why_option
@pass_workbench
def resume_schedule(workbench: Workbench, name: str, why: str) -> None:
    """Let a paused schedule go on from now.

    \b
    Example: mlops schedules resume nightly
    """
    schedule = workbench.schedules.resume(name, why)
    say(f"{name} goes on." + (f" Next: {clock.local(schedule.next_due)}" if schedule.next_due else ""))


@schedules.command("remove")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def remove_schedule(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Forget a schedule and its fires; the jobs it started stay.

    \b
    Example: mlops schedules remove nightly --yes
    """
    workbench.schedules.get(name)
    confirm(f"Forget schedule {name}?", yes=yes)
    workbench.schedules.remove(name, why)
    say(f"{name} is gone.")


@schedules.command("fires")
@click.argument("name", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
def list_fires(workbench: Workbench, name: str | None, limit: int, as_json: bool) -> None:
    """List the slots that came, newest first: which job each got, or why it got none.

    \b
    Example: mlops schedules fires nightly
    """
    emit(workbench.schedules.fires(name, limit), FIRES, as_json=as_json, empty="No slot has come yet.")


@schedules.command("next")
@click.argument("name")
@click.option("--count", "-n", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
@pass_workbench
def next_times(workbench: Workbench, name: str, count: int, as_json: bool) -> None:
    """List the next times of a schedule.

    \b
    Example: mlops schedules next nightly --count 10
    """
    _take_over(workbench)
    rows = [{"schedule": name, "due_at": at} for at in workbench.schedules.next(name, count)]
    empty = workbench.schedules.get(name).waits or "It does not go by the clock."
    emit(rows, [("schedule", "Schedule"), ("due_at", "Due")], as_json=as_json, empty=empty)


def _take_over(workbench: Workbench) -> None:
    """Triggers written in pipeline files since the daemon looked last."""
    try:
        workbench.schedules.sync()
    except Unavailable:  # reading must work on a full or read-only disk
        pass
