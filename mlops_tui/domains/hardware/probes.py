"""One reading of the machine: psutil and NVML behind one class, with the counters that rates need."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import psutil

from mlops_tui.domains.hardware import amd, details
from mlops_tui.domains.hardware.details import quietly
from mlops_tui.domains.hardware.limits import read_limits
from mlops_tui.domains.hardware.nvml import Nvml
from mlops_tui.domains.hardware.nvml_calls import shares_of
from mlops_tui.domains.hardware.parts import Trace
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuProcess, Process, Reading, Sensor, percent

_Number = TypeVar("_Number", int, float)
FIRST_LOOK_S = 0.1
SENSORS_S = 5.0
"""Temperatures move slowly, and some sensors take milliseconds to answer."""
STALE_S = 15.0
"""After a longer pause a share is measured anew: the mean over the pause is not what is so now."""
WATCHED, TRACED = 16, 300
"""So many processes are followed, over so many scans."""


@functools.lru_cache(maxsize=4)
def shared(folder: Path) -> Probe:
    """The probe of this process: shares of processors, what was seen of a process, and NVML begun are the process's, however many
    workbenches come and go."""
    return Probe(folder)


class Probe:
    """Reads the machine again and again. A rate needs two looks, so the first reading takes a tenth of a second.

    May be used by several threads.
    """

    def __init__(
        self, folder: Path, *, nvml: Nvml | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._nvml = nvml or Nvml()
        self._monotonic = monotonic
        self._counters: tuple[float, dict[str, int]] | None = None
        self._processes: dict[int, psutil.Process] = {}
        self._sensors: tuple[float, tuple[Sensor, ...]] | None = None
        self._machine = details.Machine(monotonic)
        self._watched: dict[int, deque[Trace]] = {}
        self._scanned: float | None = None
        self._last: Reading | None = None
        self._lock = threading.RLock()

    def read(self, now: int) -> Reading:
        """Everything at `now` (ms). Costs about 0.4 ms of CPU at one reading a second."""
        with self._lock:
            self._last = self._read(now)
            return self._last

    def lately(self, now: int, fresh_ms: int) -> Reading:
        """What was read last, or the machine now when that is older than `fresh_ms`."""
        with self._lock:
            last = self._last
            return last if last is not None and 0 <= now - last.at <= fresh_ms else self.read(now)

    def _read(self, now: int) -> Reading:
        if self._counters is None or self._monotonic() - self._counters[0] > STALE_S:
            psutil.cpu_percent(percpu=True)
            self._rates()
            self._machine.read(psutil.virtual_memory())
            time.sleep(FIRST_LOOK_S)
        per_cpu = tuple(psutil.cpu_percent(percpu=True))
        memory, swap, disk = psutil.virtual_memory(), psutil.swap_memory(), psutil.disk_usage(str(self._folder))
        rates = self._rates()
        driver, gpus = self.gpus()
        return Reading(
            at=now,
            cpu=sum(per_cpu) / max(len(per_cpu), 1),
            per_cpu=per_cpu,
            load=os.getloadavg(),
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
            swap_used=swap.used,
            swap_total=swap.total,
            disk_used=disk.used,
            disk_total=disk.total,
            disk_read=rates.get("disk_read"),
            disk_write=rates.get("disk_write"),
            net_in=rates.get("net_in"),
            net_out=rates.get("net_out"),
            limits=read_limits(),
            driver=driver,
            gpus=gpus,
            sensors=self._temperatures(),
            booted_at=int(psutil.boot_time() * 1000),
            parts=self._machine.read(memory),
        )

    def gpus(self) -> tuple[Driver, tuple[Gpu, ...]]:
        """The state of NVIDIA's driver, and the GPUs of NVIDIA, then those of AMD."""
        with self._lock:
            driver, gpus = self._nvml.read()
        return driver, gpus + amd.read(len(gpus))

    def facts(self, index: int, part: int | None = None) -> list[Fact]:
        """Everything one GPU, or one instance of it, says of itself; [] where there is none or it is lost."""
        with self._lock:
            own = self._nvml.read()[1]
        return self._nvml.facts(index, part) if index < len(own) else amd.facts(index - len(own))

    def driver(self) -> Driver:
        """Whether GPUs can be read."""
        return self._nvml.read()[0]

    def _temperatures(self) -> tuple[Sensor, ...]:
        at = self._monotonic()
        if self._sensors is None or at - self._sensors[0] >= SENSORS_S:
            self._sensors = (at, _sensors())
        return self._sensors[1]

    def processes(self, now: int = 0) -> list[Process]:
        """Every process that may be looked at, busiest first. A full scan: 14 ms of CPU for 140 processes.

        CPU is measured since the scan before; the first scan looks twice, a tenth of a second apart. `now` (ms) is when, for `trace`.
        """
        with self._lock:
            return self._scan(now)

    def _scan(self, now: int) -> list[Process]:
        at, before = self._monotonic(), self._scanned
        self._scanned, first = at, before is None or at - before > STALE_S
        alive = {process.pid: self._processes.get(process.pid, process) for process in psutil.process_iter()}
        self._processes = alive
        if first:
            for process in alive.values():
                _cpu(process)
            time.sleep(FIRST_LOOK_S)
        on_gpus, total = self.on_gpus(), psutil.virtual_memory().total
        described = (_describe(process, on_gpus.get(process.pid, {}), total) for process in alive.values())
        found = [each for each in described if each is not None]
        for each in found:
            if (trace := self._watched.get(each.pid)) is not None:
                trace.append(Trace(now, each.cpu, each.memory, each.gpu_utilization, each.gpu_memory))
        return sorted(found, key=lambda each: (-each.cpu, -each.memory, each.pid))

    def trace(self, pid: int) -> list[Trace]:
        """What scans found of a process since it was first asked for here; the last `WATCHED` that were are remembered."""
        with self._lock:
            watched = self._watched.pop(pid, None) or deque(maxlen=TRACED)
            self._watched[pid] = watched
            if len(self._watched) > WATCHED:
                del self._watched[next(iter(self._watched))]
            return list(watched)

    def on_gpus(self) -> dict[int, dict[int, GpuProcess]]:
        """By process id, what it uses of each GPU, by the GPU's index."""
        found: dict[int, dict[int, GpuProcess]] = {}
        with self._lock:
            own = self._nvml.read()[1]
        for gpu in own:
            shares = shares_of(gpu.index) if gpu.processes else {}
            for each in (*gpu.processes, *(one for part in gpu.mig for one in part.processes)):
                if (used := shares.get(each.pid)) is not None:
                    each = dataclasses.replace(used, memory=each.memory, kind=each.kind, instance=each.instance)
                found.setdefault(each.pid, {})[gpu.index] = each
        for pid, held in amd.processes(len(own)).items():
            found.setdefault(pid, {}).update(held)
        return found

    def _rates(self) -> dict[str, float | None]:
        """Bytes a second since the last call; None for a counter the machine lacks or that went backwards."""
        at, counters = self._monotonic(), _counters()
        before = self._counters
        self._counters = (at, counters)
        if before is None or at <= before[0]:
            return {}
        span = at - before[0]
        return {name: _rate(value, before[1].get(name), span) for name, value in counters.items()}


