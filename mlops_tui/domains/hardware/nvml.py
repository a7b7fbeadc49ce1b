"""NVIDIA GPUs through pynvml (the `nvidia-ml-py` package), where every single figure may be missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from mlops_tui.domains.hardware.records import Driver, Gpu, GpuProcess, GpuState

RETRY_S = 60.0


class _Lost(Exception):  # noqa: N818 - a state of the device, not a mistake
    """The GPU fell off the bus or waits for a reset."""


class Nvml:
    """One process's use of NVML: initialised on first use, asked again a minute after it failed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._driver: Driver | None = None
        self._tried_at = 0.0

    def read(self) -> tuple[Driver, tuple[Gpu, ...]]:
        """The state of the driver and every GPU it knows, lost ones included. Never raises for what NVML reports."""
        driver = self._start()
        if driver is not Driver.OK:
            return driver, ()
        try:
            return driver, tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
        except pynvml.NVMLError as error:
            # Uninitialized or a driver unloaded under us: begin again at the next retry.
            self._driver, self._tried_at = _driver_state(error), self._clock()
            return self._driver, ()

    def close(self) -> None:
        """Give the library back."""
        if self._driver is Driver.OK:
            try:
                pynvml.nvmlShutdown()
            except pynvml.NVMLError:
                pass  # it is gone already
        self._driver = None

    def _start(self) -> Driver:
        fresh = self._driver is not None and self._clock() - self._tried_at < RETRY_S
        if self._driver is Driver.OK or (fresh and self._driver is not None):
            return self._driver
        self._tried_at = self._clock()
        try:
            pynvml.nvmlInit()
            self._driver = Driver.OK
        except pynvml.NVMLError as error:
            self._driver = _driver_state(error)
        return self._driver


def _driver_state(error: pynvml.NVMLError) -> Driver:
    return {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: Driver.NO_DRIVER,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: Driver.NOT_LOADED,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: Driver.MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION: Driver.NO_PERMISSION,
    }.get(error.value, Driver.FAILED)


def _gpu(index: int) -> Gpu:
    try:
        handle = _unless_lost(pynvml.nvmlDeviceGetHandleByIndex, index)
        return _read_gpu(index, handle)
    except _Lost:
        return Gpu(index=index, name=f"GPU {index}", state=GpuState.LOST)
    except pynvml.NVMLError:
        return Gpu(index=index, name=f"GPU {index}", state=GpuState.OK)


def _read_gpu(index: int, handle: Any) -> Gpu:
    memory = _field(pynvml.nvmlDeviceGetMemoryInfo, handle)
    rates = _field(pynvml.nvmlDeviceGetUtilizationRates, handle)
    return Gpu(
        index=index,
        name=_text(_field(pynvml.nvmlDeviceGetName, handle)) or f"GPU {index}",
        state=GpuState.OK,
        uuid=_text(_field(pynvml.nvmlDeviceGetUUID, handle)),
        utilization=None if rates is None else float(rates.gpu),
        memory_used=None if memory is None else int(memory.used),
        memory_total=None if memory is None else int(memory.total),
        temperature=_number(_field(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)),
        power=_number(_field(pynvml.nvmlDeviceGetPowerUsage, handle), 1e-3),
        power_limit=_number(_field(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle), 1e-3),
        fan=_number(_field(pynvml.nvmlDeviceGetFanSpeed, handle)),
        clock_mhz=_number(_field(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM)),
        processes=tuple(
            GpuProcess(int(found.pid), None if found.usedGpuMemory is None else int(found.usedGpuMemory))
            for found in _field(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
        ),
    )


def _field(call: Callable[..., Any], *args: Any) -> Any:
    """The answer, or None when this GPU or driver does not give it; only a lost GPU is more than a missing figure."""
    try:
        return _unless_lost(call, *args)
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):  # the second: a driver older than the binding
        return None


def _unless_lost(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED):
            raise _Lost from error
        raise


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _number(value: Any, scale: float = 1.0) -> float | None:
    return None if value is None else float(value) * scale
