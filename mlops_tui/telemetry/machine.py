"""The machine as Prometheus families, part by part: processors, memory, disks, networks, sensors, limits, and every figure of a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.telemetry.prometheus import Family, counter, gauge

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.parts import Parts
    from mlops_tui.domains.hardware.records import Gpu, Limits, Reading
    from mlops_tui.workbench import Workbench

GPU = (
    ("memory_used", "memory_used_bytes", "Memory of the GPU in use."),
    ("memory_total", "memory_bytes", "Memory of the GPU."),
    ("memory_utilization", "memory_bus_percent", "How busy the memory of the GPU is."),
    ("encoder", "encoder_percent", "How busy the encoders are."),
    ("decoder", "decoder_percent", "How busy the decoders are."),
    ("memory_clock_mhz", "memory_clock_megahertz", "Clock of the GPU's memory."),
    ("power_limit", "power_limit_watts", "Power the GPU may draw."),
    ("ecc_errors", "uncorrected_errors", "Errors of memory that could not be corrected since the driver was loaded."),
)
"""(field of a GPU, name, help) of what is no series with a history; what a GPU does not say has no sample."""
TIMES = ("user", "system", "nice", "wait", "interrupts", "stolen", "idle")
HOLDS = ("available", "free", "cached", "buffers", "shared")


def machine_parts(bench: Workbench) -> Iterable[Family]:
    """Every part of the machine as it was read last, a few seconds ago at most."""
    reading = bench.hardware.lately()
    yield from _processors(reading)
    if reading.parts is not None:
        yield from _parts(reading.parts)
    yield from _limits(reading.limits)
    yield from gpus(reading.gpus)


def _processors(reading: Reading) -> Iterable[Family]:
    cores = gauge("mlops_machine_core_percent", "How busy each processor is.")
    for at, share in enumerate(reading.per_cpu):
        cores.add(share, core=at)
    heat = gauge("mlops_machine_sensor_celsius", "What each sensor of temperature says.")
    seen: set[tuple[str, str]] = set()
    for one in reading.sensors:
        if (one.chip, one.label) not in seen:  # some chips give two sensors one name, and no sample may come twice
            seen.add((one.chip, one.label))
            heat.add(one.value, chip=one.chip, sensor=one.label)
    booted = gauge("mlops_machine_boot_timestamp_seconds", "When the machine was started.")
    booted.add(None if reading.booted_at is None else reading.booted_at / 1000)
    return cores, heat, booted


def _parts(parts: Parts) -> Iterable[Family]:
    times = gauge("mlops_machine_cpu_time_percent", "What the processors spend their time on.")
    for name in TIMES:
        times.add(getattr(parts.times, name), mode=name)
    holds = gauge("mlops_machine_memory_bytes", "What the memory holds.")
    for name in HOLDS:
        holds.add(getattr(parts.memory, name), state=name)
    disks = gauge("mlops_machine_device_bytes_per_second", "What each disk reads and writes.")
    busy = gauge("mlops_machine_device_busy_percent", "How much of the time each disk is at work.")
    for disk in parts.disks:
        disks.add(disk.read, device=disk.name, way="read")
        disks.add(disk.write, device=disk.name, way="written")
        busy.add(disk.busy, device=disk.name)
    moved = counter(
        "mlops_machine_interface_bytes_total", "What each network interface received and sent since it came up."
    )
    faults = counter("mlops_machine_interface_faults_total", "Errors and drops of each network interface.")
    for net in parts.networks:
        moved.add(net.received_total, interface=net.name, way="received")
        moved.add(net.sent_total, interface=net.name, way="sent")
        faults.add(net.faults, interface=net.name)
    kept = gauge("mlops_machine_filesystem_bytes", "Each file system on a device.")
    for one in parts.file_systems:
        kept.add(one.total, path=one.path, device=one.device, state="total")
        kept.add(one.used, path=one.path, device=one.device, state="used")
    stalls = gauge("mlops_machine_stalled_percent", "Of the last ten seconds, in which something waited for it.")
    for name in ("cpu", "memory", "io"):
        stalls.add(getattr(parts.pressure, name), resource=name)
    frequency = gauge("mlops_machine_frequency_megahertz", "Clock of the processors.")
    frequency.add(parts.frequency_mhz)
    processes = gauge("mlops_machine_processes", "Processes of the machine.")
    processes.add(parts.processes)
    return times, holds, disks, busy, moved, faults, kept, stalls, frequency, processes


def _limits(limits: Limits) -> Iterable[Family]:
    usable = gauge("mlops_machine_usable_processors", "Processors' worth of time that this process may use.")
    usable.add(limits.usable_cpus)
    memory = gauge("mlops_machine_memory_limit_bytes", "Memory that the control group may use, where there is a limit.")
    memory.add(limits.memory_limit)
    killed = gauge("mlops_machine_memory_kills", "Processes of the control group that were ended for memory.")
    killed.add(limits.oom_kills)
    return usable, memory, killed


def gpus(found: Iterable[Gpu]) -> Iterable[Family]:
    """What is no series with a history: who each GPU is, whether it is lost, and the rest of its figures."""
    about = gauge("mlops_gpu_info", "Name and place of each GPU.")
    lost = gauge("mlops_gpu_lost", "Whether the GPU fell off the bus or waits for a reset.")
    held = gauge("mlops_gpu_held_back", "Why the clocks of the GPU are not at their highest.")
    users = gauge("mlops_gpu_processes", "Processes on the GPU.")
    part_memory = gauge("mlops_gpu_instance_memory_bytes", "Memory of the instances of a GPU in parts.")
    figures = {field: gauge(f"mlops_gpu_{name}", words) for field, name, words in GPU}
    for gpu in found:
        about.add(1, gpu=gpu.index, name=gpu.name, uuid=gpu.uuid or "", vendor=gpu.vendor, bus=gpu.bus_id or "")
        lost.add(str(gpu.state) == "lost", gpu=gpu.index)
        if str(gpu.state) == "lost":
            continue
        for field, family in figures.items():
            family.add(getattr(gpu, field), gpu=gpu.index)
        for reason in gpu.throttle:
            held.add(1, gpu=gpu.index, reason=reason)
        users.add(len(gpu.processes) + sum(len(part.processes) for part in gpu.mig), gpu=gpu.index)
        for part in gpu.mig:
            part_memory.add(part.memory_used, gpu=gpu.index, instance=part.index, state="used")
            part_memory.add(part.memory_total, gpu=gpu.index, instance=part.index, state="total")
    return about, lost, held, users, part_memory, *figures.values()
