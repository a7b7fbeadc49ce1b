"""NVIDIA GPUs through pynvml (the `nvidia-ml-py` package), where every single figure may be missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from mlops_tui.domains.hardware.nvml_calls import (
    Gone,
    Lost,
    field,
    memory_of,
    number,
    processes_of,
    text,
    throttle_of,
    unless_lost,
)
from mlops_tui.domains.hardware.nvml_facts import facts_of
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuState, Mig

RETRY_S = 60.0
"""Between looks for a driver that was never there, and for a lost GPU that may have come back."""
RETURN_S = 5.0
"""Between looks for a driver that was there: it is being restarted or updated."""
_UNCORRECTED = (pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)


class Nvml:
    """One process's use of NVML: initialised on first use, begun anew after the driver went away or a GPU was lost."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._driver: Driver | None = None
        self._tried_at = 0.0
        self._worked = False

    def read(self) -> tuple[Driver, tuple[Gpu, ...]]:
        """The state of the driver and every GPU it knows, lost ones included. Never raises for what NVML reports."""
        if self._start() is Driver.OK:
            try:
                return self._look()
            except (Gone, pynvml.NVMLError):
                self._end()  # the driver was unloaded under us: its handles are worth nothing after it came back
        if self._start() is not Driver.OK:
            return self._driver or Driver.FAILED, ()
        try:
            return self._look()
        except (Gone, pynvml.NVMLError) as error:
            self._end()
            cause = error.__cause__ if isinstance(error, Gone) else error
            self._driver, self._tried_at = _driver_state(cause), self._clock()
            return self._driver, ()

    def facts(self, index: int, part: int | None = None) -> list[Fact]:
        """Everything one GPU, or one instance of it, says of itself; what it does not say is there with the reason.

        Takes 50 ms, since PCIe is counted, and 0.1 s more where there are NVLinks.
        """
        if self._start() is not Driver.OK:
            return []
        try:
            handle = unless_lost(pynvml.nvmlDeviceGetHandleByIndex, index)
            if part is not None:
                handle = unless_lost(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, part)
            return facts_of(handle)
        except (Lost, Gone, pynvml.NVMLError):
            return []

    def close(self) -> None:
        """Give the library back."""
        if self._driver is Driver.OK:
            self._end()
        self._driver = None

    def _look(self) -> tuple[Driver, tuple[Gpu, ...]]:
        gpus = tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
        lost = any(gpu.state is GpuState.LOST for gpu in gpus)
        if lost and self._clock() - self._tried_at >= RETRY_S:
            self._end()  # a GPU that was reset answers only those who begin after that; the next reading does
        return Driver.OK, gpus

    def _start(self) -> Driver:
        pause = RETURN_S if self._worked else RETRY_S
        fresh = self._driver is not None and self._clock() - self._tried_at < pause
        if self._driver is Driver.OK or (fresh and self._driver is not None):
            return self._driver
        self._tried_at = self._clock()
        try:
            pynvml.nvmlInit()
            self._driver, self._worked = Driver.OK, True
        except pynvml.NVMLError as error:
            self._driver = _driver_state(error)
        return self._driver

    def _end(self) -> None:
        self._driver = None
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            pass  # it is gone already


def _driver_state(error: BaseException | None) -> Driver:
    return {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: Driver.NO_DRIVER,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: Driver.NOT_LOADED,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: Driver.MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION: Driver.NO_PERMISSION,
    }.get(getattr(error, "value", None), Driver.FAILED)


def _gpu(index: int) -> Gpu:
    try:
        return _read_gpu(index, unless_lost(pynvml.nvmlDeviceGetHandleByIndex, index))
    except Lost:
        return Gpu(index=index, name=f"GPU {index}", state=GpuState.LOST)
    except pynvml.NVMLError:
        return Gpu(index=index, name=f"GPU {index}", state=GpuState.OK)


def _read_gpu(index: int, handle: Any) -> Gpu:
    memory = field(memory_of, handle)
    rates = field(pynvml.nvmlDeviceGetUtilizationRates, handle)
    level = field(pynvml.nvmlDeviceGetPerformanceState, handle)
    errors = field(pynvml.nvmlDeviceGetTotalEccErrors, handle, *_UNCORRECTED)
    return Gpu(
        index=index,
        name=text(field(pynvml.nvmlDeviceGetName, handle)) or f"GPU {index}",
        state=GpuState.OK,
        uuid=text(field(pynvml.nvmlDeviceGetUUID, handle)),
        utilization=None if rates is None else number(rates.gpu),
        memory_used=None if memory is None else int(memory.used),
        memory_total=None if memory is None else int(memory.total),
        temperature=number(field(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)),
        power=number(field(pynvml.nvmlDeviceGetPowerUsage, handle), 1e-3),
        power_limit=number(field(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle), 1e-3),
        fan=number(field(pynvml.nvmlDeviceGetFanSpeed, handle)),
        clock_mhz=number(field(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM)),
        processes=processes_of(handle),
        memory_utilization=None if rates is None else number(rates.memory),
        memory_clock_mhz=number(field(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM)),
        throttle=throttle_of(handle) or (),
        mig=_instances(handle),
        encoder=_first(pynvml.nvmlDeviceGetEncoderUtilization, handle),
        decoder=_first(pynvml.nvmlDeviceGetDecoderUtilization, handle),
        performance=None if level is None else f"P{level}",
        ecc_errors=None if errors is None else int(errors),
        bus_id=text(getattr(field(pynvml.nvmlDeviceGetPciInfo, handle), "busId", None)),
    )


def _first(call: Callable[..., Any], handle: Any) -> float | None:
    """The share of an answer (share, over how many microseconds)."""
    found = field(call, handle)
    return None if found is None else number(found[0])


def _instances(handle: Any) -> tuple[Mig, ...]:
    mode = field(pynvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return ()
    places = range(field(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0)
    found = ((place, field(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place)) for place in places)
    return tuple(_instance(place, instance) for place, instance in found if instance is not None)


def _instance(place: int, handle: Any) -> Mig:
    memory = field(memory_of, handle)
    attributes = field(pynvml.nvmlDeviceGetAttributes, handle)
    bar = field(pynvml.nvmlDeviceGetBAR1MemoryInfo, handle)
    return Mig(
        index=place,
        name=text(field(pynvml.nvmlDeviceGetName, handle)) or f"MIG {place}",
        uuid=text(field(pynvml.nvmlDeviceGetUUID, handle)),
        gpu_instance=field(pynvml.nvmlDeviceGetGpuInstanceId, handle),
        compute_instance=field(pynvml.nvmlDeviceGetComputeInstanceId, handle),
        memory_used=None if memory is None else int(memory.used),
        memory_total=None if memory is None else int(memory.total),
        multiprocessors=None if attributes is None else int(attributes.multiprocessorCount),
        processes=processes_of(handle),
        bar1_used=None if bar is None else int(bar.bar1Used),
        bar1_total=None if bar is None else int(bar.bar1Total),
    )
