"""How the machine is drawn: meters now, charts of the last half hour."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.charts.small import meter, sparkline
from mlops_tui.tui.lines import Line, fit, line, size

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Gpu, Reading

LABEL = 8
LIVE_MS = 2 * clock.MINUTE


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """Live readings (oldest first, one a second) and recorded history per series (x in ms) over a window of time."""

    readings: tuple[Reading, ...] = ()
    history: tuple[Series, ...] = ()
    window: tuple[float, float] | None = None


def draw_machine(machine: Machine, width: int, height: int) -> list[Line]:
    """Meters on top, then as many charts as fit."""
    if not machine.readings:
        return [(), line(("  reading the machine ...", "muted"))]
    now = machine.readings[-1]
    out: list[Line] = [(), *meters(now, width), ()]
    out += [_cores(now, width), (), _words(now), _gpu_words(now), ()]
    for gpu in now.gpus:
        out += [*_gpu(gpu, width), ()]
    return [*out, *_history(machine, width, max(8, height - len(out) - 1))]


def meters(now: Reading, width: int) -> list[Line]:
    """Processor, memory, swap and disk, one line each."""
    rows = [
        ("CPU", now.cpu / 100, f"{now.limits.usable_cpus:g} cpus, load {now.load[0]:.2f}"),
        ("Memory", now.memory / 100, f"{size(now.memory_used)} of {size(now.memory_total)}"),
        ("Disk", now.disk / 100, f"{size(now.disk_used)} of {size(now.disk_total)}"),
    ]
    if now.swap_total:
        rows.insert(2, ("Swap", now.swap_used / now.swap_total, f"{size(now.swap_used)} of {size(now.swap_total)}"))
    return [_meter(*row, width) for row in rows]


def _meter(name: str, share: float | None, words: str, width: int) -> Line:
    tail = min(30, max(0, width // 3))
    room = max(6, width - LABEL - tail - 9)
    value = "   -" if share is None else f"{share * 100:3.0f}%"
    return line(f" {fit(name, LABEL)}", *meter(share, room), (f" {value}  ", "title"), (fit(words, tail), "muted"))


def _cores(now: Reading, width: int) -> Line:
    spans = sparkline(now.per_cpu, min(len(now.per_cpu), max(1, width - LABEL - 4)), low=0, high=100)
    return line(f" {fit('Cores', LABEL)}", spans)


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
    words = [gpu.name]
    if gpu.temperature is not None:
        words.append(f"{gpu.temperature:.0f}°C")
    if gpu.power is not None:
        words.append(f"{gpu.power:.0f} W")
    share = gpu.utilization / 100 if gpu.utilization is not None else None
    used = gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else None
    if str(gpu.state) != "ok":
        return [line(f" {fit(f'GPU {gpu.index}', LABEL)}", (f"✗ {gpu.state}: {gpu.name}", "bad"))]
    return [
        _meter(f"GPU {gpu.index}", share, "  ".join(words), width),
        _meter("", used, f"{size(gpu.memory_used)} of {size(gpu.memory_total)}", width),
    ]


def _history(machine: Machine, width: int, height: int) -> list[Line]:
    if not any(one.ys for one in machine.history):
        title = "Last seconds, % (the daemon keeps a longer history)"
        body = live_chart(machine.readings, width - 2, height - 1)
    else:
        title = "Last 30 minutes, %"
        plot = Plot(machine.history, low=0, high=100, window=machine.window)
        body = line_chart.draw(plot, width - 2, height - 1)
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
