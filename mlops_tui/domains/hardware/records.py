"""Readings of the machine. Bytes, percent (0-100), degrees Celsius, watts; None is "this machine does not say"."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlops_tui.domains.hardware.parts import Parts


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
    """One process on a GPU; memory in bytes, None where the driver hides it, shares of the engines in percent.

    `kind` is what it does there: compute, graphics, both, or mps (through NVIDIA's multi-process service). `instance` is the
    (GPU, compute) instance of a GPU that is cut into several.
    """

    pid: int
    memory: int | None
    kind: str = "compute"
    instance: tuple[int, int] | None = None
    utilization: float | None = None
    memory_utilization: float | None = None
    encoder: float | None = None
    decoder: float | None = None


@dataclass(frozen=True, slots=True)
class Mig:
    """One instance of a GPU that is cut into several (MIG); the driver says no utilisation of these."""

    index: int
    name: str
    uuid: str | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    multiprocessors: int | None = None
    processes: tuple[GpuProcess, ...] = ()
    bar1_used: int | None = None
    bar1_total: int | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a GPU says of itself. Without a `value`, `missing` says why: this GPU does not say it, or this driver lacks it."""

    group: str
    name: str
    value: float | int | str | bool | None
    unit: str = ""
    missing: str = ""


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
    vendor: str = "nvidia"
    memory_utilization: float | None = None
    memory_clock_mhz: float | None = None
    throttle: tuple[str, ...] = ()
    mig: tuple[Mig, ...] = ()
    encoder: float | None = None
    decoder: float | None = None
    performance: str | None = None
    ecc_errors: int | None = None
    bus_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A temperature in degrees Celsius with the bounds its maker gives it."""

    chip: str
    label: str
    value: float
    high: float | None = None
    critical: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may use: less than the machine has inside a container or a systemd slice.

    `throttled` is the share of scheduling periods, in percent, in which the group had to wait for its quota of processor time;
    `oom_kills` counts its processes that were ended for memory.
    """

    cpus: int
    cpus_allowed: int
    cpu_quota: float | None = None
    memory_limit: int | None = None
    memory_used: int | None = None
    source: str = "none"
    swap_limit: int | None = None
    processes_limit: int | None = None
    throttled: float | None = None
    oom_kills: int | None = None

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
    sensors: tuple[Sensor, ...] = ()
    booted_at: int | None = None
    parts: Parts | None = None

    @property
    def temperature(self) -> float | None:
        """The hottest sensor of the processors, or of all where none is known to be theirs."""
        own = [one.value for one in self.sensors if one.chip in CPU_CHIPS]
        return max(own or [one.value for one in self.sensors], default=None)

    @property
    def memory(self) -> float:
        """Memory in use, percent."""
        return percent(self.memory_used, self.memory_total)

    @property
    def disk(self) -> float:
        """The workspace's file system, percent used."""
        return percent(self.disk_used, self.disk_total)


CPU_CHIPS = frozenset({"coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz"})


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `cpu` in percent of one processor since the scan before.

    `owner` is what of this workspace it works for ("run 3f2a", "job 12", "deployment churn"), "" for everything else; `depth` its
    place below its parents when the list is a tree, `below` how many below it are folded into it, whose figures are added.
    `gpu_utilization`, `gpu_bandwidth`, `gpu_encoder` and `gpu_decoder` are percent of one GPU's engines.
    """

    pid: int
    name: str
    user: str
    cpu: float
    memory: int
    gpu_memory: int | None
    started_at: int
    command: str
    parent: int = 0
    threads: int = 0
    nice: int | None = None
    state: str = ""
    gpu_kind: str = ""
    gpu_utilization: float | None = None
    gpus: tuple[int, ...] = ()
    owner: str = ""
    depth: int = 0
    below: int = 0
    memory_percent: float = 0.0
    cpu_time: float = 0.0
    gpu_bandwidth: float | None = None
    gpu_encoder: float | None = None
    gpu_decoder: float | None = None


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
        "temperature": reading.temperature,
        "throttled": reading.limits.throttled,
    }
    for gpu in reading.gpus:
        prefix = f"gpu{gpu.index}"
        known = gpu.memory_used is not None and gpu.memory_total
        values[f"{prefix}_utilization"] = gpu.utilization
        values[f"{prefix}_memory"] = percent(gpu.memory_used or 0, gpu.memory_total or 0) if known else None
        values[f"{prefix}_temperature"] = gpu.temperature
        values[f"{prefix}_power"] = gpu.power
        values[f"{prefix}_clock"] = gpu.clock_mhz
        values[f"{prefix}_fan"] = gpu.fan
        values[f"{prefix}_bandwidth"] = gpu.memory_utilization
        values[f"{prefix}_encoder"] = gpu.encoder
        values[f"{prefix}_decoder"] = gpu.decoder
        values[f"{prefix}_errors"] = gpu.ecc_errors
        values[f"{prefix}_lost"] = float(gpu.state is GpuState.LOST)
    return values
