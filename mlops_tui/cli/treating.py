"""How a deployment treats its requests: shadow version, A/B with sticky keys, guard against odd rows."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, why_option
from mlops_tui.core.clock import parse_time
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.handling import POLICIES
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.checks_store import Checked


@click.command()
@click.argument("name")
@click.argument("version", type=int, required=False)
@click.option("--off", is_flag=True, help="Ask no shadow any more.")
@why_option
@json_option
@pass_workbench
def shadow(workbench: Workbench, name: str, version: int | None, off: bool, why: str, as_json: bool) -> None:
    """Let VERSION answer every request too, after the reply, or show how its answers compare.

    \b
    Example: mlops deployments shadow churn 4
    """
    if off and version is not None:
        raise click.UsageError("Give either a VERSION or --off.")
    found = workbench.serving.get(name)
    if off or version is not None:
        workbench.serving.treating.change(found, why, shadow=version)
        found = workbench.serving.get(name)
    counts = workbench.serving.treating.shadow(found)
    emit_one({"deployment": name, "shadow": None} if counts is None else dataclasses.asdict(counts), as_json)


@click.command()
@click.argument("name")
@click.option(
    "--by", "route_by", metavar="header:NAME|field:INPUT", help="Whose value decides; '' for by chance again."
)
@click.option("--outcome", help="The label that counts; without it: how often the prediction was right.")
@click.option(
    "--within", type=float, help="For numbers: how near is right; else as four in five of the first version's are."
)
@click.option("--since", help="Predictions since then (ISO 8601, or a span back from now).")
@why_option
@json_option
@pass_workbench
def ab(
    workbench: Workbench,
    name: str,
    route_by: str | None,
    outcome: str | None,
    within: float | None,
    since: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Compare the versions of a deployment by their labels, with an interval that holds however often one looks.

    With --by every caller meets the same version each time. Spread the traffic first: mlops deployments split NAME 1=50 2=50

    \b
    Example: mlops deployments ab churn --by header:x-user
    """
    found = workbench.serving.get(name)
    if route_by is not None:
        workbench.serving.treating.change(found, why, route_by=route_by)
        found = workbench.serving.get(name)
    at = parse_time(since) if since else None
    effects = workbench.serving.treating.effects(found, outcome=outcome, within=within, since=at)
    columns = [
        ("base", "Base"), ("base_count", "Labels"), ("base_rate", "Rate"), ("other", "Other"), ("other_count", "Labels"),
        ("other_rate", "Rate"), ("low", "Effect from"), ("high", "to"), ("decided", "Decided"),
    ]  # fmt: skip
    rows = [{**dataclasses.asdict(effect), "decided": effect.decided} for effect in effects]
    empty = f"{name} has one version; spread its traffic: mlops deployments split {name} 1=50 2=50"
    emit(rows, columns, as_json=as_json, empty=empty)


@click.command()
@click.argument("name")
@click.option("--policy", type=click.Choice(POLICIES), help="What is done about rows unlike the training data.")
@click.option("--answer", metavar="JSON", help="With fallback: the answer such rows get.")
@why_option
@json_option
@pass_workbench
def guard(workbench: Workbench, name: str, policy: str | None, answer: str | None, why: str, as_json: bool) -> None:
    """Note, refuse or answer by a rule the rows that are missing values, out of range, never seen or far from the others.

    \b
    Example: mlops deployments guard churn --policy flag
    """
    if answer is not None and policy != "fallback":
        raise click.UsageError("--answer goes with --policy fallback.")
    handling = workbench.serving.get(name).handling
    if policy is not None:
        found = workbench.serving.get(name)
        value = _value(answer) if answer is not None else None
        handling = workbench.serving.treating.change(found, why, guard=policy, fallback=value)
    emit_one(dataclasses.asdict(handling), as_json)


@click.command()
@click.argument("name")
@click.argument("ref")
@click.option("--most-ms", type=float, help="Allowed for one row, of 95 in 100 stored rows; else what settings say.")
@click.option("--most-mb", type=float, help="Allowed private memory; else what settings say.")
@click.option("--accept", is_flag=True, help="Look at nothing: let it have traffic as it is.")
@why_option
@json_option
@pass_workbench
def check(
    workbench: Workbench,
    name: str,
    ref: str,
    most_ms: float | None,
    most_mb: float | None,
    accept: bool,
    why: str,
    as_json: bool,
) -> None:
    """Check a version as before its first traffic: inputs, answers, latency, memory, metrics. Exit code 1 when one fails.

    The gateway does the same by itself before it routes to a version it has not seen; this says it before you deploy.

    \b
    Example: mlops deployments check churn churn/4 --most-ms 20
    """
    found = workbench.serving.get(name)
    if accept:
        if not why:
            raise click.UsageError("--accept wants --why: it is kept with the version.")
        emit_one(_accepted(workbench.serving.checking.accept(ref, why)), as_json)
        return
    checks = workbench.serving.checking.look(found, ref, most_ms=most_ms, most_mb=most_mb)
    emit(checks, [("check", "Check"), ("ok", "Good"), ("detail", "Found")], as_json=as_json, empty="No checks.")
    if not all(one.ok for one in checks):
        raise click.exceptions.Exit(1)


def _accepted(found: Checked) -> dict[str, Any]:
    return {"version": f"{found.model}/{found.version}", "accepted_by": found.accepted_by, "why": found.why}


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if not isinstance(value, int | float | bool | str):
        raise InvalidInput(f"{text!r} is no single answer.", hint="Give a number, true or false, or a label.")
    return value
