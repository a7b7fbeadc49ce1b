"""`mlops alerts`: conditions that want a person."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.alert_channels import channels, deliveries, maintenance, test_channel
from mlops_tui.cli.alert_rules import rules
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say, why_option
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import check_name

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.workbench import Workbench

EVERY = 1_000_000
LISTED = 10
"""Of more alerts than this only the number is said."""
_STATE = re.compile(r"\b(state|is|status)\s*[:=!~]", re.IGNORECASE)


@click.group()
def alerts() -> None:
    """Conditions that want a person.

    \b
    Example: mlops alerts list
    """


@alerts.command("list")
@click.option("--state", type=click.Choice(["open", "acknowledged", "silenced", "resolved"]), help="Only this state.")
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@click.option("--subject", help="Only of this deployment or pipeline.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
@pass_workbench
@query_options("alerts")
def list_alerts(
    workbench: Workbench,
    state: str | None,
    everything: bool,
    subject: str | None,
    limit: int,
    as_json: bool,
    query: str,
) -> None:
    """List alerts that are not resolved, newest first, all or those that meet a query.

    \b
    Example: mlops alerts list 'severity:critical last>2d'
    """
    found = workbench.alerts.list(state, limit, subject=subject, query=query)
    asked_state = _STATE.search(query) is not None  # `state:resolved` means it
    if state is None and not everything and not asked_state:
        found = [alert for alert in found if alert.active]
    columns = [("id", "Alert"), ("severity", "Severity"), ("state", "State"), ("subject", "Subject"), ("title", "What")]
    columns += [("count", "Times"), ("last_at", "Last")]
    emit(found, columns, as_json=as_json, empty=NO_MATCH if query else "No alerts.")
    now = workbench.context.now()
    for one in workbench.alerts.telling.maintenance() if found else ():
        if one.on(now):
            of = f"what meets '{one.match}'" if one.match else "anything"
            say(f"Maintenance {one.id}: nobody is told of {of}. See: mlops alerts maintenance list")


@alerts.command("show")
@click.argument("alert_id", type=int)
@json_option
@pass_workbench
def show_alert(workbench: Workbench, alert_id: int, as_json: bool) -> None:
    """Show an alert with the numbers behind it.

    \b
    Example: mlops alerts show 3
    """
    emit_one(workbench.alerts.get(alert_id), as_json)


@alerts.command("story")
@click.argument("alert_id", type=int)
@click.option("--markdown", "as_markdown", is_flag=True, help="As a page to keep or send.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Into a .html or .md file, with what moved and how right it is."
)
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@json_option
@pass_workbench
def story(workbench: Workbench, alert_id: int, as_markdown: bool, out: Path | None, force: bool, as_json: bool) -> None:
    """Tell what happened around an alert in order: seen, told, retrained, gated, rolled out, ended.

    \b
    Example: mlops alerts story 3
    """
    from mlops_tui import incident

    if as_markdown and as_json:
        raise click.UsageError("--markdown is for people and --json for programs: choose one.")
    if out is not None:
        from mlops_tui.pages import monitoring, writing

        writing.check(out, replace=force)
        writing.save(monitoring.incident(workbench, alert_id), out)
        say(f"Wrote {out}.")
        return
    if as_markdown:
        click.echo(incident.markdown(workbench, alert_id), nl=False)
        return
    columns = [("at", "When"), ("what", "What"), ("words", "Said"), ("command", "See")]
    rows = [{**dataclasses.asdict(one), "what": f"{one.kind} {one.name}"} for one in incident.tell(workbench, alert_id)]
    emit(rows, columns, as_json=as_json)


@alerts.command("raise")
@click.argument("rule")
@click.argument("subject")
@click.option("--title", required=True, help="What is wrong, in a few words.")
@click.option("--detail", default="", help="More of it.")
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]), default="warning", show_default=True)
@click.option("--fact", "facts", multiple=True, metavar="KEY=VALUE", help="A number or a word behind it.")
@json_option
@pass_workbench
def raise_alert(
    workbench: Workbench,
    rule: str,
    subject: str,
    title: str,
    detail: str,
    severity: str,
    facts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Raise an alert from a script: RULE is what went wrong, SUBJECT with what; while it lasts it is counted.

    \b
    Example: mlops alerts raise backup nas --title "No backup since Friday" --severity critical
    """
    if wrong := next((one for one in facts if not one.partition("=")[0] or "=" not in one), None):
        raise click.UsageError(f"Give facts as KEY=VALUE, not {wrong!r}.")
    pairs = {key: value for key, _, value in (one.partition("=") for one in facts)}
    found = workbench.alerts.raise_alert(
        check_name("rule", rule), subject, severity=severity, title=title, detail=detail, facts=pairs
    )
    if as_json:
        emit_one(found, as_json)
    else:
        click.echo(f"Alert {found.id}{f', {found.count} times' if found.count > 1 else ''}: {found.title}")


