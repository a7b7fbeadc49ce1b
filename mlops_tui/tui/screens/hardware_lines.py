"""The lines of the machine: meters now, processors, disks and networks, heat and limits, and its GPUs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.charts.heat import heatmap
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.charts.small import meter, sparkline
from mlops_tui.tui.lines import Line, fit, line, size, wrap

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Gpu, Reading

LABEL = 8
MOST_CORES = 16
ROOM = 22
"""Lines the chart and the words need before processors get a line each."""
READINGS = 120
HOT = 0.9
"""Of a GPU's memory or time in use, said in a warning's colour."""


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


def cores(readings: tuple[Reading, ...], width: int, height: int, view: View | None) -> list[Line]:
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


def words(now: Reading) -> Line:
    """Disks and networks together."""
    return line(
        (f" {fit('Disk io', LABEL)}", "text"),
        (f"read {_rate(now.disk_read)}  write {_rate(now.disk_write)}   ", "muted"),
        "Network ",
        (f"in {_rate(now.net_in)}  out {_rate(now.net_out)}", "muted"),
    )


def gpu_words(now: Reading) -> Line:
    if now.gpus:
        return line(f" {fit('GPU', LABEL)}", (f"{len(now.gpus)} found", "muted"))
    return line(f" {fit('GPU', LABEL)}", (f"none: {now.driver}", "muted"))


def gpus(now: Reading, width: int, room: int) -> list[Line]:
    """Every GPU with its meters and words; where there is no room for that, a line for each."""
    full = [
        row for gpu in now.gpus for row in (*_gpu(gpu, width), *([] if len(now.gpus) > 1 and room < ROOM else [()]))
    ]
    return full if len(full) <= room else [_gpu_row(gpu, width) for gpu in now.gpus]


def _gpu(gpu: Gpu, width: int) -> list[Line]:
    """Use and memory as meters; what it does not support is said, since none of it is no zero."""
    if str(gpu.state) != "ok":
        return [_lost(gpu)]
    said = [f"{gpu.temperature:.0f}°C"] if gpu.temperature is not None else []
    said += [_power(gpu)] if gpu.power is not None else []
    said.append(gpu.name)  # last, for that is what may be cut
    share = gpu.utilization / 100 if gpu.utilization is not None else None
    out = [
        _meter(f"GPU {gpu.index}", share, "", "  ".join(said), width),
        _meter("", _used(gpu), f"{size(gpu.memory_used)} ", f"of {size(gpu.memory_total)}", width)
        if _used(gpu) is not None
        else line(f" {fit('', LABEL)}", ("its memory is not said: not supported", "muted")),
    ]
    for part in gpu.mig:
        held = part.memory_used / part.memory_total if part.memory_used is not None and part.memory_total else None
        out.append(_meter(f"  {part.index}", held, "", f"{part.name}  {len(part.processes)} proc", width))
    return [
        *out,
        *(line(f" {fit('', LABEL)}", (one, "muted")) for one in wrap(_more_of(gpu), max(20, width - LABEL - 3))),
    ]


def _more_of(gpu: Gpu) -> str:
    """What has no meter, and what the GPU does not say."""
    known = [
        *([gpu.performance] if gpu.performance else []),
        *([f"fan {gpu.fan:.0f}%"] if gpu.fan is not None else []),
        *([f"{gpu.clock_mhz:.0f} MHz"] if gpu.clock_mhz is not None else []),
        *([f"memory bus {gpu.memory_utilization:.0f}%"] if gpu.memory_utilization is not None else []),
        *([f"encoder {gpu.encoder:.0f}%"] if gpu.encoder else []),
        *([f"decoder {gpu.decoder:.0f}%"] if gpu.decoder else []),
        *([f"{gpu.ecc_errors} uncorrected errors"] if gpu.ecc_errors else []),
        *([f"{len(gpu.processes)} process{'es' * (len(gpu.processes) > 1)}"] if gpu.processes else []),
        *([f"held back by {', '.join(gpu.throttle)}"] if gpu.throttle else []),
    ]
    figures = (
        ("use", gpu.utilization), ("temperature", gpu.temperature), ("power", gpu.power), ("fan", gpu.fan), ("clock", gpu.clock_mhz),
    )  # fmt: skip
    missing = [name for name, value in figures if value is None]
    return "  ".join([*known, *([f"not supported: {', '.join(missing)}"] if missing else [])])


def _gpu_row(gpu: Gpu, width: int) -> Line:
    """One GPU in one line: use, memory, heat and power."""
    if str(gpu.state) != "ok":
        return _lost(gpu)
    share, used = None if gpu.utilization is None else gpu.utilization / 100, _used(gpu)
    room = max(4, (width - LABEL - 36) // 3)

    def figure(value: float | None) -> tuple[str, str]:
        return (
            ("  n/s  ", "muted") if value is None else (f" {value * 100:3.0f}%  ", "warn" if value > HOT else "title")
        )

    return line(
        f" {fit(f'GPU {gpu.index}', LABEL)}",
        *meter(share, room),
        figure(share),
        *meter(used, room),
        figure(used),
        ("  -  " if gpu.temperature is None else f"{gpu.temperature:3.0f}°C", "text"),
        (f" {_power(gpu) if gpu.power is not None else 'power n/s'} ", "muted"),
        (gpu.name, "muted"),
    )


def _lost(gpu: Gpu) -> Line:
    return line(f" {fit(f'GPU {gpu.index}', LABEL)}", (f"✗ {gpu.state}: {gpu.name}", "bad"))


def _power(gpu: Gpu) -> str:
    return f"{gpu.power:.0f}{f'/{gpu.power_limit:.0f}' if gpu.power_limit else ''} W"


def _used(gpu: Gpu) -> float | None:
    return gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else None


def sensors(now: Reading) -> list[Line]:
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


def more(now: Reading) -> list[Line]:
    """The machine in detail, what matters most first: what the processors do, memory, pressure, disks, networks, file systems."""
    parts = now.parts
    if parts is None:
        return []
    times, memory, waits = parts.times, parts.memory, parts.pressure
    shares = (
        ("user", times.user),
        ("system", times.system),
        ("nice", times.nice),
        ("disk wait", times.wait),
        ("stolen", times.stolen),
    )
    did = [f"{name} {value:.0f}%" for name, value in shares if value is not None]
    did += [f"{parts.frequency_mhz:,.0f} MHz"] if parts.frequency_mhz else []
    did += [f"{parts.processes:,} processes"] if parts.processes is not None else []
    did += [f"up {clock.duration(now.at - now.booted_at)}"] if now.booted_at else []
    holds = (
        ("available", memory.available),
        ("cached", memory.cached),
        ("buffers", memory.buffers),
        ("shared", memory.shared),
        ("free", memory.free),
    )
    held = [f"{name} {size(value)}" for name, value in holds if value is not None]
    stalls = (("processors", waits.cpu), ("memory", waits.memory), ("disks", waits.io))
    stalled = [f"{name} {value:.0f}%" for name, value in stalls if value is not None]
    disks = [
        f"{one.name} read {_rate(one.read)} write {_rate(one.write)}"
        + ("" if one.busy is None else f" busy {one.busy:.0f}%")
        for one in parts.disks
    ]
    nets = [
        f"{one.name} in {_rate(one.received)} out {_rate(one.sent)}" + (f" faults {one.faults}" if one.faults else "")
        for one in parts.networks
    ]
    kept = [f"{one.path} {100 * one.used / one.total:.0f}% of {size(one.total)}" for one in parts.file_systems]
    rows = (("Time", did), ("Holds", held), ("Stalls", stalled), ("Disks", disks), ("Net", nets), ("Files", kept))
    return [line(f" {fit(name, LABEL)}", ("  ".join(said), "muted")) for name, said in rows if said]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{size(value)}/s"
