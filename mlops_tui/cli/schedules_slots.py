"""`mlops schedules fires | next | fire | backfill | blackouts`: the slots of schedules, past and coming."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.domains.schedules import cron

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.schedules.records import Fire
    from mlops_tui.workbench import Workbench

FIRES = [("schedule", "Schedule"), ("due_at", "Due"), ("state", "State"), ("job_id", "Job"),
         ("became", "Became"), ("reason", "Reason")]  # fmt: skip
BLACKOUTS = [("name", "Name"), ("cron", "From"), ("span", "For"), ("timezone", "Zone"), ("begins_at", "Begins"),
             ("ends_at", "Ends"), ("only", "Only"), ("then", "Slots"), ("until", "On until"), ("why", "Why")]  # fmt: skip


def take_over(workbench: Workbench) -> None:
    """Triggers written in pipeline files since the daemon looked last."""
    try:
        workbench.schedules.sync()
    except Unavailable:  # reading must work on a full or read-only disk
        pass


def with_ends(workbench: Workbench, fires: Sequence[Fire]) -> list[dict[str, Any]]:
    """Fires with `job_state` and `became`: the version and the gate's word, the error, or how far the job is."""
    return [{**dataclasses.asdict(fire), **_end(workbench, fire.job_id)} for fire in fires]


def _end(workbench: Workbench, job_id: int | None) -> dict[str, Any]:
    try:
        job = workbench.jobs.get(job_id) if job_id is not None else None
    except NotFound:  # removed with what is older than retention.jobs_days
        job = None
    return {"job_state": job.state if job else None, "became": _became(job) if job else ""}


def _became(job: Job) -> str:
    said = job.result or {}
    if said.get("verdict"):
        return ", ".join(str(one) for one in (said.get("version"), said["verdict"]) if one)
    return f"{job.state}: {job.error}" if job.error else str(job.state)


