"""Limits of containers, read from folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

from mlops_tui.domains.hardware.limits import read_limits


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_version_2_takes_the_tightest_limit_on_the_way_up(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/user.slice/app.service\n")
    write(tmp_path / "groups/user.slice/cpu.max", "150000 100000\n")
    write(tmp_path / "groups/user.slice/memory.max", "max\n")
    write(tmp_path / "groups/user.slice/app.service/cpu.max", "max 100000\n")
    write(tmp_path / "groups/user.slice/app.service/memory.max", "1073741824\n")
    write(tmp_path / "groups/user.slice/app.service/memory.current", "5000\n")
    found = read_limits(tmp_path / "proc", tmp_path / "groups")
    assert (found.cpu_quota, found.memory_limit, found.memory_used) == (1.5, 1 << 30, 5000)
    assert found.source == "cgroup v2"
    assert found.usable_cpus == min(1.5, found.cpus_allowed)


def test_version_1_knows_its_own_word_for_no_limit(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n")
    write(tmp_path / "groups/memory/job/memory.limit_in_bytes", "9223372036854771712\n")
    write(tmp_path / "groups/memory/job/memory.usage_in_bytes", "777\n")
    write(tmp_path / "groups/cpu/job/cpu.cfs_quota_us", "50000\n")
    write(tmp_path / "groups/cpu/job/cpu.cfs_period_us", "100000\n")
    found = read_limits(tmp_path / "proc", tmp_path / "groups")
    assert (found.cpu_quota, found.memory_limit, found.memory_used) == (0.5, None, 777)
    assert found.source == "cgroup v1"


def test_an_unlimited_version_1_group_has_no_quota(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "3:cpu,cpuacct:/\n")
    write(tmp_path / "groups/cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "groups/cpu/cpu.cfs_period_us", "100000\n")
    assert read_limits(tmp_path / "proc", tmp_path / "groups").cpu_quota is None


def test_a_group_path_of_the_host_seen_from_a_container_falls_back_to_the_root(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/docker/abc\n")
    write(tmp_path / "groups/memory.max", "4096\n")
    assert read_limits(tmp_path / "proc", tmp_path / "groups").memory_limit == 4096


def test_a_machine_without_groups_has_no_limits(tmp_path: Path) -> None:
    found = read_limits(tmp_path / "proc", tmp_path / "groups")
    assert (found.cpu_quota, found.memory_limit, found.source) == (None, None, "none")
    assert found.usable_cpus == found.cpus_allowed


def test_version_2_counts_periods_without_time_and_processes_ended_for_memory(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/app\n")
    write(tmp_path / "groups/app/cpu.max", "50000 100000\n")
    write(tmp_path / "groups/app/cpu.stat", "usage_usec 9\nnr_periods 200\nnr_throttled 50\n")
    write(tmp_path / "groups/app/memory.events", "low 0\noom 3\noom_kill 2\n")
    write(tmp_path / "groups/app/memory.swap.max", "4096\n")
    write(tmp_path / "groups/pids.max", "100\n")
    found = read_limits(tmp_path / "proc", tmp_path / "groups")
    assert (found.throttled, found.oom_kills, found.swap_limit, found.processes_limit) == (25.0, 2, 4096, 100)


def test_version_1_limits_memory_and_swap_together(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n5:pids:/job\n")
    write(tmp_path / "groups/memory/job/memory.limit_in_bytes", "1000\n")
    write(tmp_path / "groups/memory/job/memory.memsw.limit_in_bytes", "1500\n")
    write(tmp_path / "groups/memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    write(tmp_path / "groups/cpu/job/cpu.stat", "nr_periods 10\nnr_throttled 1\n")
    write(tmp_path / "groups/pids/job/pids.max", "7\n")
    found = read_limits(tmp_path / "proc", tmp_path / "groups")
    assert (found.swap_limit, found.oom_kills, found.throttled, found.processes_limit) == (500, 1, 10.0, 7)