def _rate(value: int, before: int | None, seconds: float) -> float | None:
    return None if before is None or value < before else (value - before) / seconds


def _counters() -> dict[str, int]:
    counters: dict[str, int] = {}
    disk, net = quietly(psutil.disk_io_counters), quietly(psutil.net_io_counters)
    if disk is not None:
        counters |= {"disk_read": disk.read_bytes, "disk_write": disk.write_bytes}
    if net is not None:
        counters |= {"net_in": net.bytes_recv, "net_out": net.bytes_sent}
    return counters


def _cpu(process: psutil.Process) -> float:
    try:
        return process.cpu_percent()
    except psutil.Error:
        return 0.0


def _sensors() -> tuple[Sensor, ...]:
    found = quietly(getattr(psutil, "sensors_temperatures", dict)) or {}
    return tuple(
        Sensor(chip, one.label or chip, float(one.current), one.high or None, one.critical or None)
        for chip, all_of_it in sorted(found.items())
        for one in all_of_it
        if one.current
    )


def _describe(process: psutil.Process, on_gpus: dict[int, GpuProcess], total: int) -> Process | None:
    here = list(on_gpus.values())
    try:
        with process.oneshot():
            memory, times = process.memory_info().rss, process.cpu_times()
            return Process(
                pid=process.pid,
                name=process.name(),
                user=_user(process),
                cpu=process.cpu_percent(),
                memory=memory,
                gpu_memory=_whole(one.memory for one in here),
                started_at=int(process.create_time() * 1000),
                command=_command(process),
                parent=process.ppid(),
                threads=process.num_threads(),
                nice=process.nice(),
                state=str(process.status()),
                gpu_kind=next((one.kind for one in here), ""),
                gpu_utilization=_whole(one.utilization for one in here),
                gpus=tuple(sorted(on_gpus)),
                memory_percent=percent(memory, total),
                cpu_time=times.user + times.system,
                gpu_bandwidth=_whole(one.memory_utilization for one in here),
                gpu_encoder=_whole(one.encoder for one in here),
                gpu_decoder=_whole(one.decoder for one in here),
            )
    except psutil.Error:
        return None  # it ended, or it is not ours to look at


def _whole(values: Iterable[_Number | None]) -> _Number | None:
    """Their sum; None where none of them is known."""
    known = [one for one in values if one is not None]
    return sum(known[1:], known[0]) if known else None


def _user(process: psutil.Process) -> str:
    try:
        return process.username()
    except (psutil.Error, KeyError):
        return "?"  # a user id without a name, as in containers


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def top(processes: Iterable[Process], key: Callable[[Process], float], count: int) -> list[Process]:
    """The `count` with the largest key, those with nothing left out."""
    return sorted((each for each in processes if key(each) > 0), key=key, reverse=True)[:count]
