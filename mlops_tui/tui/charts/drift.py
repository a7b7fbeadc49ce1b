"""How far columns have moved over the reports of a monitor, for screens and prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.records import Report


def psi_history(reports: Sequence[Report], names: Sequence[str]) -> Plot | None:
    """PSI of columns over the reports, None with fewer than two of them."""
    known = sorted((one for one in reports if one.features), key=lambda one: one.at)
    if len(known) < 2:
        return None
    at = tuple(float(one.at) for one in known)
    values = [{each.name: each.psi for each in one.features} for one in known]
    curves = tuple(
        Series(name, at, tuple(math.nan if (psi := one.get(name)) is None else psi for one in values)) for name in names
    )
    return Plot(curves, low=0, x=ticks.TIME)
