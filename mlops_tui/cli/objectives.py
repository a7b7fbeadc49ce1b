"""`mlops deployments objective|budgets`: what is promised of a deployment, and how much room for failure is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, jsonable, pass_workbench, say, why_option
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.domains.serving.objectives import Budget, Standing
    from mlops_tui.workbench import Workbench

_BUDGETS = [
    ("deployment", "Deployment"),
    ("promise", "Promised"),
    ("achieved", "So far"),
    ("bad", "Bad"),
    ("total", "Requests"),
    ("left", "Budget left"),
    ("burn_1h", "Burn 1 h"),
    ("burn_6h", "Burn 6 h"),
    ("burning", "Alert"),
]


@click.command()
@click.argument("name")
@click.option("--availability", type=float, metavar="PERCENT", help="Answers that are no 5xx: 99.9.")
@click.option("--latency", metavar="SPAN", help="Answers within this time: 50ms, 1.5s.")
@click.option("--percentile", type=float, default=95.0, show_default=True, help="How many of them, in percent.")
@click.option("--window", type=int, default=30, show_default=True, metavar="DAYS", help="Over how many days.")
@click.option("--remove", is_flag=True, help="Promise nothing any more.")
@why_option
@json_option
@pass_workbench
def objective(
    workbench: Workbench,
    name: str,
    availability: float | None,
    latency: str | None,
    percentile: float,
    window: int,
    remove: bool,
    why: str,
    as_json: bool,
) -> None:
    """Promise an availability or a latency of a deployment, or show how its promises stand.

    \b
    Example: mlops deployments objective churn --availability 99.9 --latency 50ms --percentile 95
    """
    if remove:
        workbench.serving.promises.remove(name, why=why)
        say(f"Nothing is promised of {name} any more.")
        return
    if availability is None and latency is None:
        found = workbench.serving.promises.get(name)
    else:
        found = workbench.serving.promises.put(
            name,
            availability=round(availability / 100, 12) if availability is not None else None,
            latency_ms=_milliseconds(latency) if latency is not None else None,
            latency_share=round(percentile / 100, 12),
            window_days=window,
            why=why,
        )
    if as_json:
        emit_one(found, as_json=True)
        return
    emit(_rows(found), _BUDGETS)


@click.command()
@json_option
@pass_workbench
def budgets(workbench: Workbench, as_json: bool) -> None:
    """List what is promised of deployments, what is left of their error budgets and how fast it goes.

    \b
    Example: mlops deployments budgets
    """
    found = workbench.serving.promises.list()
    rows = jsonable(found) if as_json else [row for one in found for row in _rows(one)]
    empty = "Nothing is promised yet. Begin: mlops deployments objective NAME --availability 99.9"
    emit(rows, _BUDGETS, as_json=as_json, empty=empty)


def _rows(found: Standing) -> list[dict[str, Any]]:
    return [_row(found, budget) for budget in found.budgets]


def _row(found: Standing, budget: Budget) -> dict[str, Any]:
    one = found.objective
    within = f" within {one.latency_ms:g} ms" if budget.kind == "latency" and one.latency_ms is not None else ""
    return {
        "deployment": one.deployment,
        "promise": f"{100 * budget.target:.6g} %{within or ' available'}",
        "achieved": "-" if budget.achieved is None else f"{100 * budget.achieved:.4g} %",
        "bad": round(budget.bad),
        "total": budget.total,
        "left": f"{100 * budget.left:.0f} %",
        "burn_1h": budget.burn_1h,
        "burn_6h": budget.burn_6h,
        "burning": f"{budget.severity}: {budget.burning}" if budget.severity else "",
    }


def _milliseconds(text: str) -> float:
    unit = "ms" if text.endswith("ms") else "s" if text.endswith("s") else "ms"
    try:
        return float(text.removesuffix(unit)) * (1.0 if unit == "ms" else 1000.0)
    except ValueError:
        raise InvalidInput(f"{text[:40]!r} is no latency.", hint="Write 50ms or 1.5s.") from None
