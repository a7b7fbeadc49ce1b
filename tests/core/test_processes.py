"""Real processes: each test starts a few and leaves none."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_tui.core import processes

PYTHON = [sys.executable, "-I", "-S", "-c"]


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def pid_in(path: Path) -> processes.Identity:
    until(lambda: path.exists() and path.read_text().strip())
    return processes.identity(int(path.read_text()))


GRANDCHILD = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {setup}
        open({path!r} + ".new", "w").write(str(os.getpid())); os.rename({path!r} + ".new", {path!r})
        time.sleep(60)
    os._exit(0)
os.wait()
{setup}
time.sleep(60)
"""


def test_a_command_leaves_its_output_and_exit_code_in_the_folder(tmp_path: Path) -> None:
    processes.spawn([*PYTHON, "print('hello'); raise SystemExit(7)"], folder=tmp_path / "job")
    record = processes.wait_for_exit(tmp_path / "job", 10)
    assert record is not None
    assert (record.code, record.signal, record.reason) == (7, None, "exited")
    assert record.started_at is not None
    assert record.ended_at is not None
    assert record.ended_at >= record.started_at
    assert (tmp_path / "job" / "log.txt").read_text() == "hello\n"


def test_a_command_that_does_not_exist_ends_with_127_and_says_so(tmp_path: Path) -> None:
    processes.spawn(["/no/such/program"], folder=tmp_path)
    record = processes.wait_for_exit(tmp_path, 10)
    assert record is not None
    assert record.code == 127
    assert "cannot start /no/such/program" in (tmp_path / "log.txt").read_text()


def test_no_record_while_it_runs_and_a_signal_is_told_from_a_code(tmp_path: Path) -> None:
    shim = processes.spawn([*PYTHON, "import time; time.sleep(60)"], folder=tmp_path)
    assert processes.is_alive(shim)
    until(lambda: processes.child_identity(tmp_path))
    child = processes.child_identity(tmp_path)
    assert child is not None
    assert processes.exit_record(tmp_path) is None
    os.kill(child.pid, signal.SIGKILL)
    record = processes.wait_for_exit(tmp_path, 10)
    assert record is not None
    assert (record.code, record.signal, record.reason) == (None, 9, "signalled")


def test_cancel_ends_grandchildren_in_their_own_session_within_a_second(tmp_path: Path) -> None:
    path = str(tmp_path / "grandchild")
    processes.spawn([*PYTHON, GRANDCHILD.format(path=path, setup="")], folder=tmp_path / "job")
    grandchild = pid_in(Path(path))
    began = time.monotonic()
    record = processes.cancel(tmp_path / "job")
    assert time.monotonic() - began < 1.0
    assert not processes.is_alive(grandchild)
    assert record is not None
    assert record.reason == "cancelled"


def test_an_orphan_in_its_own_session_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    path, bye = str(tmp_path / "grandchild"), str(tmp_path / "bye")
    setup = f"signal.signal(signal.SIGTERM, lambda *_: (open({bye!r}, 'a').write('bye'), os._exit(0)))"
    processes.spawn([*PYTHON, GRANDCHILD.format(path=path, setup=setup)], folder=tmp_path / "job")
    pid_in(Path(path))
    time.sleep(0.1)  # both have set their handlers
    processes.cancel(tmp_path / "job")
    assert Path(bye).read_text() == "byebye"


