"""What the machine, each deployment, run and job took: now, in the last hour, and a day to look into with a cursor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Chart, Fields
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.charts.series import recorded
from mlops_tui.tui.charts.small import sparkline
from mlops_tui.tui.lines import Span, number, size
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.records import ServiceStats

LIMIT = 2000
WINDOW = clock.DAY
RECENT = 5 * clock.MINUTE
POINTS = 288
MACHINE = "this machine"
SHARES = ("cpu", "memory", "disk", "swap", "throttled")
RATES = (("disk_read", "disk_write"), ("net_in", "net_out"))


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What something takes now (nothing when it is over), its last hour of processor time, and a deployment's traffic."""

    subject: str
    now: dict[str, float]
    cpu: tuple[float, ...]
    stats: ServiceStats | None = None


def loads(bench: Workbench) -> list[Load]:
    """The machine, then deployments, runs and jobs with history: those that run first."""
    hardware, now = bench.hardware, bench.context.now()
    found = []
    if machine := hardware.latest():
        points = hardware.history("cpu", now - clock.HOUR, now, 30)
        shown = {"cpu_percent": machine.get("cpu", math.nan), "memory_mb": machine.get("memory_used", math.nan) / 1e6}
        found.append(Load(MACHINE, shown, tuple(mean for _, _, mean, _ in points)))
    for subject in hardware.loads()[:LIMIT]:
        points = hardware.load_history(subject, "cpu_percent", now - clock.HOUR, now, 30)
        stats = bench.serving.stats(subject[11:], now - RECENT) if subject.startswith("deployment ") else None
        found.append(Load(subject, hardware.load(subject), tuple(mean for _, _, mean, _ in points), stats))
    return sorted(found, key=lambda one: (one.subject != MACHINE, not one.now, one.subject))


def load_detail(bench: Workbench, one: Load) -> Sequence[Block]:
    """The figures now, then a day of each series to look into."""
    stats = one.stats
    traffic = () if stats is None else _traffic(stats)
    values = tuple(_value(name, value) for name, value in one.now.items())
    over = () if one.now else (("State", ("not running now", "muted")),)
    head = Fields((*over, *values, *traffic), title=one.subject)
    return (head, *_charts(bench, one.subject))


def _value(name: str, value: float) -> tuple[str, str]:
    """A figure by its name; memory, kept in megabytes, as a size."""
    words = name.replace("_", " ")
    if name.endswith("_mb") and not math.isnan(value):
        return words.removesuffix(" mb"), size(round(value * 1e6))
    return words, number(value, 3)


def _traffic(stats: ServiceStats) -> tuple[tuple[str, Span | str], ...]:
    slow = " / ".join(f"{number(ms, 3)} ms" for ms in (stats.p50_ms, stats.p95_ms, stats.p99_ms))
    return (
        ("Requests", f"{stats.requests:,} in five minutes, {stats.rate:.1f}/s"),
        ("Answered well", f"{100 * (1 - stats.errors / stats.requests):.2f} %" if stats.requests else ""),
        ("p50 / p95 / p99", slow if stats.requests else ""),
    )


def _chart(now: int, *series: Series) -> list[Block]:
    drawn = tuple(one for one in series if one.values)
    window = (float(now - WINDOW), float(now))
    return [Chart(Plot(drawn, low=0, x=ticks.TIME, window=window), height=6)] if drawn else []


def _machine_charts(bench: Workbench) -> list[Block]:
    """Shares, GPUs one by one, heat, then disks and network."""
    now, known = bench.context.now(), bench.hardware.series()

    def kept(name: str) -> Series:
        points = bench.hardware.history(name, now - WINDOW, now + 1, POINTS) if name in known else []
        return recorded(name, points)

    gpus = dict.fromkeys(name.partition("_")[0] for name in known if name.startswith("gpu"))
    out = _chart(now, *(kept(name) for name in SHARES))
    for gpu in gpus:
        out += _chart(now, *(kept(f"{gpu}_{name}") for name in ("utilization", "memory", "temperature")))
    out += _chart(now, kept("temperature"))
    for pair in RATES:
        out += _chart(now, *(kept(name) for name in pair))
    return out


def _charts(bench: Workbench, subject: str) -> list[Block]:
    if subject == MACHINE:
        return _machine_charts(bench)
    now = bench.context.now()
    known = set(bench.hardware.load_series(subject))

    def chart(*series: Series) -> list[Block]:
        return _chart(now, *series)

    def kept(name: str) -> Series:
        points = bench.hardware.load_history(subject, name, now - WINDOW, now + 1, POINTS) if name in known else []
        return recorded(name, points)

    out = [
        *chart(kept("cpu_percent"), kept("saturation")),
        *chart(kept("memory_mb"), kept("gpu_memory_mb")),
        *chart(kept("gpu_percent")),
    ]
    if subject.startswith("deployment "):
        points = bench.serving.series(subject[11:], now - WINDOW, WINDOW // POINTS)
        at = tuple(float(point.at) for point in points)
        slow = [
            Series(f"{name} ms", at, tuple(math.nan if value is None else value for value in values))
            for name, values in (
                ("p50", [p.p50_ms for p in points]),
                ("p95", [p.p95_ms for p in points]),
                ("p99", [p.p99_ms for p in points]),
            )
        ]
        if any(point.requests for point in points):
            out += [*chart(Series("requests/s", at, tuple(point.rate for point in points))), *chart(*slow)]
    return out


def _now(title: str, name: str, *, digits: int = 3, rank: int = 1) -> Column:
    return Column(
        title,
        lambda one, now: number(one.now.get(name), digits),
        sort=lambda one: one.now.get(name),
        right=True,
        rank=rank,
    )


def _held(title: str, name: str, *, rank: int = 1) -> Column:
    """Memory, kept in megabytes."""

    def bytes_of(one: Load) -> int | None:
        value = one.now.get(name)
        return None if value is None or math.isnan(value) else round(value * 1e6)

    return cells.byte_size(title, bytes_of, rank=rank)


def _of_traffic(title: str, field: str) -> Column:
    def value(one: Load) -> float | None:
        return None if one.stats is None else getattr(one.stats, field)

    return Column(title, lambda one, now: number(value(one), 3), sort=value, right=True, rank=2)


LOADS = Section(
    "loads",
    "Loads",
    loads,
    limit=LIMIT,
    columns=(
        cells.text("Of", lambda one: one.subject, width=28, grow=True),
        Column("Last hour", lambda one, now: sparkline(one.cpu, 12, low=0), width=12, rank=2),
        _now("CPU %", "cpu_percent"),
        _held("Memory", "memory_mb"),
        _now("GPU %", "gpu_percent", rank=2),
        _held("GPU", "gpu_memory_mb", rank=3),
        _now("Busy %", "saturation"),
        _of_traffic("Rate", "rate"),
        _of_traffic("p95 ms", "p95_ms"),
        cells.count("Errors", lambda one: (one.stats.errors or None) if one.stats else None, rank=3),
    ),
    key=lambda one: str(one.subject),
    empty=Empty("Nothing was recorded yet. The daemon looks at deployments, runs and jobs every ten seconds.", "mlops daemon start"),
    detail=load_detail,
    watches=frozenset({"telemetry"}),
    names=lambda one: {"subject": one.subject},
)  # fmt: skip
