"""What the kernel lets this process use: control groups version 2 or 1, and the set of processors it may run on."""

from __future__ import annotations

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
    found = _version_2(two) or _version_1(groups, paths)
    quota, limit, used, source = found or (None, None, None, "none")
    return Limits(cpus, allowed, quota, limit, used, source)


_Number = TypeVar("_Number", int, float)
Found = tuple[float | None, int | None, int | None, str]


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


def _version_2(folders: list[Path]) -> Found | None:
    quotas = [_quota_2(_text(folder / "cpu.max")) for folder in folders]
    memories = [_integer(_text(folder / "memory.max")) for folder in folders]
    if not any((folder / name).exists() for folder in folders for name in ("cpu.max", "memory.max")):
        return None
    used = next((n for folder in folders if (n := _integer(_text(folder / "memory.current"))) is not None), None)
    return _least(quotas), _least(memories), used, "cgroup v2"


def _quota_2(text: str | None) -> float | None:
    parts = (text or "max").split()
    return None if parts[0] == "max" else int(parts[0]) / int(parts[1] if len(parts) > 1 else 100_000)


def _version_1(groups: Path, paths: dict[str, str]) -> Found | None:
    cpu = _ancestors(groups / "cpu", paths.get("cpu"))
    memory = _ancestors(groups / "memory", paths.get("memory"))
    if not cpu and not memory:
        return None
    limits = [_integer(_text(folder / "memory.limit_in_bytes")) for folder in memory]
    used = next((n for folder in memory if (n := _integer(_text(folder / "memory.usage_in_bytes"))) is not None), None)
    real: list[int | None] = [limit for limit in limits if limit is not None and limit < UNLIMITED_V1]
    return _least([_quota_1(folder) for folder in cpu]), _least(real), used, "cgroup v1"


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
