"""Fixtures every test may use: a workspace on disk and a workbench over it with a clock that stands still."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry import aside, aside_child
from mlops_tui.workbench import Workbench

# The suite tries the same examples every time, so that what passed here passes there; MLOPS_TEST_SEARCH=1 looks for new ones.
hypothesis.settings.register_profile("suite", derandomize=not os.environ.get("MLOPS_TEST_SEARCH"), deadline=None)
hypothesis.settings.load_profile("suite")

# Files of tests lie in memory where there is room for them: SQLite waits for the disk at each commit, and a busy disk doubles the
# time of the suite. What the tests kill are processes, not machines, so a disk would show nothing more.
MEMORY, ROOM = Path("/dev/shm"), 4 << 30
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@dataclasses.dataclass
class Clock:
    """Milliseconds since the epoch that move only when a test says so."""

    now: int = 1_760_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> None:
        self.now += ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "project")


@pytest.fixture
def workbench(workspace: Workspace, clock: Clock) -> Iterator[Workbench]:
    bench = Workbench(workspace, actor="tester", now=clock)
    yield bench
    bench.close()


@pytest.fixture
def asked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be asked of a model in a process of its own is asked in this one: it takes 1.5 s less."""
    monkeypatch.setattr(aside, "start", lambda room, project, timeout_s: aside_child.answer(room))
