"""What the kernel lets this process use: control groups version 2 or 1, and the set of processors it may run on."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TypeVar

from mlops_tui.domains.hardware.records import Limits

# Version 1 writes "no limit" as the largest page-aligned number; anything near it is no limit.
UNLIMITED_V1 = 1 << 60


def read_limits(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Limits:
    """The tightest limits on the way from this process's group to the root. psutil reports the host, not these."""
    cpus = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    paths = _memberships(proc / "self" / "cgroup")
    two = _ancestors(groups, paths.get(""))
    if not any((folder / "memory.max").exists() or (folder / "cpu.max").exists() for folder in two):
        # A hybrid machine mounts version 2 beside version 1, with no controllers in it.
        two = _ancestors(groups / "unified", paths.get(""))
    return (
        _version_2(Limits(cpus, allowed), two)
        or _version_1(Limits(cpus, allowed), groups, paths)
        or Limits(cpus, allowed)
    )


_Number = TypeVar("_Number", int, float)


def _memberships(path: Path) -> dict[str, str]:
    """Controller -> path, from lines `5:cpu,cpuacct:/x`; version 2 has the controller ``""``."""
    memberships: dict[str, str] = {}
    for line in (_text(path) or "").splitlines():
        _, controllers, group = line.split(":", 2)
        memberships.update(dict.fromkeys(controllers.split(","), group))
    return memberships


def _ancestors(root: Path, group: str | None) -> list[Path]:
    """The group's folder and those above it up to the root; inside a container the path may not exist, then the root."""
    parts = Path((group or "/").lstrip("/")).parts
    folders = [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return [folder for folder in folders if folder.is_dir()]


def _version_2(bare: Limits, folders: list[Path]) -> Limits | None:
    if not any((folder / name).exists() for folder in folders for name in ("cpu.max", "memory.max")):
        return None
    return dataclasses.replace(
        bare,
        cpu_quota=_least([_quota_2(_text(folder / "cpu.max")) for folder in folders]),
        memory_limit=_least([_integer(_text(folder / "memory.max")) for folder in folders]),
        memory_used=_first(folders, "memory.current"),
        source="cgroup v2",
        swap_limit=_least([_integer(_text(folder / "memory.swap.max")) for folder in folders]),
        processes_limit=_least([_integer(_text(folder / "pids.max")) for folder in folders]),
        throttled=_throttled(folders),
        oom_kills=_counts(folders, "memory.events").get("oom_kill"),
    )


def _quota_2(text: str | None) -> float | None:
    parts = (text or "max").split()
    return None if parts[0] == "max" else int(parts[0]) / int(parts[1] if len(parts) > 1 else 100_000)


def _version_1(bare: Limits, groups: Path, paths: dict[str, str]) -> Limits | None:
    cpu = _ancestors(groups / "cpu", paths.get("cpu"))
    memory = _ancestors(groups / "memory", paths.get("memory"))
    if not cpu and not memory:
        return None
    swap = [_real(_integer(_text(folder / "memory.memsw.limit_in_bytes"))) for folder in memory]
    limit = _least([_real(_integer(_text(folder / "memory.limit_in_bytes"))) for folder in memory])
    both = _least(swap)
    return dataclasses.replace(
        bare,
        cpu_quota=_least([_quota_1(folder) for folder in cpu]),
        memory_limit=limit,
        memory_used=_first(memory, "memory.usage_in_bytes"),
        source="cgroup v1",
        swap_limit=None if both is None else max(0, both - (limit or 0)),  # version 1 limits memory and swap together
        processes_limit=_least(
            [_integer(_text(folder / "pids.max")) for folder in _ancestors(groups / "pids", paths.get("pids"))]
        ),
        throttled=_throttled(cpu),
        oom_kills=_counts(memory, "memory.oom_control").get("oom_kill"),
    )


def _throttled(folders: list[Path]) -> float | None:
    """The share of its periods in which the group used up its quota, percent; None where no quota counts periods."""
    counts = _counts(folders, "cpu.stat")
    periods = counts.get("nr_periods", 0)
    return 100 * counts.get("nr_throttled", 0) / periods if periods else None


def _counts(folders: list[Path], name: str) -> dict[str, int]:
    """Lines `name number` of the file of the innermost group that has it."""
    text = next((text for folder in folders if (text := _text(folder / name)) is not None), "")
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _first(folders: list[Path], name: str) -> int | None:
    return next((n for folder in folders if (n := _integer(_text(folder / name))) is not None), None)


def _real(limit: int | None) -> int | None:
    return limit if limit is not None and limit < UNLIMITED_V1 else None


def _quota_1(folder: Path) -> float | None:
    quota, period = _integer(_text(folder / "cpu.cfs_quota_us")), _integer(_text(folder / "cpu.cfs_period_us"))
    return quota / period if quota and period and quota > 0 else None


def _least(values: list[_Number | None]) -> _Number | None:
    return min((value for value in values if value is not None), default=None)


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.strip().lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
