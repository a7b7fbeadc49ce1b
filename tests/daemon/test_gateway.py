from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from mlops_tui.core import processes
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon.control import gateway_path, status
from mlops_tui.daemon.gateway import MODULE, TRACKING, Gateway

LOG = logging.getLogger("test")
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)", MODULE]


def until(step: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not step():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def gateway(workspace: Workspace):
    made = Gateway(workspace, LOG, lambda: True, command=SLEEPER)
    yield made
    made.stop()


def test_it_starts_when_wanted_and_ends_when_not(workspace: Workspace) -> None:
    wanted = True
    gateway = Gateway(workspace, LOG, lambda: wanted, command=SLEEPER)
    gateway.step()
    pid = status(workspace).gateway_pid
    assert pid is not None
    gateway.step()
    assert status(workspace).gateway_pid == pid
    wanted = False
    gateway.step()
    assert status(workspace).gateway_pid is None
    assert not gateway_path(workspace).exists()


def test_another_daemon_adopts_it_by_its_file_or_by_its_mark(workspace: Workspace, gateway: Gateway) -> None:
    gateway.step()
    pid = status(workspace).gateway_pid
    second = Gateway(workspace, LOG, lambda: True, command=SLEEPER)
    second.step()
    assert status(workspace).gateway_pid == pid
    gateway_path(workspace).unlink()  # killed before it could write the identity down
    third = Gateway(workspace, LOG, lambda: True, command=SLEEPER)
    third.step()
    assert status(workspace).gateway_pid == pid


def test_a_dead_one_is_started_again_after_a_growing_pause(workspace: Workspace, gateway: Gateway) -> None:
    gateway.step()
    first = status(workspace).gateway_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    processes.wait(processes.Identity(first, 0, ""), 5)
    until(lambda: status(workspace).gateway_pid is None)
    gateway.step()
    assert status(workspace).gateway_pid is None  # not at once
    until(lambda: (gateway.step(), status(workspace).gateway_pid)[1])
    assert status(workspace).gateway_pid != first


def test_none_is_started_beside_one_that_someone_runs_by_hand(workspace: Workspace) -> None:
    gateway = Gateway(workspace, LOG, lambda: True, foreign=lambda: True, command=SLEEPER)
    gateway.step()
    assert status(workspace).gateway_pid is None


def test_its_last_words_are_in_the_log(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    command = [sys.executable, "-c", "raise SystemExit('port 8080 is in use')"]
    gateway = Gateway(workspace, LOG, lambda: True, command=command)
    until(lambda: (gateway.step(), "port 8080 is in use" in caplog.text)[1])


def test_the_tracking_server_is_kept_alive_beside_the_gateway(workspace: Workspace, gateway: Gateway) -> None:
    wanted = True
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", TRACKING.module]
    tracking = Gateway(workspace, LOG, lambda: wanted, command=sleeper, kind=TRACKING)
    gateway.step()
    tracking.step()
    first = processes.load_identity(gateway_path(workspace, "tracking"))
    assert first is not None
    assert first.pid != status(workspace).gateway_pid
    until(
        lambda: TRACKING.module in processes.command_line(first)
    )  # the kernel sets it a moment after the start is known
    gateway_path(workspace, "tracking").unlink()  # killed before it could write the identity down
    second = Gateway(workspace, LOG, lambda: wanted, command=sleeper, kind=TRACKING)
    second.step()
    assert processes.load_identity(gateway_path(workspace, "tracking")) == first
    wanted = False
    second.step()
    assert processes.load_identity(gateway_path(workspace, "tracking")) is None
    assert status(workspace).gateway_pid is not None
    tracking.stop()
