"""What is asked of NVML about one GPU, call by call: any of them may be unsupported, not permitted or missing in this driver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from mlops_tui.domains.hardware.records import Fact, GpuProcess

_NONE_32, _NONE_64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
"""How NVML says "not available" inside an answer."""
_LOOK_BACK_US = 5_000_000
LINK_LOOK_S = 0.1

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
MISSING = {
    pynvml.NVML_ERROR_NOT_SUPPORTED: "not supported",
    pynvml.NVML_ERROR_NO_PERMISSION: "not permitted",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "not in this driver",
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "not in this driver",
    pynvml.NVML_ERROR_NO_DATA: "no data",
    pynvml.NVML_ERROR_NOT_FOUND: "no data",
}
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


# -- everything a GPU says --------------------------------------------------------------------------------------------------

_Call = Callable[[Any], Any]


def _clock(kind: int, highest: bool = False) -> _Call:
    return lambda gpu: (pynvml.nvmlDeviceGetMaxClockInfo if highest else pynvml.nvmlDeviceGetClockInfo)(gpu, kind)


def _threshold(kind: int) -> _Call:
    return lambda gpu: pynvml.nvmlDeviceGetTemperatureThreshold(gpu, kind)


def _ecc(error: int, counter: int) -> _Call:
    return lambda gpu: pynvml.nvmlDeviceGetTotalEccErrors(gpu, error, counter)


def _remapped(place: int) -> _Call:
    return lambda gpu: pynvml.nvmlDeviceGetRemappedRows(gpu)[place]


def _pcie(direction: int) -> _Call:
    return lambda gpu: pynvml.nvmlDeviceGetPcieThroughput(gpu, direction) * 1024  # it says KiB a second


def _milli(name: str) -> _Call:
    return lambda gpu: number(getattr(pynvml, name)(gpu), 1e-3)


def _memory_2(gpu: Any) -> Any:
    return pynvml.nvmlDeviceGetMemoryInfo(gpu, version=pynvml.nvmlMemory_v2).reserved


def _values(gpu: Any, *fields: Any) -> list[Any]:
    found = []
    for one in pynvml.nvmlDeviceGetFieldValues(gpu, list(fields)):
        if one.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(one.nvmlReturn)
        kind = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal"}.get(one.valueType, "ullVal")
        found.append(getattr(one.value, kind))
    return found


def _links(direction: int) -> _Call:
    """Bytes a second over all NVLinks, from two looks at their counters (KiB)."""
    every = _NONE_32  # all links together

    def rate(gpu: Any) -> float:
        (before,) = _values(gpu, (direction, every))
        time.sleep(LINK_LOOK_S)
        (after,) = _values(gpu, (direction, every))
        return float(max(0, after - before) * 1024 / LINK_LOOK_S)

    return rate


def _on(call: Callable[[Any], Any]) -> _Call:
    return lambda gpu: bool(call(gpu))


def _version(gpu: Any) -> str:
    known = pynvml.nvmlSystemGetCudaDriverVersion()
    return f"{known // 1000}.{known % 1000 // 10}"


_COMPUTE = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
_T, _C, _P = "temperature", "clocks", "power"
FACTS: tuple[tuple[str, str, str, _Call], ...] = (
    ("identity", "name", "", lambda gpu: text(pynvml.nvmlDeviceGetName(gpu))),
    ("identity", "uuid", "", lambda gpu: text(pynvml.nvmlDeviceGetUUID(gpu))),
    ("identity", "serial", "", lambda gpu: text(pynvml.nvmlDeviceGetSerial(gpu))),
    ("identity", "bus_id", "", lambda gpu: text(pynvml.nvmlDeviceGetPciInfo(gpu).busId)),
    ("identity", "numa_node", "", lambda gpu: pynvml.nvmlDeviceGetNumaNodeId(gpu)),
    ("identity", "compute_capability", "", lambda gpu: ".".join(map(str, pynvml.nvmlDeviceGetCudaComputeCapability(gpu)))),
    ("identity", "vbios", "", lambda gpu: text(pynvml.nvmlDeviceGetVbiosVersion(gpu))),
    ("identity", "driver_version", "", lambda gpu: text(pynvml.nvmlSystemGetDriverVersion())),
    ("identity", "cuda_version", "", _version),
    ("identity", "driver_model", "", lambda gpu: {0: "WDDM", 1: "WDM"}.get(pynvml.nvmlDeviceGetCurrentDriverModel(gpu))),
    ("state", "performance_state", "", lambda gpu: f"P{pynvml.nvmlDeviceGetPerformanceState(gpu)}"),
    ("state", "throttle_reasons", "", lambda gpu: ", ".join(throttle_of(gpu) or ()) if throttle_of(gpu) is not None
     else pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)),
    ("state", "compute_mode", "", lambda gpu: _COMPUTE.get(pynvml.nvmlDeviceGetComputeMode(gpu))),
    ("state", "persistence_mode", "", _on(lambda gpu: pynvml.nvmlDeviceGetPersistenceMode(gpu))),
    ("state", "display_active", "", _on(lambda gpu: pynvml.nvmlDeviceGetDisplayActive(gpu))),
    ("state", "display_mode", "", _on(lambda gpu: pynvml.nvmlDeviceGetDisplayMode(gpu))),
    ("state", "mig_mode", "", _on(lambda gpu: pynvml.nvmlDeviceGetMigMode(gpu)[0])),
    ("state", "mig_devices_max", "", lambda gpu: pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)),
    ("utilization", "gpu", "%", lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu),
    ("utilization", "memory", "%", lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).memory),
    ("utilization", "encoder", "%", lambda gpu: pynvml.nvmlDeviceGetEncoderUtilization(gpu)[0]),
    ("utilization", "decoder", "%", lambda gpu: pynvml.nvmlDeviceGetDecoderUtilization(gpu)[0]),
    ("utilization", "jpeg", "%", lambda gpu: pynvml.nvmlDeviceGetJpgUtilization(gpu)[0]),
    ("utilization", "optical_flow", "%", lambda gpu: pynvml.nvmlDeviceGetOfaUtilization(gpu)[0]),
    ("memory", "used", "B", lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).used),
    ("memory", "free", "B", lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).free),
    ("memory", "total", "B", lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).total),
    ("memory", "reserved", "B", _memory_2),
    ("memory", "bar1_used", "B", lambda gpu: pynvml.nvmlDeviceGetBAR1MemoryInfo(gpu).bar1Used),
    ("memory", "bar1_free", "B", lambda gpu: pynvml.nvmlDeviceGetBAR1MemoryInfo(gpu).bar1Free),
    ("memory", "bar1_total", "B", lambda gpu: pynvml.nvmlDeviceGetBAR1MemoryInfo(gpu).bar1Total),
    (_C, "graphics", "MHz", _clock(pynvml.NVML_CLOCK_GRAPHICS)),
    (_C, "sm", "MHz", _clock(pynvml.NVML_CLOCK_SM)),
    (_C, "memory", "MHz", _clock(pynvml.NVML_CLOCK_MEM)),
    (_C, "video", "MHz", _clock(pynvml.NVML_CLOCK_VIDEO)),
    (_C, "graphics_max", "MHz", _clock(pynvml.NVML_CLOCK_GRAPHICS, True)),
    (_C, "sm_max", "MHz", _clock(pynvml.NVML_CLOCK_SM, True)),
    (_C, "memory_max", "MHz", _clock(pynvml.NVML_CLOCK_MEM, True)),
    (_C, "video_max", "MHz", _clock(pynvml.NVML_CLOCK_VIDEO, True)),
    (_T, "gpu", "C", lambda gpu: pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU)),
    (_T, "memory", "C", lambda gpu: _values(gpu, pynvml.NVML_FI_DEV_MEMORY_TEMP)[0]),
    (_T, "slowdown", "C", _threshold(pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)),
    (_T, "shutdown", "C", _threshold(pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN)),
    (_T, "fan", "%", lambda gpu: pynvml.nvmlDeviceGetFanSpeed(gpu)),
    (_P, "usage", "W", _milli("nvmlDeviceGetPowerUsage")),
    (_P, "limit", "W", _milli("nvmlDeviceGetPowerManagementLimit")),
    (_P, "enforced_limit", "W", _milli("nvmlDeviceGetEnforcedPowerLimit")),
    (_P, "default_limit", "W", _milli("nvmlDeviceGetPowerManagementDefaultLimit")),
    (_P, "energy", "J", _milli("nvmlDeviceGetTotalEnergyConsumption")),
    ("pcie", "transmit", "B/s", _pcie(pynvml.NVML_PCIE_UTIL_TX_BYTES)),
    ("pcie", "receive", "B/s", _pcie(pynvml.NVML_PCIE_UTIL_RX_BYTES)),
    ("pcie", "generation", "", lambda gpu: pynvml.nvmlDeviceGetCurrPcieLinkGeneration(gpu)),
    ("pcie", "generation_max", "", lambda gpu: pynvml.nvmlDeviceGetMaxPcieLinkGeneration(gpu)),
    ("pcie", "width", "", lambda gpu: pynvml.nvmlDeviceGetCurrPcieLinkWidth(gpu)),
    ("pcie", "width_max", "", lambda gpu: pynvml.nvmlDeviceGetMaxPcieLinkWidth(gpu)),
    ("pcie", "replays", "", lambda gpu: pynvml.nvmlDeviceGetPcieReplayCounter(gpu)),
    ("nvlink", "links", "", lambda gpu: _values(gpu, pynvml.NVML_FI_DEV_NVLINK_LINK_COUNT)[0]),
    ("nvlink", "transmit", "B/s", _links(pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX)),
    ("nvlink", "receive", "B/s", _links(pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX)),
    ("errors", "ecc", "", _on(lambda gpu: pynvml.nvmlDeviceGetEccMode(gpu)[0])),
    ("errors", "corrected_since_boot", "", _ecc(0, 0)),
    ("errors", "uncorrected_since_boot", "", _ecc(1, 0)),
    ("errors", "corrected_ever", "", _ecc(0, 1)),
    ("errors", "uncorrected_ever", "", _ecc(1, 1)),
    ("errors", "rows_remapped_corrected", "", _remapped(0)),
    ("errors", "rows_remapped_uncorrected", "", _remapped(1)),
    ("errors", "remapping_pending", "", lambda gpu: bool(pynvml.nvmlDeviceGetRemappedRows(gpu)[2])),
    ("errors", "remapping_failed", "", lambda gpu: bool(pynvml.nvmlDeviceGetRemappedRows(gpu)[3])),
)  # fmt: skip
"""(group, name, unit, call): all that NVML says of a GPU and a person may ask for."""


def facts_of(handle: Any) -> list[Fact]:
    """Every fact in order, each with its value or with why there is none. Raises Lost and Gone."""
    return [_fact(group, name, unit, call, handle) for group, name, unit, call in FACTS]


def _fact(group: str, name: str, unit: str, call: _Call, handle: Any) -> Fact:
    try:
        value = unless_lost(call, handle)
    except pynvml.NVMLError as error:
        return Fact(group, name, None, unit, MISSING.get(error.value, str(error)))
    except pynvml.NVMLLibraryMismatchError:
        return Fact(group, name, None, unit, "not in this driver")
    if value is None or (not isinstance(value, (str, bool)) and number(value) is None):
        return Fact(group, name, None, unit, "not supported")
    return Fact(group, name, value, unit)
