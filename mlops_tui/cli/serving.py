"""The serving desk: deployments and the traffic over their versions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import objectives, plotting, predicting, reasons, rollouts, treating
from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    json_option,
    jsonable,
    pass_workbench,
    say,
    show,
    why_option,
    yes_option,
)
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.core.clock import parse_time
from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.checks_store import Checked

_WAIT_POLL = 0.1
_COLUMNS = [
    ("name", "Name"),
    ("state", "State"),
    ("model", "Model"),
    ("traffic", "Traffic"),
    ("detail", "Detail"),
    ("url", "URL"),
]
_PREDICTIONS = [
    ("at", "When"),
    ("id", "Prediction id"),
    ("version", "Version"),
    ("prediction", "Prediction"),
    ("score", "Score"),
    ("label", "Label"),
    ("status", "Status"),
    ("latency_ms", "ms"),
    ("marks", "Odd"),
]


def _wait_option(function: Callable[..., Any]) -> Callable[..., Any]:
    text = "Wait until it serves, at most this many seconds; exit code 1 if it does not."
    return click.option("--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help=text)(function)


@click.group()
def deployments() -> None:
    """Models behind HTTP: which versions answer a name, and with what share of the traffic.

    \b
    Example: mlops deployments create churn churn@champion --wait 60
    """


deployments.add_command(rollouts.canary)
deployments.add_command(rollouts.rollout)
deployments.add_command(rollouts.list_rollouts)
deployments.add_command(treating.shadow)
deployments.add_command(treating.ab)
deployments.add_command(treating.guard)
deployments.add_command(treating.check)
deployments.add_command(reasons.replay)
deployments.add_command(objectives.objective)
deployments.add_command(objectives.budgets)
deployments.add_command(predicting.labels)


@deployments.command("list")
@json_option
@pass_workbench
@query_options("deployments")
def list_(workbench: Workbench, as_json: bool, query: str) -> None:
    """List deployments and how they do, all or those that meet a query.

    \b
    Example: mlops deployments list 'is:degraded | is:failed'
    """
    found = workbench.serving.list(query)
    rows = found if as_json else [_row(item) for item in found]
    emit(
        rows,
        _COLUMNS,
        as_json=as_json,
        empty=NO_MATCH if query else "No deployments yet. Make one: mlops deployments create NAME MODEL@champion",
    )


@deployments.command()
@click.argument("name")
@click.argument("reference", metavar="MODEL[@ALIAS|/VERSION]")
@click.option("--strategy", default="replace", help="replace, blue_green or canary.")
@click.option("--weight", type=float, default=10.0, help="Percent for a canary.", show_default=True)
@_wait_option
@why_option
@json_option
@pass_workbench
def create(
    workbench: Workbench, name: str, reference: str, strategy: str, weight: float, wait: float, why: str, as_json: bool
) -> None:
    """Serve a model version under a name; on a name that exists, move its traffic to that version.

    \b
    Example: mlops deployments create churn churn@champion --wait 60
    """
    workbench.serving.deploy(name, reference, strategy=strategy, weight=weight, why=why)
    _tell(workbench, name, wait, as_json)


@deployments.command("show")
@click.argument("name")
@click.option(
    "--since", default="1h", help="Traffic since: an ISO 8601 time, or a span back from now.", show_default=True
)
@click.option(
    "--predictions", type=click.IntRange(0, 10_000), default=0, metavar="N", help="The newest N predictions too."
)
@plotting.plot_options
@json_option
@pass_workbench
def show_(
    workbench: Workbench, name: str, since: str, predictions: int, as_plot: bool, as_ascii: bool, as_json: bool
) -> None:
    """Show one deployment: routes, workers, traffic and latency.

    \b
    Example: mlops deployments show churn --since 24h --plot
    """
    plotting.alone(as_plot, as_json)
    found = workbench.serving.get(name)
    if as_plot:
        begin = parse_time(since, now=workbench.context.now())
        draw = plotting.pictures().traffic
        plotting.show(lambda on: draw(workbench, name, begin, on), ascii_only=as_ascii)
        return
    traffic = workbench.serving.stats(name, parse_time(since, now=workbench.context.now()))
    newest = workbench.serving.predictions(name, limit=predictions) if predictions else []
    checks = workbench.serving.checking.of(found)
    if as_json:
        document = {**jsonable(found), "traffic": jsonable(traffic), "checks": jsonable(checks)}
        emit_one({**document, "predictions": jsonable(newest)} if predictions else document, as_json=True)
        return
    emit_one({**_facts(found, checks), "traffic": f"since {since}", **_fields(traffic)}, title=name)
    if predictions:
        click.echo()
        emit(newest, _PREDICTIONS, empty="No predictions yet. Ask for one: mlops predict NAME --json '{...}'")


@deployments.command()
@click.argument("name")
@click.argument("weights", nargs=-1, required=True, metavar="VERSION=WEIGHT...")
@why_option
@json_option
@pass_workbench
def split(workbench: Workbench, name: str, weights: tuple[str, ...], why: str, as_json: bool) -> None:
    """Spread the traffic over versions by weight.

    \b
    Example: mlops deployments split churn 3=90 4=10
    """
    workbench.serving.split(name, dict(map(_weight, weights)), why=why)
    _tell(workbench, name, 0, as_json)


@deployments.command()
@click.argument("name")
@click.argument("version", type=int, required=False)
@_wait_option
@why_option
@json_option
@pass_workbench
def promote(workbench: Workbench, name: str, version: int | None, wait: float, why: str, as_json: bool) -> None:
    """Give one version all the traffic: the one named, else the newest that shares it.

    \b
    Example: mlops deployments promote churn 4
    """
    workbench.serving.promote(name, version, why=why)
    _tell(workbench, name, wait, as_json)


@deployments.command()
@click.argument("name")
@_wait_option
@why_option
@json_option
@pass_workbench
def rollback(workbench: Workbench, name: str, wait: float, why: str, as_json: bool) -> None:
    """Return to the versions and weights before the last change of them.

    \b
    Example: mlops deployments rollback churn --why "errors doubled"
    """
    workbench.serving.rollback(name, why=why)
    _tell(workbench, name, wait, as_json)


@deployments.command()
@click.argument("name")
@why_option
@json_option
@pass_workbench
def stop(workbench: Workbench, name: str, why: str, as_json: bool) -> None:
    """Take a deployment out of service; its definition stays.

    \b
    Example: mlops deployments stop churn
    """
    workbench.serving.stop(name, why=why)
    _tell(workbench, name, 0, as_json)


@deployments.command()
@click.argument("name")
@_wait_option
@why_option
@json_option
@pass_workbench
def start(workbench: Workbench, name: str, wait: float, why: str, as_json: bool) -> None:
    """Put a deployment into service again, or try one anew that failed.

    \b
    Example: mlops deployments start churn --wait 60
    """
    workbench.serving.start(name, why=why)
    _tell(workbench, name, wait, as_json)


@deployments.command()
@click.argument("name")
@yes_option
@why_option
@pass_workbench
def remove(workbench: Workbench, name: str, yes: bool, why: str) -> None:
    """Delete a deployment; its predictions stay in the log.

    \b
    Example: mlops deployments remove churn --yes
    """
    workbench.serving.get(name)
    confirm(f"Remove the deployment {name}? Requests to it will be answered with 404.", yes=yes)
    workbench.serving.remove(name, why=why)
    say(f"Removed {name}.")


# -- words


def _tell(workbench: Workbench, name: str, wait: float, as_json: bool) -> None:
    """Print how a deployment does; with `wait`, once it serves, and exit 1 if it does not."""
    deadline = time.monotonic() + wait
    found = workbench.serving.get(name)
    while wait and not _settled(found) and time.monotonic() < deadline:
        time.sleep(_WAIT_POLL)
        found = workbench.serving.get(name)
    if as_json:
        emit_one(found, as_json=True)
    else:
        emit_one(_facts(found, workbench.serving.checking.of(found)))
    if wait and found.state != "ready":
        raise click.exceptions.Exit(1)


def _settled(found: Any) -> bool:
    """Whether waiting longer changes nothing: it serves, or a version of it was given up."""
    return found.state in {"ready", "failed"} or any(route.state == "failed" for route in found.versions)


def _facts(found: Any, checks: Sequence[Checked] = ()) -> dict[str, Any]:
    facts = _fields(found)
    facts["versions"] = _traffic(found)
    facts["workers"] = ", ".join(
        f"{r.version}: {r.state}"
        + (f" (pid {r.pid}{f' and {r.workers - 1} more' if r.workers > 1 else ''})" if r.pid else "")
        for r in found.versions
    )
    facts["checked"] = "; ".join(map(_checked, checks))
    facts["previous"] = ", ".join(f"{version}={weight:g}" for version, weight in found.previous.items())
    return facts


def _checked(one: Checked) -> str:
    said = ", ".join(f"{check.check} {'ok' if check.ok else 'REFUSED: ' + check.detail}" for check in one.checks)
    return f"{one.version}: {said}" + (f" (accepted by {one.accepted_by}: {one.why})" if one.accepted_by else "")


def _row(found: Any) -> dict[str, Any]:
    return {**_fields(found), "traffic": _traffic(found)}


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _traffic(found: Any) -> str:
    return ", ".join(f"{route.version}={show(route.weight)}%" for route in found.versions)


def _weight(text: str) -> tuple[int, float]:
    version, _, weight = text.partition("=")
    try:
        return int(version), float(weight)
    except ValueError:
        raise InvalidInput(f"{text!r} is no share of a version.", hint="Write VERSION=WEIGHT: 3=90 4=10.") from None
