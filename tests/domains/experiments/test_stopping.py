"""Stopping the process of a run from elsewhere: only that very process, and a sentence when it cannot be."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket

import pytest

from mlops_tui.core import clock
from mlops_tui.core.errors import NotAllowed, Unavailable
from mlops_tui.domains.experiments import stopping
from mlops_tui.domains.experiments.records import Run, RunState


@pytest.fixture
def run() -> Run:
    """A run of this very process."""
    return Run("a" * 16, "churn", "one", RunState.RUNNING, clock.now_ms(), None, None, "ana", socket.gethostname(), "", "", "", "", "",
               False, "", "", os.getpid())  # fmt: skip


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that would have been sent."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, what: found.append((pid, what)))
    return found


@pytest.mark.parametrize(("deaf", "what"), [(False, signal.SIGINT), (True, signal.SIGTERM)])
def test_the_process_of_the_run_is_interrupted_or_terminated_where_it_ignores_that(
    run: Run, sent: list[tuple[int, int]], deaf: bool, what: signal.Signals
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if deaf else signal.default_int_handler)
    try:
        stopping.interrupt(run)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sent == [(os.getpid(), what)]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": RunState.FINISHED}, NotAllowed),
        ({"pid": 0}, NotAllowed),
        ({"host": "another-machine"}, NotAllowed),
        ({"pid": 2**22 + 1}, Unavailable),
        ({"started_at": 1_000}, Unavailable),  # the number belongs to a process that began after the run
    ],
)
def test_no_other_process_is_ever_touched(
    run: Run, sent: list[tuple[int, int]], changes: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        stopping.interrupt(dataclasses.replace(run, **changes))  # type: ignore[arg-type]
    assert sent == []
