"""An application over a filled workspace that stands still, waiting for it, and text snapshots of its screen."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from textual.pilot import Pilot
from textual.screen import Screen

from mlops_tui.core import ids
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments import environment
from mlops_tui.domains.hardware.parts import Detail
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import Driver
from mlops_tui.domains.hardware.service import Hardware
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Source, Versions
from mlops_tui.tui.stylesheet import SteadySheet
from mlops_tui.workbench import Workbench

from .filling import NOW, READING, RUNNING, build

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "MLOPS_UPDATE_SNAPSHOTS"


@pytest.fixture(scope="session")
def _frozen() -> Iterator[None]:
    """Ids in a row, one time zone, nothing of this machine: what is drawn must not depend on where and when."""
    counter = itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr(ids, "new_id", lambda: f"{next(counter) * 0x9E3779B97F4A7C15 % 2**64:016x}")
        found = environment.Environment(
            "train.py", "python train.py", "3.11.7", "ana", "desk", environment.Git("c0ffee" * 6)
        )
        patch.setattr(environment, "capture", lambda folder: found)
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting costs what there is to wait for.

    Textual's pilot takes a process for idle that used under 1 ms of CPU in 20 ms, and else waits for a second; here
    the event loop is idle when nothing is ready in it (or always is: a watchdog). The pause before details are read is for fingers.
    What changes before that is painted in one picture, as on a slow terminal, and a mistake in it fails the test that waits.
    """
    owed: dict[Screen[Any], None] = {}
    paint = Screen._compositor_refresh

    def owe(screen: Screen[Any]) -> None:
        if screen is not screen.app.screen or screen.app.is_inline:
            paint(screen)
            return
        owed[screen] = None
        screen._dirty_widgets.clear()  # the compositor has noted where they are
        screen.app._update_mouse_over(screen)

    async def idle(min_sleep: float = 0, max_sleep: float = 1) -> None:
        loop, quiet, end = asyncio.get_running_loop(), 0, time.monotonic() + 0.1
        while quiet < 2 and time.monotonic() < end:
            await asyncio.sleep(0.003)
            quiet = 0 if loop._ready else quiet + 1  # type: ignore[attr-defined]
        settle_up()

    def settle_up() -> None:
        while owed:
            screen, _ = owed.popitem()
            if screen.is_running:
                paint(screen)

    pause = Pilot.pause

    async def paused(pilot: Pilot[Any], delay: float | None = None) -> None:
        await pause(pilot, delay)
        settle_up()

    monkeypatch.setattr(Pilot, "pause", paused)
    monkeypatch.setattr(Screen, "_compositor_refresh", owe)
    monkeypatch.setattr("textual.pilot.wait_for_idle", idle)
    monkeypatch.setattr("textual.app.wait_for_idle", idle)
    monkeypatch.setattr("mlops_tui.tui.screens.frame.DETAIL_DELAY_S", 0.002)


@pytest.fixture(autouse=True)
def _fewer_collections() -> Iterator[None]:
    """An application is some 50,000 objects that live as long as a test; the collector need not go through them all the while."""
    before = gc.get_threshold()
    gc.set_threshold(300_000, 20, 20)
    yield
    gc.set_threshold(*before)


@pytest.fixture(scope="session")
def _parsed() -> dict[Any, Any]:
    """Parsed style sheets by their variables and text."""
    return {}


@pytest.fixture(autouse=True)
def _parsed_once(monkeypatch: pytest.MonkeyPatch, _parsed: dict[Any, Any]) -> None:
    """The style sheets are the same in every test."""
    start = SteadySheet.__init__

    def shared(sheet: SteadySheet, variables: dict[str, str]) -> None:
        start(sheet, variables)
        sheet._parse_cache = _parsed.setdefault(tuple(sorted(variables.items())), sheet._parse_cache)

    monkeypatch.setattr(SteadySheet, "__init__", shared)


SEEN = Detail(
    1,
    "/usr/bin/python",
    "/home/ana",
    12.5,
    1.5,
    5 * 2**30,
    2**20,
    3 * 2**20,
    2**21,
    17,
    4,
    1234,
    "/dev/pts/1",
    {"LANG": "C"},
)


