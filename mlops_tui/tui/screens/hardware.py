"""How the machine is drawn: meters now, charts of the last half hour."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts import series as curves
from mlops_tui.tui.charts.line import Plot, Series, View
from mlops_tui.tui.lines import Line, Span, line, number, size
from mlops_tui.tui.screens import hardware_lines as lines
from mlops_tui.tui.screens.hardware_lines import meters
from mlops_tui.tui.widgets.chart import Picture

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading

__all__ = ["Machine", "draw_machine", "live_chart", "machine_plot", "meters", "picture"]
LIVE_MS = 2 * clock.MINUTE
HISTORY_MS = 30 * clock.MINUTE
CHART = 8
"""Lines a chart needs at least, with its title."""
TALL = 34
"""Lines from which on there are empty ones between the groups."""
BUSIEST = 6
"""So many of what ran at the cursor are named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """Live readings (oldest first, one a second) and recorded history per series (x in ms) of the last `span` ms.

    `history` is what the chart shows, `others` what the machine kept besides, `loads` the processor time of deployments, runs and
    jobs: what they were at the cursor is said.
    """

    readings: tuple[Reading, ...] = ()
    history: tuple[Series, ...] = ()
    others: tuple[Series, ...] = ()
    loads: tuple[Series, ...] = ()
    span: int = HISTORY_MS


def draw_machine(machine: Machine, width: int, height: int, view: View | None = None) -> list[Line]:
    """Meters on top, then the chart in the room that is left; where there is plenty also every processor over time."""
    if not machine.readings:
        return [(), line(("  reading the machine ...", "muted"))]
    now, gap = machine.readings[-1], [()] if height >= TALL else []
    out: list[Line] = [*gap, *meters(now, width), *gap]
    out += [*lines.cores(machine.readings, width, height - len(out), view), *gap]
    said = [lines.gpu_words(now)] if gap or not now.gpus else []  # GPUs that follow need no heading where lines are few
    out += [lines.words(now), *lines.sensors(now), *said, *gap]
    out += lines.gpus(now, width, height - len(out) - CHART)
    then = [] if view is None or view.cursor is None else _then(machine, view.cursor)
    spare = height - len(out) - len(then) - CHART - (height // 4)  # most of what is left is the chart's
    more = lines.more(now)[: max(0, spare)]
    out += [*more, *(gap if more else [])]
    return [*out, *_history(machine, width, max(CHART, height - len(out) - 1), view, then)]


def _then(machine: Machine, cursor: float) -> list[Line]:
    """What ran at the cursor, the busiest first, and what else the machine did then."""
    reach = machine.span / 20

    def at(one: Series) -> float | None:
        return curves.value_at(one, cursor, reach)

    found = [(one.name, value) for one in machine.loads if (value := at(one)) is not None and value >= 0.1]
    ran = sorted(found, key=lambda one: -one[1])[:BUSIEST]
    did = [(one.name, value) for one in machine.others if (value := at(one)) is not None]
    busy: list[Span | str] = [(f" Ran {clock.local(int(cursor))}  ", "muted")]
    for name, value in ran:
        busy += [(f"{name} ", "accent"), (f"{value:.0f}%  ", "title")]
    if not ran:
        busy.append(("nothing of this workspace", "muted"))
    words = "  ".join(f"{name.replace('_', ' ')} {_amount(name, value)}" for name, value in did)
    return [line(*busy), *([line((f" {words}", "muted"))] if words else [])]


def _amount(name: str, value: float) -> str:
    if name.startswith(("disk_", "net_")):
        return f"{size(value)}/s"
    return f"{number(value, 3)}"


def picture(machine: Machine) -> Picture:
    """The machine with a chart that can be looked into."""
    plots = (machine_plot(machine),) if machine.readings else ()
    return Picture(lambda width, height, view: draw_machine(machine, width, height, view), plots)


def machine_plot(machine: Machine) -> Plot:
    """Processor, memory and GPUs in percent: what the daemon recorded, then second by second what was read since."""
    readings = machine.readings
    begin, now = float(readings[0].at), float(readings[-1].at)
    live: dict[str, list[float]] = {"cpu": [one.cpu for one in readings], "memory": [one.memory for one in readings]}
    for gpu in readings[-1].gpus:
        live[f"gpu{gpu.index}_utilization"] = [_use(one, gpu.index) for one in readings]
    recorded = {one.name: one for one in machine.history if one.ys}
    at = tuple(float(one.at) for one in readings)
    series = []
    for name in dict.fromkeys((*live, *recorded)):
        old = recorded.get(name, Series(name, (), ()))
        kept = sum(x < begin for x in old.xs) if name in live else len(old.xs)
        before = Series(name, old.xs[:kept], old.ys[:kept])
        series.append(curves.continued(before, at if name in live else (), live.get(name, ())))
    return Plot(tuple(series), low=0, high=100, window=(now - (machine.span if recorded else LIVE_MS), now))


def _use(reading: Reading, index: int) -> float:
    found = next((one.utilization for one in reading.gpus if one.index == index), None)
    return math.nan if found is None else found


def _history(machine: Machine, width: int, height: int, view: View | None, then: list[Line]) -> list[Line]:
    kept = any(one.ys for one in machine.history)
    title = f"Last {spoken(machine.span)}, %" if kept else "Last two minutes, % (the daemon keeps a longer history)"
    body = line_chart.draw(machine_plot(machine), width - 2, height - 1 - len(then), view)
    return [line((f" {title}", "title")), *then, *(line(" ", *one) for one in body)]


def spoken(span: int) -> str:
    """`30 minutes`, `6 hours`, `day`."""
    for unit, name in ((clock.DAY, "day"), (clock.HOUR, "hour"), (clock.MINUTE, "minute")):
        if span >= unit:
            return name if span == unit else f"{span // unit} {name}s"
    return f"{span // 1000} seconds"


def live_chart(readings: tuple[Reading, ...], width: int, height: int) -> list[Line]:
    """Processor and memory of the readings of this session over the last two minutes."""
    at = tuple(float(one.at) for one in readings)
    series = (
        Series("cpu", at, tuple(one.cpu for one in readings)),
        Series("memory", at, tuple(one.memory for one in readings)),
    )
    window = (at[-1] - LIVE_MS, at[-1]) if at else None
    return line_chart.draw(Plot(series, low=0, high=100, window=window), width, height)
