"""What is asked of NVML about one GPU, call by call: any of them may be unsupported, not permitted or missing in this driver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from mlops_tui.domains.hardware.records import GpuProcess

_NONE_32, _NONE_64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
"""How NVML says "not available" inside an answer."""
_LOOK_BACK_US = 5_000_000

THROTTLE = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal (driver)",
    0x40: "thermal (hardware)",
    0x80: "power brake",
    0x100: "display clock",
    0x2: "application clocks",
    0x1: "idle",
}
"""Bits of the reasons why clocks are not at their highest, in nvml.h called nvmlClocksEventReason*."""
_LISTS = (
    ("compute", "nvmlDeviceGetComputeRunningProcesses"),
    ("graphics", "nvmlDeviceGetGraphicsRunningProcesses"),
    ("mps", "nvmlDeviceGetMPSComputeRunningProcesses"),
)


class Lost(Exception):  # noqa: N818 - a state of the device, not a mistake
    """The GPU fell off the bus or waits for a reset."""


class Gone(Exception):  # noqa: N818 - a state of the driver
    """The driver was unloaded, or restarted, since NVML was initialised."""


def field(call: Callable[..., Any], *args: Any) -> Any:
    """The answer, or None when this GPU or driver does not give it; only a lost GPU is more than a missing figure."""
    try:
        return unless_lost(call, *args)
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):  # the second: a driver older than the binding
        return None


def unless_lost(call: Callable[..., Any], *args: Any) -> Any:
    """The answer; raises Lost, Gone, or the NVMLError."""
    try:
        return call(*args)
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED):
            raise Lost from error
        if error.value in (pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
            raise Gone from error
        raise


def text(value: Any) -> str | None:
    """Text of what may be bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def number(value: Any, scale: float = 1.0) -> float | None:
    """A scaled number; None for None and for what NVML writes where it has none."""
    return None if value is None or value in (_NONE_32, _NONE_64) else float(value) * scale


def memory_of(handle: Any) -> Any:
    """Total, used and free, counted as nvidia-smi does: what the driver keeps for itself is not in use. Raises the NVMLError.

    Drivers before 510 count it as used and know no other way.
    """
    try:
        return unless_lost(pynvml.nvmlDeviceGetMemoryInfo, handle, pynvml.nvmlMemory_v2)
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):
        return unless_lost(pynvml.nvmlDeviceGetMemoryInfo, handle)


def throttle_of(handle: Any) -> tuple[str, ...] | None:
    """Why the clocks are not at their highest; None where the GPU does not say."""
    reasons = field(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    if reasons is None:  # the older name of the same call
        reasons = field(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return None if reasons is None else tuple(words for bit, words in THROTTLE.items() if reasons & bit)


def processes_of(handle: Any) -> tuple[GpuProcess, ...]:
    """Who uses the GPU or instance, by process; what does compute and graphics there is listed once."""
    found: dict[int, GpuProcess] = {}
    for kind, name in _LISTS:
        call = getattr(pynvml, name, None)
        for one in (field(call, handle) if call else None) or ():
            pid, before = int(one.pid), found.get(int(one.pid))
            if before is not None:
                kinds = before.kind if kind in before.kind else f"{before.kind}+{kind}"
                found[pid] = GpuProcess(pid, before.memory, kinds, before.instance)
                continue
            gpu, compute = getattr(one, "gpuInstanceId", _NONE_32), getattr(one, "computeInstanceId", _NONE_32)
            instance = None if _NONE_32 in (gpu, compute) else (int(gpu), int(compute))
            memory = number(one.usedGpuMemory)
            found[pid] = GpuProcess(pid, None if memory is None else int(memory), kind, instance)
    return tuple(found.values())


def shares_of(index: int) -> dict[int, GpuProcess]:
    """How much each process used the GPU's engines in the last seconds, by process; empty where the driver does not say."""
    try:
        handle = unless_lost(pynvml.nvmlDeviceGetHandleByIndex, index)
        since = int(time.time() * 1e6) - _LOOK_BACK_US
        samples = field(pynvml.nvmlDeviceGetProcessUtilization, handle, since) or ()
    except (Lost, Gone, pynvml.NVMLError):
        return {}
    return {
        int(one.pid): GpuProcess(
            int(one.pid),
            None,
            utilization=number(one.smUtil),
            memory_utilization=number(one.memUtil),
            encoder=number(one.encUtil),
            decoder=number(one.decUtil),
        )
        for one in sorted(samples, key=lambda one: one.timeStamp)
    }
