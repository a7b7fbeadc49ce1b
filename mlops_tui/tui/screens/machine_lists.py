"""The lists beside the machine: its processes as a tree, and its GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.telemetry import owners
from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Fact, Gpu, GpuProcess, Process

LIMIT = 2000
NEVER = "not supported"


# -- processes ------------------------------------------------------------------------------------------------------------


def processes(bench: Workbench) -> list[Process]:
    """All processes as a tree, the busiest branch first."""
    return owners.processes(bench)[:LIMIT]


def process_detail(bench: Workbench, one: Process) -> Sequence[Block]:
    """What is known of a process."""
    now = bench.context.now()
    shares = "" if one.gpu_utilization is None else f"{one.gpu_utilization:.0f} %"
    gpu = f"{_held(one)} on GPU {', '.join(map(str, one.gpus))} ({one.gpu_kind or 'open'}) {shares}" if one.gpus else ""
    head = (
        ("For", (one.owner, "accent") if one.owner else "nothing of this workspace"),
        ("User", one.user),
        ("State", one.state),
        ("Processor", f"{one.cpu:.1f} % of one"),
        ("Memory", size(one.memory)),
        ("GPU", gpu),
        ("Threads", number(one.threads)),
        ("Niceness", "" if one.nice is None else str(one.nice)),
        ("Started", cells.moment(one.started_at, now)),
        ("Parent", str(one.parent)),
        ("Command", one.command),
    )
    return (Fields(head, title=f"Process {one.pid}: {one.name}"),)


def _held(one: Process | GpuProcess) -> str:
    memory = getattr(one, "gpu_memory", None) if hasattr(one, "gpu_memory") else one.memory
    return "hidden" if memory is None else size(memory)


PROCESSES = Section(
    "processes",
    "Processes",
    processes,
    limit=LIMIT,
    columns=(
        Column("PID", lambda one, now: str(one.pid), sort=lambda one: one.pid, right=True, kind="number"),
        cells.text("Name", lambda one: f"{'  ' * min(one.depth, 8)}{one.name}", width=28, grow=True),
        cells.text("For", lambda one: one.owner, width=22, role="accent"),
        Column("CPU %", lambda one, now: f"{one.cpu:.1f}", sort=lambda one: one.cpu, right=True),
        cells.byte_size("Memory", lambda one: one.memory),
        cells.byte_size("GPU", lambda one: one.gpu_memory, rank=2),
        Column("Nice", lambda one, now: "" if one.nice is None else str(one.nice), sort=lambda one: one.nice or 0, right=True, rank=3),
        cells.text("User", lambda one: one.user, width=10, rank=2, role="muted"),
        cells.text("Command", lambda one: one.command, width=40, rank=3, grow=True, role="muted"),
    ),
    key=lambda one: str(one.pid),
    empty=Empty("No process can be looked at.", "mlops hardware processes"),
    detail=process_detail,
    watches=frozenset({"telemetry"}),
    names=lambda one: {"pid": one.pid},
)  # fmt: skip


# -- GPUs -----------------------------------------------------------------------------------------------------------------


def gpus(bench: Workbench) -> list[Gpu]:
    """All GPUs, lost ones too."""
    return list(bench.hardware.gpus())


def gpu_detail(bench: Workbench, one: Gpu) -> Sequence[Block]:
    """Who is on it, its instances, then everything it says of itself and why it does not say the rest."""
    if str(one.state) != "ok":
        lost = Fields(
            (("State", state(one.state)), ("Meaning", "It fell off the bus or waits for a reset.")), title=one.name
        )
        return (lost,)
    facts = bench.hardware.facts(one.index)
    users = [(str(each.pid), each.kind or "open", _held(each)) for each in one.processes if not one.mig]
    parts = [
        (str(part.index), part.name, _of(part.memory_used, part.memory_total), _pids(part.processes))
        for part in one.mig
    ]
    groups = dict.fromkeys(fact.group for fact in facts)
    return (
        Grid(
            ("Process", "Does", "Memory"), tuple(users), title=f"GPU {one.index}: {one.name}", empty="Nobody is on it."
        ),
        Grid(("Part", "Name", "Memory", "Processes"), tuple(parts), title="Instances" if parts else ""),
        *(Fields(tuple(_fact(fact) for fact in facts if fact.group == group), title=group.title()) for group in groups),
    )


def _pids(found: Sequence[GpuProcess]) -> str:
    return ", ".join(str(one.pid) for one in found) or "none"


def _of(used: int | None, total: int | None) -> str:
    return NEVER if used is None or total is None else f"{size(used)} of {size(total)}"


def _fact(one: Fact) -> tuple[str, Span | str]:
    name = one.name.replace("_", " ")
    if one.value is None:
        return name, (one.missing, "muted")
    if one.unit in ("B", "B/s"):
        return name, size(int(float(one.value))) + one.unit[1:]
    if isinstance(one.value, bool):
        return name, "yes" if one.value else "no"
    value = f"{one.value:g}" if isinstance(one.value, float) else str(one.value)
    return name, f"{value} {one.unit}".strip() or "none"


def _known(value: float | None, unit: str) -> Span:
    """A figure of a GPU that works: one it does not support is no zero."""
    return (NEVER, "muted") if value is None else (f"{value:.0f}{unit}", "text")


def _figure(title: str, field: str, unit: str, *, rank: int = 1) -> Column:
    def cell(one: Gpu, now: int) -> Span:
        return _known(getattr(one, field), unit) if str(one.state) == "ok" else ("", "muted")

    return Column(title, cell, sort=lambda one: getattr(one, field) or 0.0, right=True, rank=rank)


GPUS = Section(
    "gpus",
    "GPUs",
    gpus,
    columns=(
        cells.count("GPU", lambda one: one.index),
        cells.text("Name", lambda one: one.name, width=24, grow=True),
        cells.status("State", lambda one: one.state),
        _figure("Use", "utilization", "%"),
        cells.text(
            "Memory", lambda one: _of(one.memory_used, one.memory_total) if str(one.state) == "ok" else "", width=22
        ),
        _figure("Temp", "temperature", "°C"),
        _figure("Power", "power", " W", rank=2),
        _figure("Fan", "fan", "%", rank=3),
        _figure("Clock", "clock_mhz", " MHz", rank=3),
        cells.text("Held back by", lambda one: ", ".join(one.throttle), width=24, rank=2, role="warn"),
        cells.count("Parts", lambda one: len(one.mig) or None, rank=3),
    ),
    key=lambda one: str(one.index),
    empty=Empty("No GPU can be read. The page of the machine says why.", "mlops hardware gpus"),
    detail=gpu_detail,
    watches=frozenset({"telemetry"}),
    names=lambda one: {"index": one.index},
)
