"""What every deployment, run and job takes of the machine, again and again: processors, memory, GPUs of all its processes.

    cpu_percent     of one core, so that two busy cores are 200
    memory_mb       resident memory of all processes; pages that workers share with the one they came from are counted in each
    processes, threads
    gpu_percent     how much the processes use the GPUs, where the driver says it of each
    gpu_memory_mb   what they hold of the GPUs' memory
    workers, restarts, saturation    of deployments: the share of the workers' time that is in use, percent; each has one core

One look at all of /proc serves them all: 4 ms for 140 processes, every ten seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.telemetry.owners import Owner, owners

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import GpuProcess
    from mlops_tui.workbench import Workbench

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SERIES = ("cpu_percent", "memory_mb", "processes", "threads", "gpu_percent", "gpu_memory_mb")
OF_DEPLOYMENTS = ("workers", "restarts", "saturation")
Values = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Stat:
    """One process: its parent, when it began (ticks since boot), CPU seconds so far, threads, resident bytes."""

    parent: int
    started: int
    cpu: float
    threads: int
    memory: int


class Loads:
    """Looks again and again; CPU is that since the look before."""

    def __init__(
        self, bench: Workbench, *, proc: Path = Path("/proc"), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bench = bench
        self._proc = proc
        self._monotonic = monotonic
        self._before: dict[tuple[int, int], float] = {}
        self._at: float | None = None

    def sample(self) -> int:
        """Keep what everything takes now; how many things that were. The first look only remembers CPU times."""
        known = [one for one in owners(self._bench) if one.kind in ("deployment", "run", "job")]
        if not known:
            self._at = None
            return 0
        stats = self._stats()
        span = None if self._at is None else self._monotonic() - self._at
        found = self.take(known, stats, span, self._bench.hardware.on_gpus()) if span else {}
        self._at = self._monotonic()
        self._before = {(pid, stat.started): stat.cpu for pid, stat in stats.items()}
        now = self._bench.context.now()
        self._bench.hardware.record_loads([(subject, now, values) for subject, values in found.items()])
        return len(found)

    def take(
        self,
        known: Iterable[Owner],
        stats: Mapping[int, Stat],
        span: float,
        on_gpus: Mapping[int, Mapping[int, GpuProcess]] | None,
    ) -> dict[str, Values]:
        """Values by subject; `span` seconds since the look before. `on_gpus` is None on a machine without GPUs."""
        children: dict[int, list[int]] = {}
        for pid, stat in stats.items():
            children.setdefault(stat.parent, []).append(pid)
        found = {}
        for owner in known:
            pids = [pid for pid in _below(owner.roots, children) if pid in stats]
            found[owner.title] = self._values(owner, {pid: stats[pid] for pid in pids}, span, on_gpus)
        return found

    def _values(
        self,
        owner: Owner,
        own: dict[int, Stat],
        span: float,
        on_gpus: Mapping[int, Mapping[int, GpuProcess]] | None,
    ) -> Values:
        # A process that began since the last look spent all of its time since then; one that ended is not seen any more.
        spent = sum(max(0.0, stat.cpu - self._before.get((pid, stat.started), 0.0)) for pid, stat in own.items())
        cpu = 100 * spent / span
        values: Values = {
            "cpu_percent": cpu,
            "memory_mb": sum(stat.memory for stat in own.values()) / 1e6,
            "processes": float(len(own)),
            "threads": float(sum(stat.threads for stat in own.values())),
        }
        if on_gpus is not None:
            held = [one for pid in own for one in on_gpus.get(pid, {}).values()]
            shares = [one.utilization for one in held if one.utilization is not None]
            values["gpu_percent"] = sum(shares) if shares or not held else None
            values["gpu_memory_mb"] = sum(one.memory or 0 for one in held) / 1e6
        if owner.kind == "deployment":
            values["workers"] = float(owner.workers)
            values["restarts"] = float(owner.restarts)
            values["saturation"] = min(100.0, cpu / owner.workers) if owner.workers else None
        return values

    def _stats(self) -> dict[int, Stat]:
        found = {}
        for name in os.listdir(self._proc):  # noqa: PTH208 - Path objects would double the cost of a look
            if name.isdigit() and (stat := _stat(self._proc / name)) is not None:
                found[int(name)] = stat
        return found


def _stat(folder: Path) -> Stat | None:
    """Fields 4, 14, 15, 20, 22 and 24 of /proc/PID/stat (man 5 proc); None for one that ended."""
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name in brackets may hold spaces and brackets itself
    if fields[0] in "ZX":
        return None
    cpu = (int(fields[11]) + int(fields[12])) / TICK
    return Stat(int(fields[1]), int(fields[19]), cpu, int(fields[17]), int(fields[21]) * PAGE)


def _below(roots: Iterable[int], children: Mapping[int, list[int]]) -> set[int]:
    """The roots and all below them."""
    found, waiting = set(roots), list(roots)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found