@alerts.command("ack")
@click.argument("which", nargs=-1, required=True)
@why_option
@pass_workbench
def acknowledge(workbench: Workbench, which: tuple[str, ...], why: str) -> None:
    """Say that you are looking at it: alerts by number, or all that meet a query.

    \b
    Example: mlops alerts ack 3 --why "checking the sensor"
    """
    room = workbench.alerts
    _tell("Acknowledged", room.each(_chosen(workbench, which), lambda one: room.acknowledge(one, why)))


@alerts.command("silence")
@click.argument("which", nargs=-1, required=True)
@click.option("--for", "span", metavar="SPAN", help="How long: 30m, 4h, 7d.")
@click.option("--until", metavar="TIME", help="Until when: 2026-11-30T09:00.")
@why_option
@pass_workbench
def silence(workbench: Workbench, which: tuple[str, ...], span: str | None, until: str | None, why: str) -> None:
    """Keep alerts quiet for a while, by number or by a query; what is not resolved by then is open again.

    For alerts that are still to come: mlops alerts maintenance begin.

    \b
    Example: mlops alerts silence 3 --for 4h --why "known, fix is on its way"
    """
    if (span is None) == (until is None):
        raise click.UsageError("Say either --for SPAN or --until TIME.")
    now = workbench.context.now()
    end = now + clock.parse_span(span) if span is not None else clock.parse_time(until or "", now=now)
    room = workbench.alerts
    found = room.each(_chosen(workbench, which), lambda one: room.silence(one, end, why))
    _tell("Silenced", found, f" until {clock.local(end)}")


@alerts.command("reopen")
@click.argument("which", nargs=-1, required=True)
@why_option
@pass_workbench
def reopen(workbench: Workbench, which: tuple[str, ...], why: str) -> None:
    """Take an acknowledgement or a silence back, of alerts by number or by a query.

    \b
    Example: mlops alerts reopen 3
    """
    room = workbench.alerts
    _tell("Opened again", room.each(_chosen(workbench, which), lambda one: room.reopen(one, why)))


@alerts.command("resolve")
@click.argument("which", nargs=-1)
@click.option("--rule", help="With --subject: the unresolved alert of this rule.")
@click.option("--subject", help="With --rule: of this deployment or pipeline.")
@why_option
@pass_workbench
def resolve(workbench: Workbench, which: tuple[str, ...], rule: str | None, subject: str | None, why: str) -> None:
    """End alerts, by number or by a query; if the condition comes again, a new one begins.

    \b
    Example: mlops alerts resolve 3 --why "retrained"
    """
    if bool(rule) != bool(subject) or bool(rule) == bool(which):
        raise InvalidInput("Name alerts by number or query, or one by --rule and --subject.", hint="mlops alerts list")
    room = workbench.alerts
    if rule and subject:
        ended = room.resolve_by(rule, subject, why)
        if ended is None:
            raise NotFound(f"There is no unresolved '{rule}' alert of '{subject}'.", hint="mlops alerts list")
        _tell("Resolved", [ended])
    else:
        _tell("Resolved", room.each(_chosen(workbench, which), lambda one: room.resolve(one, why)))


def _chosen(workbench: Workbench, words: tuple[str, ...]) -> list[int]:
    """Numbers as they are; else the unresolved alerts that meet the query. Raises NotFound when none does."""
    if all(word.isdecimal() for word in words):
        return [int(word) for word in words]
    query = " ".join(words)
    found = [one.id for one in workbench.alerts.list(query=query, limit=EVERY) if one.active]
    if not found:
        raise NotFound(f"No unresolved alert meets '{query}'.", hint="See them: mlops alerts list")
    return found[::-1]


def _tell(verb: str, found: list[Alert], rest: str = "") -> None:
    if len(found) > LISTED:
        say(f"{verb} {len(found):,} alerts{rest}.")
        return
    for one in found:
        say(f"{verb} alert {one.id}{rest}.")


for part in (channels, deliveries, maintenance, rules, test_channel):
    alerts.add_command(part)
