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
from typing import Any, TypeVar

import psutil

from mlops_tui.domains.hardware import amd, details
from mlops_tui.domains.hardware.details import quietly
from mlops_tui.domains.hardware.limits import read_limits
from mlops_tui.domains.hardware.nvml import Nvml
from mlops_tui.domains.hardware.nvml_calls import shares_of
from mlops_tui.domains.hardware.parts import Trace
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuProcess, Process, Reading, Sensor, percent
from mlops_tui.domains.hardware.scanning import Scanner, Seen

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
        self._scanner = Scanner()
        self._sensors: tuple[float, tuple[Sensor, ...]] | None = None
        self._machine = details.Machine(monotonic)
        self._watched: dict[int, deque[Trace]] = {}
        self._scanned: tuple[float, dict[tuple[int, float], float]] | None = None
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
        """Every process that may be looked at, busiest first. A full scan: 20 ms of CPU for 500 processes.

        CPU is measured since the scan before; the first scan looks twice, a tenth of a second apart. `now` (ms) is when, for `trace`.
        """
        with self._lock:
            return self._scan(now)

    def _scan(self, now: int) -> list[Process]:
        at = self._monotonic()
        if self._scanned is None or at - self._scanned[0] > STALE_S:
            self._scanned = (at, _spent(self._scanner.look()))
            time.sleep(FIRST_LOOK_S)
            at = self._monotonic()
        seen, (then, before) = self._scanner.look(), self._scanned
        self._scanned = (at, _spent(seen))
        on_gpus, total, span = self.on_gpus(), psutil.virtual_memory().total, max(at - then, 1e-3)
        booted = psutil.boot_time()
        found = []
        for one in seen:
            # A process that began since the look before has spent all of its time since then.
            cpu = 100 * max(0.0, one.cpu_time - before.get((one.pid, one.began), 0.0)) / span
            found.append(_described(one, cpu, booted, total, on_gpus.get(one.pid)))
            if (trace := self._watched.get(one.pid)) is not None:
                new = found[-1]
                trace.append(Trace(now, new.cpu, new.memory, new.gpu_utilization, new.gpu_memory))
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


def _sensors() -> tuple[Sensor, ...]:
    found = quietly(getattr(psutil, "sensors_temperatures", dict)) or {}
    return tuple(
        Sensor(chip, one.label or chip, float(one.current), one.high or None, one.critical or None)
        for chip, all_of_it in sorted(found.items())
        for one in all_of_it
        if one.current
    )


def _spent(seen: Iterable[Seen]) -> dict[tuple[int, float], float]:
    """CPU seconds by process; a number that is used again is another process."""
    return {(one.pid, one.began): one.cpu_time for one in seen}


def _described(one: Seen, cpu: float, booted: float, total: int, on_gpus: dict[int, GpuProcess] | None) -> Process:
    gpus: dict[str, Any] = {}
    if on_gpus:
        here = list(on_gpus.values())
        gpus = {
            "gpu_kind": here[0].kind,
            "gpu_utilization": _whole(each.utilization for each in here),
            "gpus": tuple(sorted(on_gpus)),
            "gpu_bandwidth": _whole(each.memory_utilization for each in here),
            "gpu_encoder": _whole(each.encoder for each in here),
            "gpu_decoder": _whole(each.decoder for each in here),
        }
    return Process(
        pid=one.pid,
        name=one.name,
        user=one.user,
        cpu=cpu,
        memory=one.memory,
        gpu_memory=_whole(each.memory for each in on_gpus.values()) if on_gpus else None,
        started_at=int((booted + one.began) * 1000),
        command=one.command,
        parent=one.parent,
        threads=one.threads,
        nice=one.nice,
        state=one.state,
        memory_percent=percent(one.memory, total),
        cpu_time=one.cpu_time,
        **gpus,
    )


def _whole(values: Iterable[_Number | None]) -> _Number | None:
    """Their sum; None where none of them is known."""
    known = [one for one in values if one is not None]
    return sum(known[1:], known[0]) if known else None


def top(processes: Iterable[Process], key: Callable[[Process], float], count: int) -> list[Process]:
    """The `count` with the largest key, those with nothing left out."""
    return sorted((each for each in processes if key(each) > 0), key=key, reverse=True)[:count]
