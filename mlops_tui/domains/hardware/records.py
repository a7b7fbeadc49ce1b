"""Readings of the machine. Bytes, percent (0-100), degrees Celsius, watts; None is "this machine does not say"."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Driver(StrEnum):
    """Whether NVIDIA GPUs can be read. No driver is the normal state of most machines."""

    OK = "ok"
    NO_DRIVER = "no driver"
    NOT_LOADED = "driver not loaded"
    MISMATCH = "library and driver versions differ"
    NO_PERMISSION = "no permission"
    FAILED = "failed"


class GpuState(StrEnum):
    """A lost GPU has fallen off the bus or needs a reset: it is listed, with nothing to say."""

    OK = "ok"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """One process on a GPU; memory in bytes, None where the driver hides it."""

    pid: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Every figure is optional: drivers and models differ in what they report."""

    index: int
    name: str
    state: GpuState
    uuid: str | None = None
    utilization: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    fan: float | None = None
    clock_mhz: float | None = None
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may use: less than the machine has inside a container or a systemd slice."""

    cpus: int
    cpus_allowed: int
    cpu_quota: float | None = None
    memory_limit: int | None = None
    memory_used: int | None = None
    source: str = "none"

    @property
    def usable_cpus(self) -> float:
        """Processors' worth of time that may really be used."""
        return min(float(self.cpus_allowed), self.cpu_quota or float(self.cpus_allowed))


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything at one moment (`at` in ms). Rates are bytes a second since the reading before."""

    at: int
    cpu: float
    per_cpu: tuple[float, ...]
    load: tuple[float, float, float]
    memory_used: int
    memory_total: int
    swap_used: int
    swap_total: int
    disk_used: int
    disk_total: int
    disk_read: float | None
    disk_write: float | None
    net_in: float | None
    net_out: float | None
    limits: Limits
    driver: Driver
    gpus: tuple[Gpu, ...] = ()

    @property
    def memory(self) -> float:
        """Memory in use, percent."""
        return percent(self.memory_used, self.memory_total)

    @property
    def disk(self) -> float:
        """The workspace's file system, percent used."""
        return percent(self.disk_used, self.disk_total)


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `cpu` in percent of one processor since the scan before."""

    pid: int
    name: str
    user: str
    cpu: float
    memory: int
    gpu_memory: int | None
    started_at: int
    command: str


@dataclass(frozen=True, slots=True)
class Top:
    """Who uses the most, most first."""

    cpu: list[Process] = field(default_factory=list)
    memory: list[Process] = field(default_factory=list)
    gpu: list[Process] = field(default_factory=list)


def percent(part: float, whole: float) -> float:
    """Part of whole in percent; 0 of nothing is 0."""
    return 100 * part / whole if whole else 0.0


def series_of(reading: Reading) -> dict[str, float | None]:
    """The figures of a reading that history keeps, by series name."""
    values: dict[str, float | None] = {
        "cpu": reading.cpu,
        "load": reading.load[0],
        "memory": reading.memory,
        "memory_used": reading.memory_used,
        "swap": percent(reading.swap_used, reading.swap_total),
        "disk": reading.disk,
        "disk_read": reading.disk_read,
        "disk_write": reading.disk_write,
        "net_in": reading.net_in,
        "net_out": reading.net_out,
    }
    for gpu in reading.gpus:
        prefix = f"gpu{gpu.index}"
        known = gpu.memory_used is not None and gpu.memory_total
        values[f"{prefix}_utilization"] = gpu.utilization
        values[f"{prefix}_memory"] = percent(gpu.memory_used or 0, gpu.memory_total or 0) if known else None
        values[f"{prefix}_temperature"] = gpu.temperature
        values[f"{prefix}_power"] = gpu.power
    return values
