"""Who is told of alerts: `mlops alerts channels | test | deliveries | maintenance`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.alert_keeping import Kept, add_keeping
from mlops_tui.cli.output import emit, json_option, pass_workbench, say, why_option
from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.alerts.channel_records import FOREVER

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

KINDS = ("email", "webhook", "slack", "discord", "teams", "ntfy", "desktop", "script", "apprise", "heartbeat")


@click.group()
def channels() -> None:
    """Ways to tell people of alerts.

    \b
    Example: mlops alerts channels add desk --kind desktop
    """


@channels.command("list")
@json_option
@pass_workbench
def list_channels(workbench: Workbench, as_json: bool) -> None:
    """List channels with what they tell of.

    \b
    Example: mlops alerts channels list
    """
    columns = [("name", "Channel"), ("kind", "Kind"), ("severity", "From"), ("match", "Match"), ("waits", "After")]
    columns += [("per_hour", "Per hour"), ("paused", "Paused"), ("target", "To")]
    rows = [
        {**dataclasses.asdict(one), "waits": clock.duration(one.after) if one.after else None}
        for one in workbench.alerts.telling.channels()
    ]
    empty = "Nobody is told of alerts. Make a channel: mlops alerts channels add desk --kind desktop"
    emit(rows, columns, as_json=as_json, empty=empty)


@channels.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="How it reaches people.")
@click.option("--to", "target", default="", help="Address, URL or program; {NAME} stands for a secret.")
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="server, from, user, password, tls, header."
)
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]), default="warning", show_default=True)
@click.option("--match", default="", metavar="QUERY", help="Only alerts that meet a query, such as subject:churn.")
@click.option("--after", default="0s", metavar="SPAN", help="Only when nobody acknowledged for so long: escalation.")
@click.option(
    "--repeat",
    metavar="SPAN",
    help="Tell again of what still waits (critical 4h, others 24h; a heartbeat beats every 5m).",
)
@click.option("--per-hour", type=click.IntRange(1), default=20, show_default=True, help="At most so many messages.")
@click.option("--resolved/--no-resolved", default=True, show_default=True, help="Also tell when it is over.")
@pass_workbench
def add_channel(
    workbench: Workbench,
    name: str,
    kind: str,
    target: str,
    options: tuple[str, ...],
    severity: str,
    match: str,
    after: str,
    repeat: str | None,
    per_hour: int,
    resolved: bool,
) -> None:
    """Tell people of alerts by e-mail, a webhook, a chat, the desktop or a program of yours.

    \b
    Example: mlops alerts channels add ops --kind email --to ops@example.org --option server=smtp.example.org:587
    """
    from mlops_tui.domains.alerts.records import Severity

    pairs = [text.partition("=") for text in options]
    if not all(equals for _, equals, _ in pairs):
        raise InvalidInput("An option is KEY=VALUE.", hint="--option server=smtp.example.org:587")
    workbench.alerts.telling.add(
        name,
        kind,
        target,
        options={key: value for key, _, value in pairs},
        severity=Severity(severity),
        match=match,
        after=clock.parse_span(after),
        repeat=clock.parse_span(repeat) if repeat else None,
        per_hour=per_hour,
        resolved=resolved,
    )
    say(f"Added the channel {name}. Try it: mlops alerts test {name}")
    if not workbench.daemon_alive():
        say("No daemon runs, so nothing is sent yet: mlops daemon start")


add_keeping(
    channels,
    Kept(
        noun="channel",
        example="ops",
        room=lambda workbench: workbench.alerts.telling,
        paused="Say nothing through a channel until it is resumed.",
        resumed="Use a paused channel again; it tells of what is open.",
        removed="Forget a channel; what it told stays in the list of deliveries.",
    ),
)


@click.command("test")
@click.argument("channel")
@pass_workbench
def test_channel(workbench: Workbench, channel: str) -> None:
    """Send a test message through a channel now; exit code 1 when it is not taken.

    \b
    Example: mlops alerts test ops
    """
    outcome = workbench.alerts.telling.test(channel)
    if outcome.state != "sent":
        say(f"{channel} did not take it: {outcome.error}")
        raise click.exceptions.Exit(1)
    say(f"{channel} took the test message.")


@click.command("deliveries")
@click.option("--channel", help="Only of this channel.")
@click.option("--alert", type=int, help="Only about this alert.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
@pass_workbench
def deliveries(workbench: Workbench, channel: str | None, alert: int | None, limit: int, as_json: bool) -> None:
    """List what people were told, newest first, with what went wrong.

    \b
    Example: mlops alerts deliveries --alert 3
    """
    columns = [("id", "Message"), ("created_at", "Made"), ("channel", "Channel"), ("kind", "Why"), ("state", "State")]
    columns += [("attempts", "Tries"), ("title", "What"), ("error", "Trouble")]
    found = workbench.alerts.telling.deliveries(channel=channel, alert=alert, limit=limit)
    emit(found, columns, as_json=as_json, empty="Nobody was told of anything yet.")


@click.group()
def maintenance() -> None:
    """Times in which nobody is told of alerts; they are raised and listed all the same.

    \b
    Example: mlops alerts maintenance begin --for 2h --why "moving the disk"
    """


@maintenance.command("list")
@json_option
@pass_workbench
def list_maintenance(workbench: Workbench, as_json: bool) -> None:
    """List times of maintenance that are on or to come.

    \b
    Example: mlops alerts maintenance list
    """
    columns = [("id", "Number"), ("on", "On"), ("since", "From"), ("until", "Until"), ("weekly", "Each week")]
    columns += [("match", "Match"), ("by", "By"), ("why", "Why")]
    now = workbench.context.now()
    rows = [
        {"id": one.id, "on": one.on(now), "since": clock.local(one.since), "match": one.match or "all", "by": one.by,
         "until": None if one.endless else clock.local(one.until),
         "weekly": one.weekly.words if one.weekly else None, "why": one.why}
        for one in workbench.alerts.telling.maintenance()
    ]  # fmt: skip
    emit(rows, columns, as_json=as_json, empty="No maintenance is on or to come.")


@maintenance.command("begin")
@click.option("--for", "span", metavar="SPAN", help="How long: 30m, 4h, 7d. Each week: for how long in all (for good).")
@click.option("--weekdays", metavar="DAYS", help="Each week on these days: sat,sun or mon-fri.")
@click.option("--hours", metavar="HOURS", help="Each week in these hours: 22:00-06:00.")
@click.option("--timezone", default="UTC", metavar="ZONE", help="Whose clock the hours are of, as in Europe/Berlin.")
@click.option("--at", "begin", metavar="TIME", help="From when (now): 2026-11-30T22:00.")
@click.option("--match", default="", metavar="QUERY", help="Only alerts that meet a query, such as subject:churn.")
@why_option
@pass_workbench
def begin_maintenance(
    workbench: Workbench,
    span: str | None,
    weekdays: str | None,
    hours: str | None,
    timezone: str,
    begin: str | None,
    match: str,
    why: str,
) -> None:
    """Tell nobody of alerts for a while, or in the same hours each week.

    \b
    Example: mlops alerts maintenance begin --weekdays sun --hours 02:00-04:00 --match subject:churn --why "new rows come in"
    """
    from mlops_tui.domains.alerts.recurring import Weekly

    weekly = Weekly(weekdays or "*", hours or "00:00-24:00", timezone) if weekdays or hours else None
    if span is None and weekly is None:
        raise click.UsageError("Say how long with --for, or when each week with --weekdays and --hours.")
    now = workbench.context.now()
    since = now if begin is None else clock.parse_time(begin, now=now)
    until = FOREVER if span is None else since + clock.parse_span(span)
    one = workbench.alerts.telling.quiet(match, since, until, why, weekly=weekly)
    end = "until it is ended" if one.endless else f"until {clock.local(one.until)}"
    each = f", each week {weekly.words}" if weekly else ""
    say(f"Maintenance {one.id} from {clock.local(one.since)} {end}{each}.")


@maintenance.command("end")
@click.argument("number", type=int)
@why_option
@pass_workbench
def end_maintenance(workbench: Workbench, number: int, why: str) -> None:
    """End a time of maintenance now; what is open is told.

    \b
    Example: mlops alerts maintenance end 1
    """
    workbench.alerts.telling.end_quiet(number, why)
    say(f"Ended maintenance {number}.")
