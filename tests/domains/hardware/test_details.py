"""What the machine is made of, and one process closely."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mlops_tui.domains.hardware import details, probes
from mlops_tui.domains.hardware.details import HIDDEN, Machine, closely
from mlops_tui.domains.hardware.probes import TRACED, WATCHED, Probe
from mlops_tui.domains.hardware.scanning import PAGE, TICK, Scanner, Seen

Io = namedtuple("Io", "read_bytes write_bytes busy_time")
Net = namedtuple("Net", "bytes_recv bytes_sent errin errout dropin dropout")
MEMORY = SimpleNamespace(available=900, free=500, cached=300, buffers=100, shared=50)


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def machine(tmp_path: Path, now: list[float]) -> Machine:
    """A machine with disk sda (and a partition that is none), on made-up files."""
    (tmp_path / "sys" / "block" / "sda").mkdir(parents=True)
    (tmp_path / "proc" / "pressure").mkdir(parents=True)
    (tmp_path / "proc" / "pressure" / "io").write_text("some avg10=1.53 avg60=0.87\nfull avg10=0.10 avg60=0.05\n")
    (tmp_path / "proc" / "loadavg").write_text("0.1 0.2 0.3 3/512 4711\n")
    for pid in (1, 22):
        (tmp_path / "proc" / str(pid)).mkdir()
    return Machine(lambda: now[0], proc=tmp_path / "proc", sys=tmp_path / "sys")


def test_rates_of_each_disk_and_network_are_those_since_the_look_before(
    machine: Machine, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = [{"sda": Io(0, 0, 0), "sda1": Io(0, 0, 0)}, {"sda": Io(2000, 400, 500), "sda1": Io(2000, 400, 500)}]
    nets = [{"eth0": Net(10, 10, 0, 0, 0, 0), "off": Net(0, 0, 0, 0, 0, 0)}, {"eth0": Net(210, 5, 1, 0, 2, 0)}]
    monkeypatch.setattr(psutil, "disk_io_counters", lambda perdisk: disks.pop(0))
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: nets.pop(0))
    first = machine.read(MEMORY)
    assert [(one.name, one.read) for one in first.disks] == [("sda", None)]
    now[0] = 2.0
    second = machine.read(MEMORY)
    assert [(one.read, one.write, one.busy) for one in second.disks] == [(1000.0, 200.0, 25.0)]
    assert [(one.name, one.received, one.sent, one.faults) for one in second.networks] == [("eth0", 100.0, None, 3)]


def test_what_the_kernel_does_not_say_is_missing_and_never_zero(machine: Machine) -> None:
    found = machine.read(MEMORY)
    assert (found.pressure.io, found.pressure.cpu, found.pressure.memory) == (1.53, None, None)
    assert (found.processes, found.running) == (2, 3)
    assert (found.memory.cached, found.memory.buffers, found.memory.shared) == (300, 100, 50)


def test_a_machine_that_hides_its_counters_is_read_all_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*args: object, **options: object) -> None:
        raise PermissionError

    for name in ("disk_io_counters", "net_io_counters", "disk_partitions", "cpu_freq", "cpu_times"):
        monkeypatch.setattr(psutil, name, hidden)
    found = machine.read(MEMORY)
    assert (found.disks, found.networks, found.file_systems, found.frequency_mhz) == ((), (), (), None)


def test_the_shares_of_processor_time_are_all_of_it_however_short_the_look(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = namedtuple("times", "user nice system idle iowait steal guest")
    looks = [times(10, 0, 5, 100, 1, 0, 10), times(10.06, 0, 5.02, 100.1, 1.02, 0, 10.06)]
    monkeypatch.setattr(psutil, "cpu_times", lambda: looks.pop(0))
    assert machine.read(MEMORY).times.idle == 100.0
    found = machine.read(MEMORY).times
    assert [round(one) for one in (found.user, found.system, found.idle, found.wait or 0)] == [30, 10, 50, 10]
    assert (found.stolen, found.interrupts) == (0.0, None)


def test_a_device_mounted_twice_is_one_file_system(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [SimpleNamespace(device="/dev/sda1", mountpoint=path, fstype="ext4") for path in ("/var/lib/x", "/")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda: at)
    assert [(one.path, one.kind) for one in machine.read(MEMORY).file_systems] == [("/", "ext4")]


def test_a_process_is_seen_closely_with_its_secrets_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"API_TOKEN": "abc", "DATABASE": "pg://me:pw@host/db", "LANG": "C", "EMPTY_KEY": ""}
    monkeypatch.setattr(psutil.Process, "environ", lambda self: given)
    found = closely(os.getpid(), environment=True)
    assert found.environment == {
        "API_TOKEN": HIDDEN,
        "DATABASE": f"pg://me:{HIDDEN}@host/db",
        "EMPTY_KEY": "",
        "LANG": "C",
    }
    assert found.folder == str(Path.cwd())
    assert (found.files or 0) > 2
    assert closely(os.getpid()).environment is None


def test_a_process_that_is_over_says_nothing() -> None:
    assert details.closely(2**22 + 1) == details.Detail(2**22 + 1)


def test_a_process_is_followed_from_the_first_time_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Probe(tmp_path)
    assert probe.trace(os.getpid()) == []
    probe.processes(1000)
    probe.processes(2000)
    assert [one.at for one in probe.trace(os.getpid())] == [1000, 2000]
    for pid in range(10_000_000, 10_000_000 + WATCHED):
        probe.trace(pid)
    assert probe.trace(os.getpid()) == []  # so many others were asked for since
    assert TRACED > 60


def test_a_share_is_of_the_time_since_the_look_before_and_measured_anew_after_a_long_pause(
    tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Probe(tmp_path, monotonic=lambda: now[0])
    spent = iter((1.0, 1.0, 2.0, 2.0, 62.0, 62.5))
    seen = Seen(7, "x", "ana", "x", "running", 1, 0.0, 0, 1, 5.0, 100)
    monkeypatch.setattr(Scanner, "look", lambda self: [dataclasses.replace(seen, cpu_time=next(spent))])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    shares = []
    for pause in (0.0, 2.0, 2.0, probes.STALE_S + 1):
        now[0] += pause
        shares.append(round(probe.processes()[0].cpu))
    assert shares == [0, 50, 0, 500]  # half a second within the tenth that is looked at


FIELDS = b"S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 5 3 0 900 4096 25 0 0"


def put(
    proc: Path,
    pid: int,
    comm: bytes,
    command: bytes,
    *,
    fields: str = "S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 5 3 0 900 4096 25",
) -> None:
    """A process of an invented machine."""
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_bytes(b"%d (%s) %s" % (pid, comm, FIELDS))
    (proc / str(pid) / "cmdline").write_bytes(command)


def test_a_scan_reads_any_name_and_what_does_not_change_only_once(tmp_path: Path) -> None:
    put(tmp_path, 1, b"a) b (c\nd", b"/bin/x\0--why\0\0not\0")
    put(tmp_path, 2, b"bad\xff\xfe", b"")
    put(tmp_path, 3, b"a-rather-long-n", b"/usr/bin/python\0/opt/a-rather-long-name.py\0")
    (tmp_path / "4").mkdir()  # it ended between two looks
    (tmp_path / "self").mkdir()
    scanner = Scanner(tmp_path)
    first, second, third = sorted(scanner.look(), key=lambda one: one.pid)
    assert (first.name, first.command, first.state) == ("a) b (c\nd", "/bin/x --why not", "sleeping")
    assert (first.parent, first.cpu_time, first.nice, first.threads) == (1, 200 / TICK, 5, 3)
    assert (first.began, first.memory) == (900 / TICK, 25 * PAGE)
    assert second.name == "bad\udcff\udcfe"
    assert third.name == "a-rather-long-name.py"
    (tmp_path / "1" / "cmdline").write_bytes(b"another\0")
    assert next(one for one in scanner.look() if one.pid == 1).command == "/bin/x --why not"
    put(tmp_path, 1, b"another", b"another\0")  # it became another program
    assert next(one for one in scanner.look() if one.pid == 1).command == "another"


def test_what_was_read_a_moment_ago_is_not_read_again(tmp_path: Path) -> None:
    probe = Probe(tmp_path)
    first = probe.lately(10_000, 5000)
    assert probe.lately(15_000, 5000) is first
    assert probe.lately(15_001, 5000) is not first
    assert probe.lately(9_000, 5000).at == 9_000  # the clock was put back
    assert probes.shared(tmp_path) is probes.shared(tmp_path)
