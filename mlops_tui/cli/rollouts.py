"""`mlops deployments canary|rollout|rollouts`: a version on its way to all the traffic."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, jsonable, pass_workbench, say, why_option
from mlops_tui.core.clock import parse_span
from mlops_tui.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mlops_tui.domains.serving.evidence import Evidence
    from mlops_tui.domains.serving.rollout import Rollout
    from mlops_tui.workbench import Workbench

EVIDENCE = [
    ("kind", "Evidence"),
    ("canary", "Canary"),
    ("stable", "Others"),
    ("difference", "At most more"),
    ("margin", "Margin"),
    ("e_value", "Against it"),
    ("limit", "Limit"),
]
ROLLOUTS = [
    ("id", "#"),
    ("deployment", "Deployment"),
    ("ref", "Version"),
    ("state", "State"),
    ("share", "Share %"),
    ("began_at", "Began"),
    ("ended_at", "Ended"),
    ("reason", "Why"),
]


@click.command()
@click.argument("name")
@click.argument("reference", metavar="MODEL[@ALIAS|/VERSION]")
@click.option("--weight", type=float, help="Percent of the traffic, until you change it (default 10).")
@click.option("--steps", metavar="5,25,...", help="Go on by itself through these percents to 100, or back.")
@click.option("--bake", metavar="SPAN", help="How long each step lasts at least. Default 5m.")
@click.option("--min-requests", type=click.IntRange(min=1), help="How many requests each step wants. Default 200.")
@click.option("--min-labels", type=click.IntRange(min=1), help="How many of its answers are labelled before the end.")
@click.option("--margin", type=float, help="How much more often it may fail in the end, as a share. Default 0.02.")
@click.option("--alpha", type=float, help="Chance to roll back a version that is no worse. Default 0.04.")
@click.option("--to", default="production", show_default=True, help="Where the registry promotes it then; '' nowhere.")
@why_option
@json_option
@pass_workbench
def canary(
    workbench: Workbench,
    name: str,
    reference: str,
    weight: float | None,
    steps: str | None,
    bake: str | None,
    min_requests: int | None,
    min_labels: int | None,
    margin: float | None,
    alpha: float | None,
    to: str,
    why: str,
    as_json: bool,
) -> None:
    """Give a version a small share of the traffic: until you change it, or with --steps on by itself to all or nothing.

    \b
    Example: mlops deployments canary churn churn/4 --steps 5,25 --bake 10m
    """
    given = {"bake": bake, "min-requests": min_requests, "min-labels": min_labels, "margin": margin, "alpha": alpha}
    if steps is None:
        odd = [option for option, value in given.items() if value is not None]
        if odd:
            raise click.UsageError(f"--{odd[0]} belongs to a rollout: give --steps too.")
        workbench.serving.deploy(name, reference, strategy="canary", weight=10.0 if weight is None else weight, why=why)
        found = workbench.serving.get(name)
        if as_json:
            emit_one(found, as_json=True)
        else:
            shares = ", ".join(f"version {route.version} {route.weight:g} %" for route in found.versions)
            click.echo(f"{name}: {shares}")
        return
    if weight is not None:
        raise click.UsageError("Give either --weight or --steps.")
    span = parse_span(bake) / 1000 if bake else 0
    counts = {"min_requests": min_requests or 0, "min_labels": min_labels or 0}
    rules = _rules(bake_s=span, margin=margin or 0, alpha=alpha or 0, **counts)
    one = workbench.serving.rollouts.start(name, reference, _steps(steps), rules=rules, to=to, why=why)
    if as_json:
        emit_one(one, as_json=True)
        return
    click.echo(f"{one.ref} has {one.share:g} % of {name}, then {', '.join(f'{step:g}' for step in one.steps[1:])}.")
    if not workbench.daemon_alive():
        say("No daemon runs, so it stays there. Start it: mlops daemon start")


@click.command()
@click.argument("name")
@click.option("--pause", "verb", flag_value="pause", help="Keep the present share.")
@click.option("--resume", "verb", flag_value="resume", help="Go on.")
@click.option("--promote", "verb", flag_value="promote", help="All the traffic now, whatever the evidence.")
@click.option("--abort", "verb", flag_value="abort", help="Back to the weights from before.")
@click.option("--number", type=int, help="An earlier one, by its number.")
@why_option
@json_option
@pass_workbench
def rollout(workbench: Workbench, name: str, verb: str | None, number: int | None, why: str, as_json: bool) -> None:
    """Show the rollout of a deployment: its evidence, what it waits for; or pause, resume or end it.

    \b
    Example: mlops deployments rollout churn
    """
    room = workbench.serving.rollouts
    workbench.serving.get(name)
    if verb is not None and number is not None:
        raise click.UsageError("Only the rollout under way can be ended or held; leave --number out.")
    if verb is not None:
        getattr(room, verb)(name, why)
    current = room.current(name)
    if number is not None and (current is None or current[0].id != number):
        earlier = room.get(number)
        if earlier.deployment != name:
            raise NotFound(f"Rollout {number} is of {earlier.deployment}.")
        current, past = None, [earlier]
    else:
        past = [] if current else room.list(name, limit=1)
    if not current and not past:
        say(f"{name} never had one. Start one: mlops deployments canary {name} REF --steps 5,25")
        if as_json:
            emit_one({}, as_json=True)
        return
    one = current[0] if current else past[0]
    reason, evidence = (current[1].reason, current[1].evidence) if current else (one.reason, one.evidence)
    if as_json:
        emit_one({**jsonable(one), "reason": reason, "evidence": jsonable(list(evidence))}, as_json=True)
        return
    emit_one(_facts(one, reason), title=f"{name} #{one.id}")
    click.echo()
    emit([_row(item, one, len(evidence)) for item in evidence], EVIDENCE, empty="No traffic yet.")


@click.command("rollouts")
@click.argument("name", required=False)
@json_option
@pass_workbench
def list_rollouts(workbench: Workbench, name: str | None, as_json: bool) -> None:
    """List rollouts, newest first, with how each ended.

    \b
    Example: mlops deployments rollouts churn
    """
    if name:
        workbench.serving.get(name)
    found = workbench.serving.rollouts.list(name)
    rows = found if as_json else [{**_fields(one), "ref": one.ref, "share": one.share} for one in found]
    empty = "No rollouts yet. Start one: mlops deployments canary NAME REF --steps 5,25"
    emit(rows, ROLLOUTS, as_json=as_json, empty=empty)


def _rules(**given: Any) -> Any:
    from mlops_tui.domains.serving.rollout import Rules  # lists need nothing of it

    return Rules.of(**given)


def _steps(text: str) -> list[float]:
    try:
        return [float(part.strip().removesuffix("%")) for part in text.split(",")]
    except ValueError:
        raise InvalidInput(f"{text!r} are no steps.", hint="Give growing percents: 5,25,100.") from None


def _facts(one: Rollout, reason: str) -> dict[str, Any]:
    return {
        "version": one.ref,
        "state": str(one.state),
        "share": f"{one.share:g} %",
        "steps": ", ".join(f"{step:g}" for step in one.steps),
        "then": f"promoted to {one.to}" if one.to else "",
        "began_at": one.began_at,
        "ended_at": one.ended_at,
        "by": one.by,
        "why": one.why,
        "now": reason,
    }


def _row(item: Evidence, one: Rollout, kinds: int) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "canary": f"{item.canary_failed} of {item.canary} ({item.canary_rate:.2%})",
        "stable": f"{item.stable_failed} of {item.stable} ({item.stable_rate:.2%})",
        "difference": "" if item.difference is None else f"{item.difference:.2%}",
        "margin": f"{one.rules.margin(item.kind):.2%}",
        "e_value": f"{item.e_value:.3g}",
        "limit": f"{kinds / one.rules.alpha:g}",
    }


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
