"""Reads what a machine is made of, and one process closely: psutil and /proc, where anything may be missing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from mlops_tui.domains.hardware.parts import Detail, Disk, FileSystem, Memory, Network, Parts, Pressure, Times

SLOW_S = 5.0
"""Between looks at what moves slowly: file systems, frequency, pressure, the number of processes."""
HIDDEN = "(hidden)"
_SECRET = re.compile(r"key|token|secret|passw|pwd|credential|auth|private|cookie|session|dsn", re.IGNORECASE)
_LOGIN = re.compile(r"(\w+://[^/\s:@]*):[^/\s@]+@")


def quietly(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The answer, or None: containers may hide /proc/diskstats or /proc/net, and a missing counter is a missing figure."""
    try:
        return call(*args, **options)
    except (OSError, RuntimeError, NotImplementedError, AttributeError, psutil.Error):
        return None


class Machine:
    """Looks again and again; rates are those since the look before."""

    def __init__(self, monotonic: Callable[[], float], *, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._monotonic = monotonic
        self._proc, self._sys = proc, sys
        self._at: float | None = None
        self._disks: dict[str, Any] = {}
        self._networks: dict[str, Any] = {}
        self._times: Any = None
        self._slow: tuple[float, dict[str, Any]] | None = None

    def read(self, memory: Any) -> Parts:
        """Everything; `memory` is what psutil says of it. The first look has no rates."""
        at = self._monotonic()
        span = None if self._at is None or at <= self._at else at - self._at
        self._at = at
        if self._slow is None or at - self._slow[0] >= SLOW_S:
            self._slow = (at, self._slowly())
        times, self._times = self._times, quietly(psutil.cpu_times)
        return Parts(
            times=_times(times, self._times),
            memory=Memory(
                memory.available,
                memory.free,
                *(getattr(memory, name, None) for name in ("cached", "buffers", "shared")),
            ),
            disks=self._read_disks(span),
            networks=self._read_networks(span),
            **self._slow[1],
        )

    def _read_disks(self, span: float | None) -> tuple[Disk, ...]:
        found = {
            name: one
            for name, one in (quietly(psutil.disk_io_counters, perdisk=True) or {}).items()
            if (self._sys / "block" / name).exists() and not name.startswith(("loop", "ram", "zram"))
        }
        before, self._disks = self._disks, found
        out = []
        for name, one in found.items():
            old = before.get(name)
            busy = _rate(getattr(one, "busy_time", None), getattr(old, "busy_time", None), span)
            out.append(
                Disk(
                    name,
                    _rate(one.read_bytes, getattr(old, "read_bytes", None), span),
                    _rate(one.write_bytes, getattr(old, "write_bytes", None), span),
                    None if busy is None else min(100.0, busy / 10),  # ms of a second
                )
            )
        return tuple(out)

    def _read_networks(self, span: float | None) -> tuple[Network, ...]:
        found = {
            name: one
            for name, one in (quietly(psutil.net_io_counters, pernic=True) or {}).items()
            if one.bytes_recv or one.bytes_sent
        }
        before, self._networks = self._networks, found
        return tuple(
            Network(
                name,
                _rate(one.bytes_recv, getattr(before.get(name), "bytes_recv", None), span),
                _rate(one.bytes_sent, getattr(before.get(name), "bytes_sent", None), span),
                one.bytes_recv,
                one.bytes_sent,
                one.errin + one.errout + one.dropin + one.dropout,
            )
            for name, one in found.items()
        )

    def _slowly(self) -> dict[str, Any]:
        frequency = quietly(psutil.cpu_freq)
        pressure = self._proc / "pressure"
        load = (_text(self._proc / "loadavg") or "").split()
        return {
            "file_systems": _file_systems(),
            "pressure": Pressure(*(_stalled(pressure / name) for name in ("cpu", "memory", "io"))),
            "frequency_mhz": float(frequency.current) if frequency is not None and frequency.current else None,
            "processes": sum(name.isdigit() for name in quietly(os.listdir, self._proc) or ()) or None,
            "running": int(load[3].partition("/")[0]) if len(load) > 3 and load[3][0].isdigit() else None,
        }


def closely(pid: int, *, environment: bool = False) -> Detail:
    """One process; what belongs to others, or is over, is None."""
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return Detail(pid)
    with process.oneshot():
        times, memory = quietly(process.cpu_times), quietly(process.memory_info)
        moved, switches = quietly(getattr(process, "io_counters", None) or _none), quietly(process.num_ctx_switches)
        allowed = quietly(getattr(process, "cpu_affinity", None) or _none)
        return Detail(
            pid,
            executable=quietly(process.exe),
            folder=quietly(process.cwd),
            cpu_user=getattr(times, "user", None),
            cpu_system=getattr(times, "system", None),
            virtual=getattr(memory, "vms", None),
            shared=getattr(memory, "shared", None),
            read=getattr(moved, "read_bytes", None),
            written=getattr(moved, "write_bytes", None),
            files=quietly(getattr(process, "num_fds", None) or _none),
            processors=len(allowed) if allowed else None,
            switches=None if switches is None else switches.voluntary + switches.involuntary,
            terminal=quietly(getattr(process, "terminal", None) or _none),
            environment=_shown(quietly(process.environ)) if environment else None,
        )


def _none() -> None:
    return None


def _shown(environment: dict[str, str] | None) -> dict[str, str] | None:
    """By name, with values hidden whose names speak of secrets, and passwords inside of addresses."""
    if environment is None:
        return None
    return {
        name: HIDDEN if value and _SECRET.search(name) else _LOGIN.sub(rf"\1:{HIDDEN}@", value)
        for name, value in sorted(environment.items())
    }


def _times(before: Any, now: Any) -> Times:
    """Shares of the time between two looks; all of it idle where there was none between them."""
    if before is None or now is None:
        return Times(0.0, 0.0, idle=100.0)
    # Time of guests is counted under user and nice as well.
    spent = {name: max(0.0, getattr(now, name) - getattr(before, name)) for name in now._fields if "guest" not in name}
    whole = sum(spent.values())
    share = {name: 100 * value / whole if whole else 0.0 for name, value in spent.items()}
    interrupts = [share[name] for name in ("irq", "softirq") if name in share]
    return Times(
        share.get("user", 0.0),
        share.get("system", 0.0),
        share.get("nice", 0.0),
        share.get("iowait"),
        sum(interrupts) if interrupts else None,
        share.get("steal"),
        share.get("idle", 0.0) if whole else 100.0,
    )


def _file_systems() -> tuple[FileSystem, ...]:
    """Those on devices; one that is mounted several times is listed at its shortest path."""
    found: dict[str, FileSystem] = {}
    for one in sorted(quietly(psutil.disk_partitions) or (), key=lambda one: len(one.mountpoint)):
        use = (
            quietly(psutil.disk_usage, one.mountpoint) if one.device not in found and one.fstype != "squashfs" else None
        )
        if use is not None and use.total:
            found[one.device] = FileSystem(one.mountpoint, one.device, one.fstype, use.used, use.total)
    return tuple(found.values())


def _stalled(path: Path) -> float | None:
    """`some avg10=1.53 avg60=...` of the kernel's pressure files; None where the kernel has none."""
    found = re.search(r"some avg10=([\d.]+)", _text(path) or "")
    return float(found.group(1)) if found else None


def _rate(value: int | None, before: int | None, span: float | None) -> float | None:
    return None if value is None or before is None or span is None or value < before else (value - before) / span


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
