"""`mlops hardware`: the machine now, before, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import hardware_processes, plotting
from mlops_tui.cli.output import emit, emit_one, human_bytes, json_option, jsonable, pass_workbench
from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Fact, Gpu, GpuProcess, Reading
    from mlops_tui.workbench import Workbench

MACHINE = "this machine"
MAIN = ("cpu", "memory", "saturation")
MANY = ("utilization", "_percent")
UNKNOWN = "not supported"
GPU_COLUMNS = (
    ("index", "GPU"), ("name", "Name"), ("state", "State"), ("used", "Use"), ("memory", "Memory"), ("temperature", "Degrees C"),
    ("power", "Watts"), ("fan", "Fan %"), ("clock", "MHz"), ("throttle", "Held back by"),
)  # fmt: skip
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
    emit_one(_machine(reading) | _parts(reading))
    click.echo()
    if not reading.gpus:
        click.echo(f"No GPU: {reading.driver}." if reading.driver != "ok" else "No GPU.")
        return
    emit([_gpu(gpu) for gpu in reading.gpus], GPU_COLUMNS)


@hardware.command("history")
@click.argument("series", required=False)
@click.option(
    "--of", "subject", metavar="WHAT", help="Of what runs here instead: 'deployment churn', 'job 12', 'run 3f2a...'."
)
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="A time, or a span back from now.")
@click.option("--until", metavar="TIME", help="A time, or a span back from now; now if left out.")
@click.option("--points", type=click.IntRange(1, 100_000), default=60, show_default=True, help="At most so many lines.")
@plotting.plot_options
@json_option
@pass_workbench
def history(
    workbench: Workbench,
    series: str | None,
    subject: str | None,
    since: str,
    until: str | None,
    points: int,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Show one series over time as minimum, average and maximum; without SERIES list what there is.

    With --plot and without SERIES: processors, memory and GPUs. Seconds go back two hours, minutes 30 days, ten minutes 90.

    \b
    Example: mlops hardware history cpu --since 24h --plot
    """
    plotting.alone(as_plot, as_json)
    subject = None if subject == MACHINE else subject
    names = workbench.hardware.load_series(_known(workbench, subject)) if subject else workbench.hardware.series()
    if as_plot and names:
        now = workbench.context.now()
        span = clock.parse_time(since, now=now), clock.parse_time(until, now=now) if until else now
        wanted = [series] if series else [name for name in names if name in MAIN or name.endswith(MANY)]
        draw = plotting.pictures().machine
        plotting.show(lambda on: draw(workbench, wanted, *span, on, subject or ""), ascii_only=as_ascii)
        return
    if series is None:
        emit([{"series": name} for name in names], [("series", "Series")], as_json=as_json, empty=NO_HISTORY)
        return
    now = workbench.context.now()
    end = clock.parse_time(until, now=now) if until else now + 1
    begin = clock.parse_time(since, now=now)
    if subject:
        found = workbench.hardware.load_history(subject, series, begin, end, points)
    else:
        found = workbench.hardware.history(series, begin, end, points)
    rows = [{"at": ts, "min": low, "avg": mean, "max": high} for ts, low, mean, high in found]
    columns = [("at", "At"), ("min", "Min"), ("avg", "Avg"), ("max", "Max")]
    emit(rows, columns, as_json=as_json, empty="Nothing recorded in that time." if names else NO_HISTORY)


def _known(workbench: Workbench, subject: str) -> str:
    """A subject that has history; NotFound otherwise."""
    known = workbench.hardware.loads()
    if subject not in known:
        hint = did_you_mean(subject, known, "What there is: mlops hardware loads")
        raise NotFound(f"Nothing was recorded of '{subject}'.", hint=hint)
    return subject


@hardware.command("gpus")
@click.argument("index", required=False)
@json_option
@pass_workbench
def gpus(workbench: Workbench, index: str | None, as_json: bool) -> None:
    """List the GPUs with their instances and processes; with INDEX everything that one says of itself.

    What a GPU or its driver does not say is there with the reason. 0.1 is instance 1 of GPU 0, where that is in parts.

    \b
    Example: mlops hardware gpus 0
    """
    if index is not None:
        facts = workbench.hardware.facts(*_place(index))
        if as_json:
            emit(facts, [], as_json=True)
            return
        emit([_fact(one) for one in facts], [("group", "Group"), ("name", "Name"), ("value", "Value")])
        return
    found = workbench.hardware.gpus()
    if as_json:
        emit(found, [], as_json=True)
        return
    rows = [row for gpu in found for row in _gpu_rows(gpu)]
    emit(rows, GPU_COLUMNS, empty=f"No GPU: {workbench.hardware.driver()}.")


def _place(index: str) -> tuple[int, int | None]:
    """`0` is a GPU, `0.1` an instance of one."""
    gpu, dot, part = index.partition(".")
    if not gpu.isdecimal() or (dot and not part.isdecimal()):
        raise InvalidInput(f"'{index}' is no GPU.", hint="A number from 0, or 0.1 for an instance: mlops hardware gpus")
    return int(gpu), int(part) if dot else None


