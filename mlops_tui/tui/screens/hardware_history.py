"""What the daemon recorded of the machine and of what ran on it, over a stretch of time to look into."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_tui.core import clock
from mlops_tui.tui.charts.series import Series, recorded
from mlops_tui.tui.screens.hardware import HISTORY_MS, Machine
from mlops_tui.workbench import Workbench

SPANS = (HISTORY_MS, 6 * clock.HOUR, clock.DAY, 7 * clock.DAY, 30 * clock.DAY, 90 * clock.DAY)
CHARTED = ("cpu", "memory")
OTHERS = ("load", "swap", "disk", "temperature", "disk_read", "disk_write", "net_in", "net_out")
POINTS = 300
SUBJECTS = 40
"""So many deployments, runs and jobs are looked up, of those that ran in the stretch of time."""


def machine(bench: Workbench, span: int = HISTORY_MS) -> Machine:
    """What was recorded in the last `span` ms; the live readings come from the sampler of the application."""
    hardware, now = bench.hardware, bench.context.now()
    known = hardware.series()
    charted = [one for one in known if one in CHARTED or (one.startswith("gpu") and one.endswith("_utilization"))]
    others = [one for one in known if one in OTHERS or (one.startswith("gpu") and one.endswith(("_power", "_memory")))]

    def kept(names: Iterable[str]) -> tuple[Series, ...]:
        return tuple(recorded(name, hardware.history(name, now - span, now, POINTS)) for name in names)

    ran = (
        recorded(subject, hardware.load_history(subject, "cpu_percent", now - span, now, POINTS))
        for subject in hardware.ran(now - span, SUBJECTS)
    )
    first = [name for name in CHARTED if name in charted]
    order = [*first, *(name for name in charted if name not in first)]
    return Machine((), kept(order), kept(others), tuple(one for one in ran if one.values), span)
