"""`mlops schedules`: when pipelines run by themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import schedules_slots
from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.cli.schedules_slots import FIRES, take_over, with_ends
from mlops_tui.core import clock
from mlops_tui.domains.schedules.rules import condition

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

NO_DAEMON = "No daemon runs, so nothing fires. Start it: mlops daemon start"
EMPTY = "No schedules yet. Add one: mlops schedules add nightly PIPELINE --cron '0 3 * * *', or write [[triggers]] in the pipeline's file."
KINDS = ["schedule", "drift", "performance", "new_data", "commit", "condition"]
ALWAYS = ("paused", "next_due", "last_fired_at", "waits")
MISSED = click.Choice(["skip", "latest", "all"])
OVERLAP = click.Choice(["skip", "queue", "replace"])
SPANS = ("cooldown", "grace", "jitter", "within")


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
    take_over(workbench)
    columns = [("name", "Name"), ("pipeline", "Pipeline"), ("kind", "Kind"), ("cron", "Cron"), ("timezone", "Zone")]
    columns += [("next_due", "Next"), ("last_fired_at", "Last"), ("waits", "Waits")]
    found = workbench.schedules.list()
    emit(found, columns, as_json=as_json, empty=EMPTY)
    if found and not as_json and not workbench.daemon_alive():
        say(NO_DAEMON)


def _rule_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a rule can be told, for `add` and for `change`."""
    options = [
        click.option("--cron", metavar="LINE", help="Five crontab fields, @daily, or @every 15m."),
        click.option("--timezone", metavar="ZONE", help="As in Europe/Berlin; UTC by default."),
        click.option("--missed", type=MISSED, help="What happens to slots that passed while no daemon ran; latest by default."),
        click.option("--overlap", type=OVERLAP, help="What happens while the job before still runs; skip by default."),
        click.option("--priority", type=click.IntRange(-100, 100), help="Who goes first where several wait."),
        click.option("--jitter", metavar="SPAN", help="Spread the slots: each comes later by its own part of it."),
        click.option("--cooldown", metavar="SPAN", help="The least time between two fires, as in 6h."),
        click.option("--max-per-day", type=click.IntRange(0), help="The most fires in 24 h."),
        click.option("--grace", metavar="SPAN", help="How late a slot may start with --missed skip; 5m by default."),
        click.option("--deployment", metavar="NAME", help="Whose alerts count; the pipeline's own by default."),
        click.option("--table", "tables", multiple=True, metavar="NAME",
                     help="Whose new data counts; the pipeline's by default."),
        click.option("--rows", type=click.IntRange(0), help="How many new rows it takes."),
        click.option("--within", metavar="SPAN", help="How old new data may be, as in 24h."),
        click.option("--all", "all_of", multiple=True, metavar="CONDITION",
                     help="Only when this holds too, as in new_data:rows=500 or fresh:table=orders,within=24h; repeat it."),
        click.option("--any", "any_of", multiple=True, metavar="CONDITION", help="Only when one of these holds too."),
        click.option("--branch", metavar="NAME", help="Whose commits count; what is checked out by default."),
        click.option("--path", "paths", multiple=True, metavar="PATH", help="Only commits that touch it."),
        click.option("--dry-run/--no-dry-run", default=None, help="Only say what a fire would do; see it with: fires."),
        click.option("--then", "action", type=click.Choice(["run", "release"]),
                     help="Run the pipeline, or test, package and deploy it to staging; release for commits by default."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _given(rule: dict[str, Any]) -> dict[str, Any]:
    """What was said, as the arguments of the service."""
    given = {name: value for name, value in rule.items() if value not in (None, ())}
    for name in SPANS:
        if name in given:
            given[f"{name}_s"] = clock.parse_span(given.pop(name)) / 1000
    for name in ("all_of", "any_of"):
        if name in given:
            given[name] = [condition(text) for text in given[name]]
    for name in ("tables", "paths"):
        if name in given:
            given[name] = list(given[name])
    renamed = {"deployment": "subject", "rows": "min_rows"}
    return {renamed.get(name, name): value for name, value in given.items()}


@schedules.command("add")
@click.argument("name")
@click.argument("pipeline")
@click.option("--on", "kind", type=click.Choice(KINDS), help="What sets it off; the clock by default.")
@_rule_options
@why_option
@json_option
@pass_workbench
def add_schedule(workbench: Workbench, name: str, pipeline: str, why: str, as_json: bool, **rule: Any) -> None:
    """Let a pipeline run by the clock, on drift, on falling performance, new data or commits, or when conditions hold.

    \b
    Example: mlops schedules add nightly churn --cron "0 3 * * *" --timezone Europe/Berlin
    """
    given = _given(rule)
    given.setdefault("action", "release" if given.get("kind") == "commit" else "run")
    if given.get("kind") is None and "cron" not in given and ("all_of" in given or "any_of" in given):
        given["kind"] = "condition"
    schedule = workbench.schedules.add(name, pipeline, why=why, **given)
    if as_json:
        emit_one(schedule, as_json)
        return
    say(f"{name} is kept. " + (f"Next: {clock.local(schedule.next_due)}" if schedule.next_due else schedule.waits))
    if not workbench.daemon_alive():
        say(NO_DAEMON)


@schedules.command("change")
@click.argument("name")
@_rule_options
@why_option
@json_option
@pass_workbench
def change_schedule(workbench: Workbench, name: str, why: str, as_json: bool, **rule: Any) -> None:
    """Change what a schedule made by hand says; one in a pipeline's file is changed there.

    \b
    Example: mlops schedules change nightly --cron "0 4 * * *" --why "the data comes at half past three"
    """
    schedule = workbench.schedules.change(name, why, **_given(rule))
    if as_json:
        emit_one(schedule, as_json)
        return
    say(f"{name} is changed." + (f" Next: {clock.local(schedule.next_due)}" if schedule.next_due else ""))


@schedules.command("show")
@click.argument("name")
@json_option
@pass_workbench
def show_schedule(workbench: Workbench, name: str, as_json: bool) -> None:
    """Show one schedule, its next times and its last fires.

    \b
    Example: mlops schedules show nightly
    """
    take_over(workbench)
    room = workbench.schedules
    schedule = room.get(name)
    values = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
    if not as_json:
        values = {name: value for name, value in values.items() if name in ALWAYS or value}
    coming = [clock.iso(at) for at in room.next(name, 3)]
    fires = with_ends(workbench, room.fires(name, 5))
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


for command in (
    schedules_slots.list_fires,
    schedules_slots.next_slots,
    schedules_slots.fire_now,
    schedules_slots.fill_back,
    schedules_slots.list_blackouts,
    schedules_slots.add_blackout,
    schedules_slots.lift_blackout,
):
    schedules.add_command(command)
