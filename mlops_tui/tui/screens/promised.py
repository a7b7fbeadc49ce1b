"""What was promised of a deployment, and what is left of its error budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core.errors import NotFound
from mlops_tui.tui.blocks import Block, Grid
from mlops_tui.tui.lines import Span, number

if TYPE_CHECKING:
    from mlops_tui.domains.serving.objectives import Budget, Standing
    from mlops_tui.workbench import Workbench


def promised_blocks(bench: Workbench, name: str) -> tuple[Block, ...]:
    """One line per promise; nothing where none was made."""
    try:
        found = bench.serving.promises.get(name)
    except NotFound:
        return ()
    heads = ("Promised", "So far", "Bad", "Left", "Burn 1 h", "6 h")
    title = f"Budgets over {found.objective.window_days} days"
    return (Grid(heads, tuple(_row(found, budget) for budget in found.budgets), title=title),)


def budget_left(found: Standing | None) -> Span:
    """The share of the budget that is left, of the promise that stands worst."""
    if found is None:
        return ("", "muted")
    worst = min(found.budgets, key=lambda budget: budget.left)
    return (f"{worst.left:.0%}", _role(worst))


def _row(found: Standing, budget: Budget) -> tuple[str | Span, ...]:
    what = f"within {found.objective.latency_ms:g} ms" if budget.kind == "latency" else "available"
    return (
        f"{100 * budget.target:.6g}% {what}",
        "" if budget.achieved is None else f"{100 * budget.achieved:.4g}%",
        f"{number(round(budget.bad))} of {number(budget.total)}",
        (f"{budget.left:.0%}", _role(budget)),
        number(budget.burn_1h, 2) if budget.burn_1h is not None else "",
        number(budget.burn_6h, 2) if budget.burn_6h is not None else "",
    )


def _role(budget: Budget) -> str:
    if budget.severity == "critical" or budget.left <= 0:
        return "bad"
    return "warn" if budget.severity else "text"
