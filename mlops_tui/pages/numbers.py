"""Numbers in words, as all pages say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.measured import Measure

LONG = {
    "mae": "MAE", "rmse": "RMSE", "rmsle": "RMSLE", "r2": "R2",
    "roc_auc": "AUC", "ece": "calibration error", "brier": "Brier score", "log_loss": "log loss", "f1": "F1", "bias": "bias",
    "selection": "selection rate", "tpr": "true positive rate", "fpr": "false positive rate", "error": "error",
}  # fmt: skip


def name_of(measure: str) -> str:
    """`roc_auc` as AUC."""
    return LONG.get(measure, measure)


def number(value: float | None) -> str:
    """Four digits; "" for none."""
    return "" if value is None else f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def span(one: Measure | None) -> str:
    """`0.81 to 0.86`."""
    return "" if one is None or one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}"


def measured(one: Measure | None) -> str:
    """`0.84 (0.81 to 0.86)`."""
    return "" if one is None else number(one.value) + (f" ({span(one)})" if span(one) else "")


def share(value: float | None) -> str:
    """`12.5 %`."""
    return "" if value is None else f"{value:.1%}".replace("%", " %")


def when(at: int | None) -> str:
    """UTC to the minute."""
    return str(clock.iso(at))[:16].replace("T", " ") + " UTC" if at else ""


def between(since: int | None, until: int | None) -> str:
    """Two times of which the second says its date only when it is another."""
    if not since or not until:
        return ""
    first, second = when(since), when(until)
    return f"{first[:-4]} to {second[11:] if first[:10] == second[:10] else second}"
