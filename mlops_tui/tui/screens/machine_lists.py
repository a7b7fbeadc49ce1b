"""The list of GPUs, with all that each says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, size, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Fact, Gpu, GpuProcess

NEVER = "not supported"


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
    shares = bench.hardware.on_gpus() or {}
    users = [
        (str(each.pid), each.kind or "open", _held(each), _share(shares.get(each.pid, {}).get(one.index)))
        for each in one.processes
        if not one.mig
    ]
    parts = [
        (str(part.index), part.name, _of(part.memory_used, part.memory_total), _pids(part.processes))
        for part in one.mig
    ]
    groups = dict.fromkeys(fact.group for fact in facts)
    return (
        Grid(
            ("Process", "Does", "Memory", "Engines"),
            tuple(users),
            title=f"GPU {one.index}: {one.name}",
            empty="Nobody is on it.",
        ),
        Grid(("Part", "Name", "Memory", "Processes"), tuple(parts), title="Instances" if parts else ""),
        *(Fields(tuple(_fact(fact) for fact in facts if fact.group == group), title=group.title()) for group in groups),
    )


def _held(one: GpuProcess) -> str:
    return "hidden" if one.memory is None else size(one.memory)


def _share(one: GpuProcess | None) -> str:
    """How much of the engines it uses: of the processors, then of encoder and decoder where it uses them."""
    if one is None or one.utilization is None:
        return "not said"
    video = [f"{name} {value:.0f} %" for name, value in (("encoder", one.encoder), ("decoder", one.decoder)) if value]
    return ", ".join((f"{one.utilization:.0f} %", *video))


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
        cells.text("Perf", lambda one: one.performance or (NEVER if str(one.state) == "ok" else ""), width=13, rank=4),
        _figure("Mem use", "memory_utilization", "%", rank=4),
        _figure("Encoder", "encoder", "%", rank=4),
        _figure("Decoder", "decoder", "%", rank=4),
        _figure("ECC errors", "ecc_errors", "", rank=4),
        _figure("Clock", "clock_mhz", " MHz", rank=3),
        cells.text("Held back by", lambda one: ", ".join(one.throttle), width=24, rank=2, role="warn"),
        cells.count("Parts", lambda one: len(one.mig) or None, rank=3),
    ),
    key=lambda one: str(one.index),
    empty=Empty("No GPU can be read. The page of the machine says why.", "mlops hardware gpus"),
    detail=gpu_detail,
    watches=frozenset(),  # as that of processes
    names=lambda one: {"index": one.index},
)
