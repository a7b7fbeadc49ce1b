from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_tui.core import processes
from mlops_tui.core.forkserver import LOST, REFUSED
from mlops_tui.daemon.launcher import Launcher
from mlops_tui.workbench import Workbench


class FakeServer:
    """Takes orders; what becomes of them, the test says."""

    def __init__(self) -> None:
        self.is_open, self.pid = False, None
        self.orders: list[tuple[Path, bool]] = []
        self.failed: list[tuple[Path, str]] = []
        self.waiting: set[Path] = set()

    def order(self, folder: Path, *, keep: bool) -> None:
        self.is_open = True
        self.orders.append((folder, keep))
        self.waiting.add(folder)

    def open(self) -> None:
        self.is_open = True

    def look(self) -> list[tuple[Path, str]]:
        failed, self.failed = self.failed, []
        return failed

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of jobs that were started each by itself."""
    found: list[Path] = []
    monkeypatch.setattr(processes, "spawn", lambda command, *, folder, **options: found.append(folder))
    return found


@pytest.fixture
def launcher(workbench: Workbench) -> Iterator[Launcher]:
    launcher = Launcher(workbench, logging.getLogger("test"), idle_s=60)
    launcher._server = FakeServer()  # type: ignore[assignment]
    yield launcher
    launcher.close()


def launch(launcher: Launcher, workbench: Workbench, kind: str) -> Path:
    workbench.jobs.submit(kind, kind, {}, retries=0)
    (job,) = workbench.jobs.claim()
    launcher.launch(job)
    return workbench.jobs.folder(job)


def test_a_pipeline_opens_the_warm_process_which_others_use_but_do_not_keep(launcher, workbench, spawned) -> None:
    monitor = launch(launcher, workbench, "monitor")
    assert spawned == [monitor], "no reason to load libraries for good"
    pipeline = launch(launcher, workbench, "pipeline")
    other = launch(launcher, workbench, "monitor")
    command = launch(launcher, workbench, "command")
    assert launcher._server.orders == [(pipeline, True), (other, False)]
    assert spawned == [monitor, command]
    assert (pipeline / "spec.json").exists()


def test_with_nothing_kept_warm_each_job_starts_by_itself(workbench, spawned) -> None:
    launcher = Launcher(workbench, logging.getLogger("test"), idle_s=0)
    assert spawned == [launch(launcher, workbench, "pipeline")]


def test_an_order_that_was_refused_is_given_again_with_the_same_attempt(launcher, workbench, spawned) -> None:
    folder = launch(launcher, workbench, "pipeline")
    launcher._server.failed = [(folder, REFUSED)]
    launcher.look()
    assert [order for order, _ in launcher._server.orders] == [folder, folder]
    assert [(job.state, job.attempt) for job in workbench.jobs.list()] == [("claimed", 1)]


def test_a_job_whose_order_was_lost_waits_again_and_its_late_child_is_refused(launcher, workbench, spawned) -> None:
    folder = launch(launcher, workbench, "pipeline")
    launcher._server.failed = [(folder, LOST)]
    launcher.look()
    (job,) = workbench.jobs.list()
    assert (job.state, job.attempt) == ("queued", 1)
    assert not workbench.jobs.begin(job.id, 1, processes.identity())
    (job,) = workbench.jobs.claim()
    launcher.launch(job)
    assert spawned == [workbench.jobs.folder(job)], "one by one for a while"


def test_a_job_that_began_all_the_same_goes_on_when_its_order_is_called_lost(launcher, workbench, spawned) -> None:
    folder = launch(launcher, workbench, "pipeline")
    (job,) = workbench.jobs.list()
    assert workbench.jobs.begin(job.id, 1, processes.identity())
    launcher._server.failed = [(folder, LOST)]
    launcher.look()
    assert workbench.jobs.get(job.id).state == "running"
