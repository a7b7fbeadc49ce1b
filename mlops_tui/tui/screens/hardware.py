"""How the machine is drawn: meters now, charts of the last half hour."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts.heat import heatmap
from mlops_tui.tui.charts.line import Plot, Series, View
from mlops_tui.tui.charts.small import meter, sparkline
from mlops_tui.tui.lines import Line, fit, line, size
from mlops_tui.tui.widgets.chart import Picture

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Gpu, Reading

LABEL = 8
LIVE_MS = 2 * clock.MINUTE
HISTORY_MS = 30 * clock.MINUTE
MOST_CORES = 16
ROOM = 22
"""Lines the chart and the words need before processors get a line each."""
READINGS = 120


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """Live readings (oldest first, one a second) and recorded history per series (x in ms)."""

    readings: tuple[Reading, ...] = ()
    history: tuple[Series, ...] = ()


def draw_machine(machine: Machine, width: int, height: int, view: View | None = None) -> list[Line]:
    """Meters on top, then the chart in the room that is left; where there is plenty also every processor over time."""
    if not machine.readings:
        return [(), line(("  reading the machine ...", "muted"))]
    now = machine.readings[-1]
    out: list[Line] = [(), *meters(now, width), ()]
    out += [
        *_cores(machine.readings, width, height - len(out), view),
        (),
        _words(now),
        *_sensors(now),
        _gpu_words(now),
        (),
    ]
    for gpu in now.gpus:
        out += [*_gpu(gpu, width), ()]
    return [*out, *_history(machine, width, max(8, height - len(out) - 1), view)]


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
        series.append(Series(name, old.xs[:kept] + (at if name in live else ()), (*old.ys[:kept], *live.get(name, ()))))
    return Plot(tuple(series), low=0, high=100, window=(now - (HISTORY_MS if recorded else LIVE_MS), now))


def _use(reading: Reading, index: int) -> float:
    found = next((one.utilization for one in reading.gpus if one.index == index), None)
    return math.nan if found is None else found


def meters(now: Reading, width: int) -> list[Line]:
    """Processor, memory, swap and disk, one line each."""
    rows = [
        ("CPU", now.cpu / 100, f"{now.limits.usable_cpus:g} cpus, ", f"load {now.load[0]:.2f}"),
        ("Memory", now.memory / 100, f"{size(now.memory_used)} ", f"of {size(now.memory_total)}"),
        ("Disk", now.disk / 100, f"{size(now.disk_used)} ", f"of {size(now.disk_total)}"),
    ]
    if now.swap_total:
        rows.insert(
            2, ("Swap", now.swap_used / now.swap_total, f"{size(now.swap_used)} ", f"of {size(now.swap_total)}")
        )
    return [_meter(*row, width) for row in rows]


def _meter(name: str, share: float | None, before: str, words: str, width: int) -> Line:
    """A share as a bar and a number with words behind it; what is said before them is left out where there is no room."""
    tail = min(30, max(0, width // 3))
    room = max(6, width - LABEL - tail - 9)
    words = before + words if len(before + words) <= tail else words
    value = "   -" if share is None else f"{share * 100:3.0f}%"
    return line(f" {fit(name, LABEL)}", *meter(share, room), (f" {value}  ", "title"), (fit(words, tail), "muted"))


def _cores(readings: tuple[Reading, ...], width: int, height: int, view: View | None) -> list[Line]:
    """One bar a processor now; with room for it each one over the last two minutes."""
    now = readings[-1].per_cpu
    if len(now) > MOST_CORES or height < len(now) + ROOM:
        spans = sparkline(now, min(len(now), max(1, width - LABEL - 4)), low=0, high=100)
        return [line(f" {fit('Cores', LABEL)}", spans)]
    matrix = [[one.per_cpu[at] if at < len(one.per_cpu) else math.nan for one in readings] for at in range(len(now))]
    room = max(8, width - LABEL - 9)
    padded = [[math.nan] * max(0, min(room, READINGS) - len(row)) + row for row in matrix]
    kind = "ascii" if view is not None and view.canvas == "ascii" else "shade"
    drawn = heatmap(padded, room, len(now), low=0, high=100, kind=kind)
    names = ["Cores" if at == 0 else "" for at in range(len(now))]
    return [
        line(f" {fit(name, LABEL)}", *spans, (f" {share:4.0f}%", "muted"))
        for name, spans, share in zip(names, drawn, now, strict=True)
    ]


def _words(now: Reading) -> Line:
    def rate(value: float | None) -> str:
        return "-" if value is None else f"{size(value)}/s"

    return line(
        (f" {fit('Disk io', LABEL)}", "text"),
        (f"read {rate(now.disk_read)}  write {rate(now.disk_write)}   ", "muted"),
        "Network ",
        (f"in {rate(now.net_in)}  out {rate(now.net_out)}", "muted"),
    )


def _gpu_words(now: Reading) -> Line:
    if now.gpus:
        return line(f" {fit('GPU', LABEL)}", (f"{len(now.gpus)} found", "muted"))
    return line(f" {fit('GPU', LABEL)}", (f"none: {now.driver}", "muted"))


def _gpu(gpu: Gpu, width: int) -> list[Line]:
    """Use and memory as meters; what it does not support is said, since none of it is no zero."""
    if str(gpu.state) != "ok":
        return [line(f" {fit(f'GPU {gpu.index}', LABEL)}", (f"✗ {gpu.state}: {gpu.name}", "bad"))]
    words = [gpu.name]
    words += [f"{gpu.temperature:.0f}°C"] if gpu.temperature is not None else []
    words += [f"{gpu.power:.0f} W"] if gpu.power is not None else []
    share = gpu.utilization / 100 if gpu.utilization is not None else None
    used = gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else None
    out = [
        _meter(f"GPU {gpu.index}", share, "", "  ".join(words), width),
        _meter("", used, f"{size(gpu.memory_used)} ", f"of {size(gpu.memory_total)}", width)
        if used is not None
        else line(f" {fit('', LABEL)}", ("its memory is not said: not supported", "muted")),
    ]
    for part in gpu.mig:
        held = part.memory_used / part.memory_total if part.memory_used is not None and part.memory_total else None
        out.append(_meter(f"  {part.index}", held, "", f"{part.name}  {len(part.processes)} proc", width))
    more = [
        *([f"fan {gpu.fan:.0f}%"] if gpu.fan is not None else []),
        *([f"{gpu.clock_mhz:.0f} MHz"] if gpu.clock_mhz is not None else []),
        *([f"held back by {', '.join(gpu.throttle)}"] if gpu.throttle else []),
        *([f"{len(gpu.processes)} process{'es' * (len(gpu.processes) > 1)}"] if gpu.processes else []),
    ]
    missing = [
        name for name, value in (("use", gpu.utilization), ("power", gpu.power), ("fan", gpu.fan)) if value is None
    ]
    more += [f"not supported: {', '.join(missing)}"] if missing else []
    return [*out, line(f" {fit('', LABEL)}", ("  ".join(more), "muted"))] if more else out


def _sensors(now: Reading) -> list[Line]:
    """The hottest sensors, and what limits have done; nothing where nobody says anything."""
    out = []
    if now.sensors:
        hottest = sorted(now.sensors, key=lambda one: -one.value)[:5]
        hot = any(one.high is not None and one.value >= one.high for one in hottest)
        words = "  ".join(f"{one.label} {one.value:.0f}°C" for one in hottest)
        out.append(line(f" {fit('Heat', LABEL)}", (words, "warn" if hot else "muted")))
    limits = now.limits
    said = [f"{limits.throttled:.0f}% of periods without processor time left"] if limits.throttled else []
    said += [f"{limits.oom_kills} processes ended for memory"] if limits.oom_kills else []
    if limits.memory_limit is not None and limits.memory_used is not None:
        said.insert(0, f"{size(limits.memory_used)} of {size(limits.memory_limit)} memory")
    if said:
        out.append(line(f" {fit('Limits', LABEL)}", (f"{limits.source}: {', '.join(said)}", "muted")))
    return out


def _history(machine: Machine, width: int, height: int, view: View | None) -> list[Line]:
    kept = any(one.ys for one in machine.history)
    title = "Last 30 minutes, %" if kept else "Last two minutes, % (the daemon keeps a longer history)"
    body = line_chart.draw(machine_plot(machine), width - 2, height - 1, view)
    return [line((f" {title}", "title")), *(line(" ", *one) for one in body)]


def live_chart(readings: tuple[Reading, ...], width: int, height: int) -> list[Line]:
    """Processor and memory of the readings of this session over the last two minutes."""
    at = tuple(float(one.at) for one in readings)
    series = (
        Series("cpu", at, tuple(one.cpu for one in readings)),
        Series("memory", at, tuple(one.memory for one in readings)),
    )
    window = (at[-1] - LIVE_MS, at[-1]) if at else None
    return line_chart.draw(Plot(series, low=0, high=100, window=window), width, height)
