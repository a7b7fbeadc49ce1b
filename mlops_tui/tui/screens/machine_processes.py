"""The list of processes: a tree that folds, with whose they are and what each took since it was looked at."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence, Set
from typing import TYPE_CHECKING, TypeVar

from mlops_tui.core import clock
from mlops_tui.telemetry import owners
from mlops_tui.tui.blocks import Block, Chart, Fields
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import Span, number, size
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.parts import Trace
    from mlops_tui.domains.hardware.records import Process

LIMIT = 2000
UNSAID = "not said"
COMMAND = 4000
"""Characters of a command line that are shown; some programs take a megabyte of arguments."""
MARKED = 2
"""So many looks make a curve."""
_Number = TypeVar("_Number", int, float)


def processes(bench: Workbench) -> list[Process]:
    """All processes as a tree, the busiest branch first."""
    return owners.processes(bench)[:LIMIT]


def branches(records: Sequence[Process], folded: Set[str], flat: bool) -> Sequence[Process]:
    """The rows of the tree that are to be seen; what is folded into a row is added to it. `flat` leaves no tree."""
    if flat:
        return [dataclasses.replace(one, depth=0) if one.depth else one for one in records]
    if not folded:
        return records
    out: list[Process] = []
    hidden = -1  # the depth of the folded row that is being filled
    for one in records:
        if 0 <= hidden < one.depth:
            top = out[-1]
            out[-1] = dataclasses.replace(
                top, below=top.below + 1, cpu=top.cpu + one.cpu, memory=top.memory + one.memory,
                memory_percent=top.memory_percent + one.memory_percent, gpu_memory=_both(top.gpu_memory, one.gpu_memory),
                gpu_utilization=_both(top.gpu_utilization, one.gpu_utilization), gpus=tuple(sorted({*top.gpus, *one.gpus})),
            )  # fmt: skip
            continue
        out.append(one)
        hidden = one.depth if str(one.pid) in folded else -1
    return out


def kernel(records: Sequence[Process]) -> set[str]:
    """The keys of what the kernel's own threads hang on: dozens of rows that take nothing."""
    return {str(one.pid) for one in records if one.name == "kthreadd" and one.parent == 0}


def parents(records: Sequence[Process], depth: int = 0) -> set[str]:
    """The keys of all rows with something below them, from that depth on."""
    pairs = itertools.pairwise(records)
    return {str(one.pid) for one, after in pairs if after.depth > one.depth >= depth}


def _both(one: _Number | None, other: _Number | None) -> _Number | None:
    return other if one is None else one if other is None else one + other


def process_detail(bench: Workbench, one: Process) -> Sequence[Block]:
    """What is known of a process, and what it took since it was first looked at here."""
    now, more = bench.context.now(), bench.hardware.closely(one.pid)
    spent = (
        "" if more.cpu_user is None else f"{more.cpu_user:.1f} s of its own, {more.cpu_system or 0:.1f} s in the kernel"
    )
    moved = "" if more.read is None else f"{size(more.read)} read, {size(more.written)} written"
    also = [f"{size(more.virtual)} of addresses"] if more.virtual is not None else []
    also += [f"{size(more.shared)} shared"] if more.shared is not None else []
    held = f"{size(one.memory)} ({one.memory_percent:.1f} %)"
    head = (
        ("For", (one.owner, "accent") if one.owner else "nothing of this workspace"),
        ("Folded in", f"{one.below} below it, whose figures are added" if one.below else ""),
        ("User", one.user),
        ("State", one.state),
        ("Processor", f"{one.cpu:.1f} % of one"),
        ("Took", spent),
        ("Memory", ", ".join((held, *also))),
        ("Disks", moved),
        ("GPU", _on_gpus(one)),
        ("Threads", number(one.threads)),
        ("Open files", number(more.files) if more.files is not None else ""),
        ("May use", f"{more.processors} processors" if more.processors else ""),
        ("Niceness", "" if one.nice is None else str(one.nice)),
        ("Started", cells.moment(one.started_at, now)),
        ("Parent", str(one.parent)),
    )
    tail = (
        ("Terminal", more.terminal or ""),
        ("Folder", more.folder or ""),
        ("Program", more.executable or ""),
        ("Command", one.command[:COMMAND]),
    )
    drawn = traced(bench.hardware.trace(one.pid))
    return (Fields(head, title=f"Process {one.pid}: {one.name}"), *drawn, Fields(tail, title=" " if drawn else ""))