@pytest.fixture(autouse=True)
def _other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes and no GPU: those of this machine are not the same twice."""
    monkeypatch.setattr(Probe, "processes", lambda self, now=0: list(RUNNING))
    monkeypatch.setattr(Probe, "gpus", lambda self: (Driver.NO_DRIVER, ()))
    monkeypatch.setattr(Hardware, "closely", lambda self, pid, environment=False: SEEN)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, _frozen: None) -> Path:
    """The project folder of a filled workspace, built once; tests get copies."""
    project = tmp_path_factory.mktemp("demo") / "bikes"
    build(Workspace.create(project))
    return project


@pytest.fixture
def filled(demo: Path, tmp_path: Path) -> Workspace:
    """A copy of the filled workspace that a test may change."""
    project = tmp_path / "bikes"
    shutil.copytree(demo, project)
    return Workspace.find(project / "storage")


@pytest.fixture
def blank(tmp_path: Path) -> Workspace:
    """A workspace with nothing in it."""
    return Workspace.create(tmp_path / "empty")


def source_of(workspace: Workspace) -> Source:
    """Workbenches on the workspace at the time of the snapshots."""
    return Source(lambda: Workbench(workspace, actor="ana", now=lambda: NOW), now=lambda: NOW)


Open = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]


@pytest.fixture
def open_app() -> Open:
    """Start the application without its background threads: `async with open_app(workspace, "registry") as pilot`."""

    @asynccontextmanager
    async def start(
        workspace: Workspace,
        desk: str = "overview",
        size: tuple[int, int] = (80, 24),
        daemon: bool | None = True,
        **options: Any,
    ) -> AsyncIterator[Pilot[Any]]:
        app = MlopsApp(source_of(workspace), project=workspace.project.name, screen=desk, watch=False, **options)
        app.animation_level = "none"
        async with app.run_test(size=size, notifications=True) as pilot:
            app.post_message(MlopsApp.Changed(Versions(1, 1, 1, daemon)))
            app.post_message(MlopsApp.Sampled((READING,) * 3))
            await settle(pilot)
            yield pilot

    return start


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until every worker has answered and every answer is on screen: three times in a row nothing was left to wait for."""
    quiet = 0
    while quiet < 3:
        await pilot.pause()
        busy = [worker for worker in pilot.app.workers if not worker.is_finished]
        await asyncio.gather(*(worker.wait() for worker in busy), return_exceptions=True)
        quiet = 0 if busy else quiet + 1
        await pilot.pause(0.01)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys as a person does, who sees what each brings before the next, and wait for what they cause."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause(0.01)  # what a key brings may wait for a short timer before a worker fetches it
        if any(not worker.is_finished for worker in pilot.app.workers):
            await settle(pilot)
    await settle(pilot)


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait for what a worker brings about, however busy the machine is."""
    for _ in range(200):
        if holds():
            return
        await settle(pilot)
        await pilot.pause(0.02)
    pytest.fail("it did not come about")


def desk_of(pilot: Pilot[Any]) -> Desk:
    """The desk on screen."""
    app = pilot.app
    assert isinstance(app, MlopsApp)
    desk = app.base_desk
    assert isinstance(desk, Desk)
    return desk


def text_of(pilot: Pilot[Any]) -> str:
    """What the terminal shows, as plain text without trailing spaces."""
    app = pilot.app
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, record=True, legacy_windows=False
    )
    console.print(app.screen._compositor.render_update(full=True, screen_stack=app._background_screens))
    return "\n".join(row.rstrip() for row in console.export_text(styles=False).splitlines()) + "\n"


Check = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[Pilot[Any], str], None]:
    """Compare the screen with the stored text exactly; MLOPS_UPDATE_SNAPSHOTS=1 writes it anew."""

    def check(pilot: Pilot[Any], name: str) -> None:
        path = SNAPSHOTS / f"{name}.txt"
        seen = text_of(pilot)
        if os.environ.get(UPDATE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(seen, encoding="utf-8")
        if not path.exists():
            pytest.fail(f"No snapshot {path.name}. Look at the screen, then write it: {UPDATE}=1 pytest tests/tui")
        assert seen == path.read_text(encoding="utf-8"), f"{name} looks different; if that is meant: {UPDATE}=1"

    return check
