"""The watcher of the workspace: how often it looks, what it says, and what an error keeps."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import Unavailable
from mlops_tui.tui.state import Backoff, Failure, Source, Versions, Watch


class Bench:
    """A workspace whose counters and daemon a test sets."""

    def __init__(self) -> None:
        self.counters = (1, 1, 1)
        self.alive = True
        self.looks = 0

    def changed(self) -> tuple[int, int, int]:
        return self.counters

    def daemon_alive(self) -> bool:
        self.looks += 1
        return self.alive

    def close(self) -> None:
        """Nothing is open."""


def watch(bench: Bench) -> tuple[Watch, list[Versions]]:
    told: list[Versions] = []
    opened: Any = lambda: bench  # noqa: E731
    return Watch(Source(opened, now=lambda: 5000), told.append), told


def look(watch: Watch, bench: Any, at: float) -> Versions:
    seen = watch.look(bench, at)
    watch._tell(seen)
    return seen


def test_tries_come_one_to_thirty_seconds_apart() -> None:
    backoff = Backoff()
    assert [backoff.step() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.step() == 1


def test_a_missing_daemon_is_looked_for_less_and_less_often_and_since_when_is_known() -> None:
    bench = Bench()
    bench.alive = False
    watcher, told = watch(bench)
    looks = []
    for second in range(100):
        before = bench.looks
        look(watcher, bench, float(second))
        if bench.looks > before:
            looks.append(second)
    assert looks == [0, 1, 3, 7, 15, 31, 61, 91]
    assert told == [Versions(1, 1, 1, False, 5000)]  # said once: an idle terminal gets no bytes


def test_a_write_to_the_workspace_is_a_reason_to_look_at_once() -> None:
    bench = Bench()
    bench.alive = False
    watcher, _ = watch(bench)
    for second in (0.0, 1.0, 3.0, 7.0):
        look(watcher, bench, second)
    bench.alive, bench.counters = True, (2, 1, 1)
    assert look(watcher, bench, 8.0) == Versions(2, 1, 1, True, None)


def test_a_running_daemon_is_looked_for_every_two_seconds() -> None:
    bench = Bench()
    watcher, _ = watch(bench)
    for tenth in range(100):
        look(watcher, bench, tenth / 10)
    assert bench.looks == 5


def test_an_error_keeps_its_traceback_for_the_details() -> None:
    def broken(bench: Any) -> None:
        raise Unavailable("The disk is away.", hint="Mount it.")

    bench: Any = Bench()
    failure = Source(lambda: bench).attempt(broken)
    assert isinstance(failure, Failure)
    assert (failure.message, failure.hint) == ("The disk is away.", "Mount it.")
    assert "in broken" in failure.details