def traced(trace: Sequence[Trace]) -> list[Block]:
    """Processor, memory and GPU of a process over the time it was looked at."""
    at = tuple(float(one.at) for one in trace)
    if len(at) < MARKED:
        return []

    def chart(*series: Series) -> list[Block]:
        known = tuple(one for one in series if one.values)
        return [Chart(Plot(known, low=0, x=ticks.TIME), height=6)] if known else []

    def of(values: Iterable[float | None]) -> tuple[float, ...]:
        return tuple(math.nan if one is None else float(one) for one in values)

    return [
        *chart(Series("cpu %", at, of(one.cpu for one in trace)), Series("gpu %", at, of(one.gpu for one in trace))),
        *chart(
            Series("memory MB", at, of(one.memory / 1e6 for one in trace)),
            Series("gpu MB", at, of(None if one.gpu_memory is None else one.gpu_memory / 1e6 for one in trace)),
        ),
    ]


def _on_gpus(one: Process) -> str:
    """`1.0 GB on GPU 0 (compute), engines 31 %, memory 4 %`, with what is not said."""
    if not one.gpus:
        return ""
    shares = (
        ("engines", one.gpu_utilization), ("memory", one.gpu_bandwidth),
        ("encoder", one.gpu_encoder), ("decoder", one.gpu_decoder),
    )  # fmt: skip
    said = [f"{name} {value:.0f} %" for name, value in shares if value is not None] or [
        "shares of its engines not said"
    ]
    where = f"{_held(one)} on GPU {', '.join(map(str, one.gpus))} ({one.gpu_kind or 'open'})"
    return ", ".join((where, *said))


def _held(one: Process) -> str:
    return "hidden" if one.gpu_memory is None else size(one.gpu_memory)


def _name(one: Process) -> str:
    return f"{'  ' * min(one.depth, 8)}{'▸ ' if one.below else ''}{one.name}{f' +{one.below}' if one.below else ''}"


def _gpu_memory(one: Process, now: int) -> Span:
    return ("", "text") if not one.gpus else (_held(one), "muted" if one.gpu_memory is None else "text")


def _of_gpu(title: str, field: str, rank: int) -> Column:
    """A share of a GPU's engine; of a process that is on none, nothing; of one whose share is not said, that."""

    def cell(one: Process, now: int) -> Span:
        value = getattr(one, field)
        return ("", "text") if not one.gpus else (UNSAID, "muted") if value is None else (f"{value:.0f}", "text")

    return Column(title, cell, sort=lambda one: getattr(one, field), right=True, rank=rank, kind="number")


def _figure(title: str, get: Callable[[Process], float], rank: int) -> Column:
    return Column(title, lambda one, now: f"{get(one):.1f}", sort=get, right=True, rank=rank, kind="number")


def _time(one: Process, now: int) -> str:
    return clock.duration(int(one.cpu_time * 1000))


PROCESSES = Section(
    "processes",
    "Processes",
    processes,
    limit=LIMIT,
    columns=(
        Column("PID", lambda one, now: str(one.pid), sort=lambda one: one.pid, right=True, kind="number"),
        cells.text("Name", _name, width=28, grow=True),
        cells.text("For", lambda one: one.owner, width=22, role="accent"),
        _figure("CPU %", lambda one: one.cpu, 1),
        cells.byte_size("Memory", lambda one: one.memory),
        _figure("Mem %", lambda one: one.memory_percent, 3),
        Column("VRAM", _gpu_memory, sort=lambda one: one.gpu_memory, right=True, rank=2, kind="size"),
        _of_gpu("GPU %", "gpu_utilization", 2),
        _of_gpu("Bus %", "gpu_bandwidth", 4),
        cells.text("On", lambda one: ",".join(map(str, one.gpus)), width=8, rank=4),
        cells.lasted("Runs", lambda one: one.started_at, lambda one: None, rank=3),
        Column("Time", _time, sort=lambda one: one.cpu_time, right=True, rank=4, kind="number"),
        Column("Nice", lambda one, now: "" if one.nice is None else str(one.nice), sort=lambda one: one.nice or 0, right=True, rank=3),
        cells.count("Threads", lambda one: one.threads, rank=5),
        cells.text("User", lambda one: one.user, width=10, rank=2, role="muted"),
        cells.text("State", lambda one: one.state, width=10, rank=5, role="muted"),
        cells.text("Command", lambda one: one.command[:COMMAND], width=40, rank=3, grow=True, role="muted"),
    ),
    key=lambda one: str(one.pid),
    empty=Empty("No process can be looked at.", "mlops hardware processes"),
    detail=process_detail,
    watches=frozenset(),  # the desk reads it again and again while it is on screen
    names=lambda one: {"pid": one.pid},
    tree=branches,
)  # fmt: skip
