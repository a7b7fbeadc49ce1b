"""Everything NVML says of one GPU, or of one instance of a GPU in parts: each fact with its value or with why there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from mlops_tui.domains.hardware.nvml_calls import field, memory_of, number, text, throttle_of, unless_lost
from mlops_tui.domains.hardware.records import Fact

LINK_LOOK_S = 0.1
"""Between the two looks at the counters of all NVLinks."""
_ALL_LINKS = 0xFFFFFFFF
MISSING = {
    pynvml.NVML_ERROR_NOT_SUPPORTED: "not supported",
    pynvml.NVML_ERROR_NO_PERMISSION: "not permitted",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "not in this driver",
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "not in this driver",
    pynvml.NVML_ERROR_NO_DATA: "no data",
    pynvml.NVML_ERROR_NOT_FOUND: "no data",
}

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
    ("memory", "used", "B", lambda gpu: memory_of(gpu).used),
    ("memory", "free", "B", lambda gpu: memory_of(gpu).free),
    ("memory", "total", "B", lambda gpu: memory_of(gpu).total),
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
    """Every fact in order, then those of the NVLinks. Raises Lost and Gone."""
    return [*(_fact(group, name, unit, call, handle) for group, name, unit, call in FACTS), *_links(handle)]


def _links(gpu: Any) -> list[Fact]:
    """Bytes a second over all NVLinks and over each, from two looks at their counters (KiB)."""
    count = int((field(_values, gpu, pynvml.NVML_FI_DEV_NVLINK_LINK_COUNT) or [0])[0])
    directions = {
        "transmit": pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX,
        "receive": pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX,
    }
    asked = [(name, code, _ALL_LINKS) for name, code in directions.items()]
    asked += [(f"link {link} {name}", code, link) for link in range(count) for name, code in directions.items()]
    before = [_fact("nvlink", name, "B/s", _counter(code, link), gpu) for name, code, link in asked]
    if any(one.value is not None for one in before):
        time.sleep(LINK_LOOK_S)
    found = []
    for (name, code, link), first in zip(asked, before, strict=True):
        after = first if first.value is None else _fact("nvlink", name, "B/s", _counter(code, link), gpu)
        if first.value is not None and after.value is not None:
            rate = max(0.0, float(after.value) - float(first.value)) * 1024 / LINK_LOOK_S
            after = Fact("nvlink", name, rate, "B/s")
        found.append(after)
    return found


def _counter(code: int, link: int) -> _Call:
    return lambda gpu: _values(gpu, (code, link))[0]


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
