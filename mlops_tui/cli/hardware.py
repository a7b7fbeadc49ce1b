"""`mlops hardware`: the machine now, before, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.output import emit, emit_one, human_bytes, json_option, jsonable, pass_workbench
from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Gpu, Reading
    from mlops_tui.workbench import Workbench

MAIN = ("cpu", "memory")
NO_HISTORY = "No history yet: the daemon records it. Start it: mlops daemon start"


@click.group()
def hardware() -> None:
    """CPU, memory and GPU, now and before.

    \b
    Example: mlops hardware show
    """


@hardware.command("show")
@json_option
@pass_workbench
def show_hardware(workbench: Workbench, as_json: bool) -> None:
    """Show what the machine does now, and what limits this process has.

    \b
    Example: mlops hardware show --json
    """
    reading = workbench.hardware.read()
    if as_json:
        emit_one(jsonable(reading), True)
        return
    emit_one(_machine(reading))
    click.echo()
    if not reading.gpus:
        click.echo(f"No GPU: {reading.driver}." if reading.driver != "ok" else "No GPU.")
        return
    columns = [("index", "GPU"), ("name", "Name"), ("state", "State"), ("used", "Use"), ("memory", "Memory")]
    columns += [("temperature", "Degrees C"), ("power", "Watts")]
    emit([_gpu(gpu) for gpu in reading.gpus], columns)


@hardware.command("history")
@click.argument("series", required=False)
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="A time, or a span back from now.")
@click.option("--until", metavar="TIME", help="A time, or a span back from now; now if left out.")
@click.option("--points", type=click.IntRange(1, 100_000), default=60, show_default=True, help="At most so many lines.")
@plotting.plot_options
@json_option
@pass_workbench
def history(
    workbench: Workbench,
    series: str | None,
    since: str,
    until: str | None,
    points: int,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Show one series over time as minimum, average and maximum; without SERIES list what there is.

    With --plot and without SERIES: processors, memory and GPUs.

    \b
    Example: mlops hardware history cpu --since 24h --plot
    """
    plotting.alone(as_plot, as_json)
    names = workbench.hardware.series()
    if as_plot and names:
        now = workbench.context.now()
        span = clock.parse_time(since, now=now), clock.parse_time(until, now=now) if until else now
        wanted = [series] if series else [name for name in names if name in MAIN or name.endswith("utilization")]
        draw = plotting.pictures().machine
        plotting.show(lambda on: draw(workbench, wanted, *span, on), ascii_only=as_ascii)
        return
    if series is None:
        emit([{"series": name} for name in names], [("series", "Series")], as_json=as_json, empty=NO_HISTORY)
        return
    now = workbench.context.now()
    end = clock.parse_time(until, now=now) if until else now + 1
    found = workbench.hardware.history(series, clock.parse_time(since, now=now), end, points)
    rows = [{"at": ts, "min": low, "avg": mean, "max": high} for ts, low, mean, high in found]
    columns = [("at", "At"), ("min", "Min"), ("avg", "Avg"), ("max", "Max")]
    emit(rows, columns, as_json=as_json, empty="Nothing recorded in that time." if names else NO_HISTORY)


@hardware.command("processes")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--sort", type=click.Choice(["cpu", "memory", "gpu"]), default="cpu", show_default=True)
@json_option
@pass_workbench
def processes(workbench: Workbench, limit: int, sort: str, as_json: bool) -> None:
    """List running processes, the largest users first.

    \b
    Example: mlops hardware processes --sort memory --limit 10
    """
    if sort == "cpu":
        found = workbench.hardware.processes(limit)
    else:
        top = workbench.hardware.top(limit)
        found = top.memory if sort == "memory" else top.gpu
    if sort == "gpu" and not found and workbench.hardware.driver() != "ok":
        raise Unavailable(f"GPU processes cannot be read: {workbench.hardware.driver()}.", hint="mlops hardware show")
    if as_json:
        emit(found, [], as_json=True)
        return
    rows = [jsonable(each) | {"memory": human_bytes(each.memory), "command": each.command[:80]} for each in found]
    columns = [("pid", "PID"), ("user", "User"), ("cpu", "CPU %"), ("memory", "Memory"), ("name", "Name")]
    emit(rows, [*columns, ("command", "Command")], empty="No processes.")


def _machine(reading: Reading) -> dict[str, Any]:
    limits = reading.limits
    return {
        "cpu": f"{reading.cpu:.1f} % of {len(reading.per_cpu)} processors",
        "load": " ".join(f"{value:.2f}" for value in reading.load),
        "memory": f"{human_bytes(reading.memory_used)} of {human_bytes(reading.memory_total)} ({reading.memory:.0f} %)",
        "swap": f"{human_bytes(reading.swap_used)} of {human_bytes(reading.swap_total)}",
        "disk": f"{human_bytes(reading.disk_used)} of {human_bytes(reading.disk_total)} ({reading.disk:.0f} %)",
        "disk rate": f"{_rate(reading.disk_read)} read, {_rate(reading.disk_write)} written",
        "network": f"{_rate(reading.net_in)} in, {_rate(reading.net_out)} out",
        "limits": f"{limits.usable_cpus:g} processors, "
        + (f"{human_bytes(limits.memory_limit)} memory" if limits.memory_limit else "no memory limit")
        + f" ({limits.source})",
    }


def _gpu(gpu: Gpu) -> dict[str, Any]:
    known = gpu.memory_used is not None and gpu.memory_total is not None
    return {
        "index": gpu.index,
        "name": gpu.name,
        "state": gpu.state,
        "used": None if gpu.utilization is None else f"{gpu.utilization:.0f} %",
        "memory": f"{human_bytes(gpu.memory_used or 0)} of {human_bytes(gpu.memory_total or 0)}" if known else None,
        "temperature": gpu.temperature,
        "power": gpu.power,
    }


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{human_bytes(value)}/s"