def _fact(one: Fact) -> dict[str, Any]:
    value: Any = one.value
    if value is None:
        shown = one.missing
    elif isinstance(value, bool):
        shown = "yes" if value else "no"
    elif one.unit in ("B", "B/s"):
        shown = human_bytes(float(value)) + one.unit[1:]
    else:
        shown = f"{value:g} {one.unit}".strip() if isinstance(value, float) else f"{value} {one.unit}".strip()
    return {"group": one.group, "name": one.name.replace("_", " "), "value": shown or "none"}


def _gpu_rows(gpu: Gpu) -> list[dict[str, Any]]:
    """The GPU, its instances, and who is on each."""
    rows = [_gpu(gpu), *(_process(one) for one in gpu.processes if not gpu.mig)]
    for part in gpu.mig:
        known = part.memory_used is not None and part.memory_total is not None
        memory = f"{human_bytes(part.memory_used or 0)} of {human_bytes(part.memory_total or 0)}" if known else UNKNOWN
        rows.append({"index": f"{gpu.index}.{part.index}", "name": part.name, "state": "instance", "memory": memory})
        rows += [_process(one) for one in part.processes]
    return rows


def _process(one: GpuProcess) -> dict[str, Any]:
    memory = human_bytes(one.memory) if one.memory is not None else "hidden"
    return {"index": "", "name": f"  process {one.pid}", "state": one.kind or "open", "memory": memory}


hardware.add_command(hardware_processes.processes)
hardware.add_command(hardware_processes.process)
hardware.add_command(hardware_processes.kill)
hardware.add_command(hardware_processes.nice)
hardware.add_command(hardware_processes.loads)


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
        + (f", {human_bytes(limits.swap_limit)} swap" if limits.swap_limit is not None else "")
        + (f", {limits.processes_limit:,} processes" if limits.processes_limit is not None else "")
        + f" ({limits.source})",
        "held back": _held_back(reading),
        "temperatures": ", ".join(f"{one.label} {one.value:.0f} C" for one in reading.sensors[:8]) or "no sensors",
        "up since": clock.iso(reading.booted_at) or "",
    }


def _parts(reading: Reading) -> dict[str, Any]:
    """The machine in detail; what it does not say is left out."""
    parts = reading.parts
    if parts is None:
        return {}
    times, memory, waits = parts.times, parts.memory, parts.pressure
    shares = (("user", times.user), ("system", times.system), ("nice", times.nice), ("waiting for disks", times.wait),
              ("interrupts", times.interrupts), ("stolen", times.stolen), ("idle", times.idle))  # fmt: skip
    holds = (("available", memory.available), ("free", memory.free), ("cached", memory.cached), ("buffers", memory.buffers),
             ("shared", memory.shared))  # fmt: skip
    stalls = (("processors", waits.cpu), ("memory", waits.memory), ("disks", waits.io))
    counts = [f"{parts.processes:,}"] if parts.processes is not None else []
    counts += [f"{parts.running} want a processor"] if parts.running is not None else []
    found = {
        "processor time": ", ".join(f"{name} {value:.0f} %" for name, value in shares if value is not None),
        "frequency": f"{parts.frequency_mhz:,.0f} MHz" if parts.frequency_mhz else "",
        "memory holds": ", ".join(f"{name} {human_bytes(value)}" for name, value in holds if value is not None),
        "stalled": ", ".join(f"{name} {value:.1f} %" for name, value in stalls if value is not None),
        "processes": ", ".join(counts),
        "disks": ", ".join(
            f"{one.name} {_rate(one.read)} read {_rate(one.write)} written"
            + ("" if one.busy is None else f" {one.busy:.0f} % busy")
            for one in parts.disks
        ),
        "file systems": ", ".join(
            f"{one.path} {human_bytes(one.used)} of {human_bytes(one.total)} ({one.kind})" for one in parts.file_systems
        ),
        "networks": ", ".join(
            f"{one.name} {_rate(one.received)} in {_rate(one.sent)} out, {one.faults} faults" for one in parts.networks
        ),
    }
    return {name: said for name, said in found.items() if said}


def _held_back(reading: Reading) -> str:
    """What the limits have done so far."""
    limits = reading.limits
    said = [] if limits.throttled is None else [f"{limits.throttled:.0f} % of periods without processor time left"]
    said += [] if limits.oom_kills is None else [f"{limits.oom_kills} processes ended for memory"]
    return ", ".join(said) or "nothing is counted"


def _gpu(gpu: Gpu) -> dict[str, Any]:
    """A lost GPU says nothing; one that works says what it does not support."""
    base = {"index": gpu.index, "name": gpu.name, "state": gpu.state}
    if gpu.state != "ok":
        return base
    known = gpu.memory_used is not None and gpu.memory_total is not None
    power = None if gpu.power is None else f"{gpu.power:.0f} of {gpu.power_limit:.0f}" if gpu.power_limit else gpu.power
    shown = {
        "used": None if gpu.utilization is None else f"{gpu.utilization:.0f} %",
        "memory": f"{human_bytes(gpu.memory_used or 0)} of {human_bytes(gpu.memory_total or 0)}" if known else None,
        "temperature": gpu.temperature,
        "power": power,
        "fan": gpu.fan,
        "clock": gpu.clock_mhz,
    }
    return (
        base
        | {name: UNKNOWN if value is None else value for name, value in shown.items()}
        | {"throttle": ", ".join(gpu.throttle)}
    )


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{human_bytes(value)}/s"
