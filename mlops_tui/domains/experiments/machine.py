"""What a run takes of the machine: CPU, memory and GPUs of its process with all children.

    system/cpu_percent     of one core, so that two busy cores are 200
    system/memory_mb       resident memory of all processes, pages they share counted in each
    system/processes       how many they are
    system/gpu0_percent    how busy the GPU is, whoever keeps it so
    system/gpu0_memory_mb  what the run's processes hold of it; of all of it, where processes cannot be told apart (containers)

A sample costs 1 to 3 ms, most of it for finding the children.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Gpu

VARIABLE = "MLOPS_SYSTEM_METRICS"
EVERY_S = 10.0
_OFF = {"0", "off", "false", "no"}
_ON = {"", "1", "on", "true", "yes"}
_DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg")


def seconds(wanted: bool | float | None) -> float | None:
    """Seconds between samples, or None for no samples; without a wish the environment variable says it."""
    if wanted is None:
        said = os.environ.get(VARIABLE, "").strip().lower()
        if said in _OFF:
            return None
        try:
            wanted = True if said in _ON else float(said)
        except ValueError:
            wanted = True
    if wanted is True:
        return EVERY_S
    return None if wanted is False or wanted <= 0 else max(0.5, float(wanted))


class Sampler:
    """Looks at this process and its children again and again."""

    def __init__(self, gpus: Any = None) -> None:
        import psutil

        self._psutil = psutil
        self._me = psutil.Process()
        self._spent = self._cpu_times(self._tree())
        self._at = time.monotonic()
        self._gpus = gpus if gpus is not None else _gpu_reader()

    def sample(self) -> dict[str, float]:
        """Values by metric name; CPU since the sample before."""
        tree = self._tree()
        spent, at = self._cpu_times(tree), time.monotonic()
        # A process that began since the last look spent all of its time since then; one that ended is not seen any more.
        used = sum(max(0.0, now - self._spent.get(who, 0.0)) for who, now in spent.items())
        span = max(1e-3, at - self._at)
        self._spent, self._at = spent, at
        found = {
            "system/cpu_percent": 100 * used / span,
            "system/memory_mb": sum(self._memory(process) for process in tree) / 1e6,
            "system/processes": float(len(tree)),
        }
        if self._gpus is not None:
            found |= gpu_values(self._gpus.read()[1], {process.pid for process in tree})
        return found

    def _tree(self) -> list[Any]:
        try:
            return [self._me, *self._me.children(recursive=True)]
        except self._psutil.Error:
            return [self._me]

    def _cpu_times(self, tree: list[Any]) -> dict[tuple[int, float], float]:
        found = {}
        for process in tree:
            try:
                times = process.cpu_times()
                found[process.pid, process.create_time()] = times.user + times.system
            except self._psutil.Error:  # it ended just now
                continue
        return found

    def _memory(self, process: Any) -> int:
        try:
            return int(process.memory_info().rss)
        except self._psutil.Error:
            return 0


def gpu_values(gpus: tuple[Gpu, ...], pids: set[int]) -> dict[str, float]:
    """Of the GPUs that the processes use; of all, when none of them says who uses it."""
    named = any(process.pid in pids for gpu in gpus for process in gpu.processes)
    found: dict[str, float] = {}
    for gpu in gpus:
        own = [process.memory or 0 for process in gpu.processes if process.pid in pids]
        memory = sum(own) if named else gpu.memory_used
        if named and not own:
            continue
        if gpu.utilization is not None:
            found[f"system/gpu{gpu.index}_percent"] = gpu.utilization
        if memory is not None:
            found[f"system/gpu{gpu.index}_memory_mb"] = memory / 1e6
    return found


def _gpu_reader() -> Any:
    """NVML, where there may be a GPU: its binding takes 30 ms to load."""
    if not any(Path(path).exists() for path in _DRIVERS):
        return None
    from mlops_tui.domains.hardware.nvml import Nvml

    return Nvml()