@click.command("fires")
@click.argument("name", required=False)
@click.option("--since", metavar="TIME", help="Only slots due since then: 7d, or 2026-11-01.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
def list_fires(workbench: Workbench, name: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """List the slots that came, newest first: which job each got and why it came, or why it got none.

    \b
    Example: mlops schedules fires nightly --since 7d
    """
    begin = clock.parse_time(since, now=workbench.context.now()) if since else None
    found = workbench.schedules.fires(name, limit, since=begin)
    emit(with_ends(workbench, found), FIRES, as_json=as_json, empty="No slot has come yet.")


@click.command("next")
@click.argument("name", required=False)
@click.option("--count", "-n", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
@pass_workbench
def next_slots(workbench: Workbench, name: str | None, count: int, as_json: bool) -> None:
    """List the coming slots of one schedule or of all, what will become of each, and why one will not run.

    \b
    Example: mlops schedules next nightly --count 10
    """
    take_over(workbench)
    room = workbench.schedules
    rows = room.upcoming(name, count)
    empty = (room.get(name).waits if name else "") or "Nothing is to come."
    columns = [("schedule", "Schedule"), ("due_at", "Due"), ("prospect", "Will"), ("reason", "Why")]
    emit(rows, columns, as_json=as_json, empty=empty)


@click.command("fire")
@click.argument("name")
@why_option
@json_option
@pass_workbench
def fire_now(workbench: Workbench, name: str, why: str, as_json: bool) -> None:
    """Let a schedule fire now, whatever pause, blackout, cool-down and conditions say.

    \b
    Example: mlops schedules fire nightly --why "the data was corrected"
    """
    fire = workbench.schedules.fire(name, why)
    if as_json:
        emit_one(fire, as_json)
    elif fire.job_id is not None:
        say(f"{name} fired: job {fire.job_id}.")
    else:
        say(f"{name}: {fire.state}. {fire.reason}")


@click.command("backfill")
@click.argument("name")
@click.option("--from", "since", required=True, metavar="TIME", help="The first moment: 7d, or 2026-11-01.")
@click.option("--to", "until", default="now", show_default=True, metavar="TIME", help="The moment after the last.")
@click.option("--failed", is_flag=True, help="Also try again slots whose job failed.")
@click.option("--dry-run", is_flag=True, help="Only say what would come of each slot.")
@why_option
@yes_option
@json_option
@pass_workbench
def fill_back(
    workbench: Workbench,
    name: str,
    since: str,
    until: str,
    failed: bool,
    dry_run: bool,
    why: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Make up for past slots of a schedule: each once, in order, behind the slots of today; again goes on where it stopped.

    \b
    Example: mlops schedules backfill nightly --from 2026-11-01 --to 2026-11-08 --dry-run
    """
    now = workbench.context.now()
    begin, end = clock.parse_time(since, now=now), clock.parse_time(until, now=now)
    room = workbench.schedules
    plan = room.backfill(name, begin, end, dry_run=True, failed=failed)
    count = sum(one.state != "left" for one in plan)
    if not dry_run and count:
        confirm(f"Run {name} for {count} past slots?", yes=yes)
        plan = room.backfill(name, begin, end, why=why, failed=failed)
    columns = [("slot", "Slot"), ("due_at", "Due"), ("state", "Backfill"), ("job_id", "Job"), ("reason", "Reason")]
    emit(plan, columns, as_json=as_json, empty="No slot lies in that time.")
    if plan and not as_json:
        told = ", ".join(f"{number} {state}" for state, number in sorted(Counter(one.state for one in plan).items()))
        say(f"{len(plan)} slots: {told}." + (" Nothing was changed." if dry_run else ""))


@click.command("blackouts")
@json_option
@pass_workbench
def list_blackouts(workbench: Workbench, as_json: bool) -> None:
    """List the times in which nothing fires by itself.

    \b
    Example: mlops schedules blackouts
    """
    found = workbench.schedules.blackouts()
    empty = "No blackouts. Add one: mlops schedules blackout office --weekdays mon-fri --hours 08:00-18:00"
    if as_json:
        emit(found, BLACKOUTS, as_json=True)
        return
    rows = [
        {name: getattr(one, name, None) for name, _ in BLACKOUTS}
        | {"span": clock.duration(one.span_s * 1000) if one.cron else "", "only": ", ".join(one.only) or "all"}
        for one in found
    ]
    emit(rows, BLACKOUTS, empty=empty)


@click.command("blackout")
@click.argument("name")
@click.option("--weekdays", default="", metavar="DAYS", help="As in mon-fri or sat,sun; every day by default.")
@click.option("--hours", default="", metavar="SPAN", help="As in 08:00-18:00, or 22:00-06:00 over midnight.")
@click.option("--cron", default="", metavar="LINE", help="Begin at each slot of a crontab line...")
@click.option("--for", "span", default="", metavar="SPAN", help="...and last so long, as in 12h.")
@click.option("--from", "begins", default="", metavar="TIME", help="Once, from this moment...")
@click.option("--to", "ends", default="", metavar="TIME", help="...to this one, as in 2027-01-02.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Whose wall clock it goes by.")
@click.option("--only", multiple=True, metavar="NAME", help="For that schedule or pipeline; for all by default.")
@click.option("--then", type=click.Choice(["skip", "wait"]), default="skip", show_default=True,
              help="Whether slots inside are dropped or come when it is over.")  # fmt: skip
@why_option
@json_option
@pass_workbench
def add_blackout(workbench: Workbench, name: str, why: str, as_json: bool, **given: Any) -> None:
    """Let nothing fire by itself in certain times; what runs goes on.

    \b
    Example: mlops schedules blackout office --weekdays mon-fri --hours 08:00-18:00 --timezone Europe/Berlin
    """
    span, begins, ends = given.pop("span"), given.pop("begins"), given.pop("ends")
    made = workbench.schedules.add_blackout(
        name,
        span_s=clock.parse_span(span) / 1000 if span else 0.0,
        begins_at=_moment(begins, given["timezone"]),
        ends_at=_moment(ends, given["timezone"]),
        only=list(given.pop("only")),
        why=why,
        **given,
    )
    if as_json:
        emit_one(made, as_json)
        return
    now = workbench.context.now()
    coming = [one for one in workbench.schedules.blackout_windows(now, now + 400 * clock.DAY) if one.name == name]
    first = coming[0] if coming else None
    when = f" First from {clock.local(first.begin)} to {clock.local(first.end)}." if first else " It is over already."
    say(f"Blackout {name} is kept.{when}")


@click.command("lift")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def lift_blackout(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Forget a blackout; slots that waited for its end fire.

    \b
    Example: mlops schedules lift office --yes
    """
    confirm(f"Forget blackout {name}?", yes=yes)
    workbench.schedules.remove_blackout(name, why)
    say(f"Blackout {name} is gone.")


def _moment(text: str, zone: str) -> int | None:
    """A time on the wall clock of the zone, unless it names its own."""
    return clock.parse_time(text, zone=cron.zone(zone)) if text else None