def test_cancel_kills_a_tree_that_ignores_sigterm_after_the_grace(tmp_path: Path) -> None:
    path = str(tmp_path / "grandchild")
    code = GRANDCHILD.format(path=path, setup="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    processes.spawn([*PYTHON, code], folder=tmp_path / "job")
    grandchild = pid_in(Path(path))
    began = time.monotonic()
    record = processes.cancel(tmp_path / "job", grace_s=0.5)
    assert 0.4 < time.monotonic() - began < 1.5
    assert not processes.is_alive(grandchild)
    assert record is not None
    assert (record.signal, record.reason) == (9, "cancelled")


def test_what_a_finished_command_left_running_is_ended_too(tmp_path: Path) -> None:
    path = str(tmp_path / "grandchild")
    code = GRANDCHILD.format(path=path, setup="").rsplit("time.sleep", 1)[0]
    processes.spawn([*PYTHON, code], folder=tmp_path / "job")
    record = processes.wait_for_exit(tmp_path / "job", 10)
    assert record is not None
    assert (record.code, record.reason) == (0, "exited")
    assert processes.marked("MLOPS_JOB_MARK", _mark(tmp_path / "job")) == []


def test_a_killed_shim_takes_its_child_along_and_the_sweep_finds_the_rest(tmp_path: Path) -> None:
    path = str(tmp_path / "grandchild")
    shim = processes.spawn([*PYTHON, GRANDCHILD.format(path=path, setup="")], folder=tmp_path / "job")
    grandchild = pid_in(Path(path))
    child = processes.child_identity(tmp_path / "job")
    assert child is not None
    os.kill(shim.pid, signal.SIGKILL)
    assert processes.wait(child, 5)
    record = processes.exit_record(tmp_path / "job")
    assert record is not None
    assert record.reason == "lost"
    assert processes.is_alive(grandchild)
    processes.cancel(tmp_path / "job")
    assert not processes.is_alive(grandchild)


def test_a_time_limit_ends_the_tree(tmp_path: Path) -> None:
    processes.spawn([*PYTHON, "import time; time.sleep(60)"], folder=tmp_path, timeout_s=0.3)
    record = processes.wait_for_exit(tmp_path, 10)
    assert record is not None
    assert record.reason == "timeout"


def test_a_memory_limit_ends_the_tree(tmp_path: Path) -> None:
    code = "import time; block = bytearray(b'x') * (80 << 20); time.sleep(60)"
    processes.spawn([*PYTHON, code], folder=tmp_path, memory_bytes=50 << 20)
    record = processes.wait_for_exit(tmp_path, 10)
    assert record is not None
    assert record.reason == "memory"
    assert record.peak_bytes > 50 << 20


def test_a_flood_of_output_keeps_its_newest_part_within_the_allowance(tmp_path: Path) -> None:
    code = "import sys\nfor i in range(20000): sys.stdout.write(f'line {i:06d}\\n')"
    processes.spawn([*PYTHON, code], folder=tmp_path, log_bytes=100_000)
    assert processes.wait_for_exit(tmp_path, 10)
    kept = (tmp_path / "log.old.txt").read_text() + (tmp_path / "log.txt").read_text()
    assert len(kept) <= 180_000  # of 240,000 written: the log is cut between two looks at it, later on a busy machine
    assert kept.endswith("line 019999\n")


def test_a_reused_pid_is_another_process() -> None:
    me = processes.identity()
    assert processes.is_alive(me)
    assert not processes.is_alive(processes.Identity(me.pid, me.started - 1, me.boot))
    assert not processes.is_alive(processes.Identity(me.pid, me.started, "another boot"))
    with pytest.raises(ProcessLookupError):
        processes.identity(2**22 + 1)


def test_an_identity_file_comes_back_whole_and_a_damaged_one_as_none(tmp_path: Path) -> None:
    me = processes.identity()
    processes.save_identity(tmp_path / "me.json", me, port=1)
    assert processes.load_identity(tmp_path / "me.json") == me
    (tmp_path / "me.json").write_text("{")
    assert processes.load_identity(tmp_path / "me.json") is None


def test_environment_reaches_the_command_but_not_the_files(tmp_path: Path) -> None:
    environment = {**os.environ, "SECRET": "s3cret-value"}
    processes.spawn([*PYTHON, "import os; print(len(os.environ['SECRET']))"], folder=tmp_path, env=environment)
    assert processes.wait_for_exit(tmp_path, 10)
    assert (tmp_path / "log.txt").read_text() == "12\n"
    assert all("s3cret-value" not in path.read_text() for path in tmp_path.iterdir())


def _mark(folder: Path) -> str:
    import json

    return str(json.loads((folder / "pid.json").read_text())["mark"])
