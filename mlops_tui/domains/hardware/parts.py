"""Records of what a machine is made of: processor time by what it goes to, memory by what it holds, disks, networks, file systems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """What the processors did since the reading before, percent of all their time.

    `wait` is idle for want of a disk; `stolen` went to other guests of the same host.
    """

    user: float
    system: float
    nice: float = 0.0
    wait: float | None = None
    interrupts: float | None = None
    stolen: float | None = None
    idle: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What the memory holds, bytes. `available` can be had without swapping: `free` and most of `cached`."""

    available: int
    free: int
    cached: int | None = None
    buffers: int | None = None
    shared: int | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk: bytes a second since the reading before, and the share of the time it was busy, percent."""

    name: str
    read: float | None
    write: float | None
    busy: float | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """One network interface: bytes a second since the reading before, bytes since it came up, errors and drops of both ways."""

    name: str
    received: float | None
    sent: float | None
    received_total: int
    sent_total: int
    faults: int = 0


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One mounted file system that holds files of its own; bytes."""

    path: str
    device: str
    kind: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class Pressure:
    """The share of the last ten seconds in which something waited for it, percent (`some` of the kernel's pressure stall figures)."""

    cpu: float | None = None
    memory: float | None = None
    io: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The machine in detail. None is "this machine does not say"."""

    times: Times
    memory: Memory
    disks: tuple[Disk, ...] = ()
    networks: tuple[Network, ...] = ()
    file_systems: tuple[FileSystem, ...] = ()
    pressure: Pressure = Pressure()
    frequency_mhz: float | None = None
    processes: int | None = None
    running: int | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One process looked at closely; bytes, seconds. None is "not ours to see", or "this machine does not say".

    `environment` is what it began with, values that look like secrets hidden; `read` and `written` are what really went to disks.
    """

    pid: int
    executable: str | None = None
    folder: str | None = None
    cpu_user: float | None = None
    cpu_system: float | None = None
    virtual: int | None = None
    shared: int | None = None
    read: int | None = None
    written: int | None = None
    files: int | None = None
    processors: int | None = None
    switches: int | None = None
    terminal: str | None = None
    environment: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One look at a process that is watched: time in ms, percent of one processor, bytes, percent of one GPU, bytes there."""

    at: int
    cpu: float
    memory: int
    gpu: float | None = None
    gpu_memory: int | None = None
