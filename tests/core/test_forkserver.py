"""The side of those who order: the test plays the warm process. The real one is in tests/e2e/test_warm.py."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_tui.core import processes
from mlops_tui.core.forkserver import LOST, MARK_PLACE, PLACE, REFUSED, ForkServer


class Double:
    """The other side of a server's socket, played by the test."""

    def __init__(self, server: ForkServer) -> None:
        ours, self.socket = socket.socketpair()
        ours.setblocking(False)
        server._socket, server._opened = ours, float("inf")

    def says(self, **line: str) -> None:
        self.socket.send(json.dumps(line).encode() + b"\n")

    def heard(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.socket.recv(65536).splitlines()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    server = ForkServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def opened(server: ForkServer) -> Iterator[Callable[[], Double]]:
    doubles: list[Double] = []

    def open_() -> Double:
        doubles.append(Double(server))
        return doubles[-1]

    yield open_
    for double in doubles:
        double.socket.close()


def test_orders_are_sent_at_once_and_forgotten_when_they_were_started(
    server: ForkServer, opened: Callable[[], Double], tmp_path: Path
) -> None:
    double = opened()
    server.order(tmp_path / "a")
    server.order(tmp_path / "b", keep=False)
    assert double.heard() == [
        {"folder": str(tmp_path / "a"), "keep": True},
        {"folder": str(tmp_path / "b"), "keep": False},
    ]
    double.says(ready="")
    double.says(started=str(tmp_path / "a"))
    assert server.look() == []
    assert server.waiting == {tmp_path / "b"}


def test_an_answer_in_two_pieces_is_one_answer(
    server: ForkServer, opened: Callable[[], Double], tmp_path: Path
) -> None:
    double = opened()
    server.order(tmp_path)
    line = json.dumps({"started": str(tmp_path)}).encode() + b"\n"
    for piece in (line[:7], line[7:]):
        assert server.waiting == {tmp_path}
        double.socket.send(piece)
        assert server.look() == []
    assert server.waiting == set()


def test_what_waits_is_refused_by_a_server_that_is_out_of_date_and_lost_with_one_that_died(
    server: ForkServer, opened: Callable[[], Double], tmp_path: Path
) -> None:
    double = opened()
    server.order(tmp_path)
    double.says(stale="")
    assert server.look() == [(tmp_path, REFUSED)]
    assert not server.is_open
    double = opened()
    server.order(tmp_path)
    double.socket.close()
    assert server.look() == [(tmp_path, LOST)]
    assert not server.is_open


def test_an_order_that_came_to_no_shim_is_lost_and_the_server_goes_on(
    server: ForkServer, opened: Callable[[], Double], tmp_path: Path
) -> None:
    double = opened()
    server.order(tmp_path)
    double.says(failed=str(tmp_path))
    assert server.look() == [(tmp_path, LOST)]
    assert server.is_open


def test_a_server_that_is_never_ready_is_given_up(
    server: ForkServer, opened: Callable[[], Double], tmp_path: Path
) -> None:
    double = opened()
    server.order(tmp_path)
    assert server.look() == []
    server._opened = float("-inf")
    assert server.look() == [(tmp_path, LOST)]
    assert double.socket.recv(65536)
    assert double.socket.recv(1) == b""


RELABELLED = f"""
import os, sys
from mlops_tui.core import relabel
assert not relabel.environment("1" * 31 + "2", "3" * 32)
assert not relabel.environment({MARK_PLACE!r}, "short")
assert relabel.environment({MARK_PLACE!r}, "f" * 32)
assert relabel.arguments(sys.argv[1], "12/1")
if os.fork() == 0:
    sys.stdout.write(open("/proc/self/environ").read() + "\\n" + open("/proc/self/cmdline").read().rstrip("\\0").split("\\0")[-1])
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def test_a_forked_process_shows_the_mark_and_the_name_that_were_filled_in(tmp_path: Path) -> None:
    environment = processes.package_environment() | {"MARK": MARK_PLACE}
    command = [sys.executable, "-c", RELABELLED, PLACE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    shown, _, argument = done.stdout.rpartition("\n")
    assert f"\0MARK={'f' * 32}\0" in f"\0{shown}"
    assert argument == "12/1"
