"""A filled workspace built through the services, an application over it that stands still, and text snapshots of its screen."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import io
import itertools
import json
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
from mlops_tui.core.identity import identity
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments import environment
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import Driver, Limits, Process, Reading
from mlops_tui.domains.monitoring.measure_store import MeasureStore
from mlops_tui.domains.monitoring.measured import Gap, Group, Labels, Measure, Slice, Standing, Stretch
from mlops_tui.domains.serving.log import prediction_record
from mlops_tui.domains.serving.records import Interval
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Source, Versions
from mlops_tui.tui.stylesheet import SteadySheet
from mlops_tui.workbench import Workbench

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "MLOPS_UPDATE_SNAPSHOTS"
NOW = 1_760_000_000_000
HOUR, MINUTE = 3_600_000, 60_000


class Ticks:
    """A clock the builder winds by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


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


@pytest.fixture(autouse=True)
def _other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes and no GPU: those of this machine are not the same twice."""
    monkeypatch.setattr(Probe, "processes", lambda self, now=0: list(RUNNING))
    monkeypatch.setattr(Probe, "gpus", lambda self: (Driver.NO_DRIVER, ()))


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


def build(workspace: Workspace) -> None:
    """The life of one model: data, runs, versions, a deployment with traffic, alerts, jobs, a schedule."""
    clock = Ticks()
    with Workbench(workspace, actor="ana", now=clock) as bench:
        clock.now = NOW - 6 * HOUR
        _data(bench, workspace.project)
        _runs(bench, clock)
        _models(bench, workspace.project, clock)
        _serving(bench, clock)
        _pipelines(bench, clock)
        _measured(bench)
        clock.now = NOW - 20 * MINUTE
        first = bench.alerts.raise_alert("drift", "bikes", severity="warning", title="Temperature has moved",
                                         detail="PSI 0.31 is past 0.12.", facts={"psi": 0.31, "column": "temp"})  # fmt: skip
        bench.alerts.raise_alert("performance", "bikes", severity="critical", title="Errors of [bikes] grew by a third",
                                 detail="RMSLE 0.49, was 0.37.")  # fmt: skip
        bench.alerts.raise_alert(first.rule, first.subject, severity="warning", title=first.title, detail=first.detail)
        gone = bench.alerts.raise_alert(
            "latency", "bikes", severity="warning", title="Slow answers", detail="p95 800 ms"
        )
        bench.alerts.resolve(gone.id, "back to normal")


def _data(bench: Workbench, project: Path) -> None:
    bench.features.create("hours", ["station"], time="at", description="Hires per hour and station")
    rows = [f"{number % 5},2025-01-{1 + number // 24 % 28:02d}T{number % 24:02d}:00:00Z,{number % 17},{number % 30}.5"
            for number in range(400)]  # fmt: skip
    source = project / "hours.csv"
    source.write_text("station,at,hires,temp\n" + "\n".join(rows) + "\nx,not a time,1,2\n", encoding="utf-8")
    bench.features.ingest("hours", source, message="first load")
    bench.features.create("stations", ["station"], description="Where they are")
    bench.features.ingest("stations", [{"station": number, "docks": 10 + number} for number in range(5)])


def _runs(bench: Workbench, clock: Ticks) -> None:
    for number in range(4):
        clock.now = NOW - (5 - number) * HOUR
        run = bench.experiments.start("hire", name=f"boost-{number}", tags={"team": "city"}, source="train.py")
        writer = RunWriter(bench.workspace, run.id)
        writer.params({"max_depth": 4 + number, "rate": 0.1})
        writer.metrics([("rmsle", step, 0.9 / (1 + step / (5 + number))) for step in range(40)], at=clock.now)
        writer.close()
        bench.experiments.take_in()
        clock.now += 90_000
        if number < 3:
            bench.experiments.finish(
                run.id, "failed" if number == 1 else "finished", "out of memory" if number == 1 else ""
            )


def package(folder: Path, *, seed: int = 0) -> Path:
    """A model package that nobody will load."""
    folder.mkdir(parents=True)
    signature = {"task": "regression", "target": "hires", "labels": None, "frame": True,
                 "inputs": [{"name": "temp", "type": "float64"}, {"name": "hour", "type": "int64"}],
                 "outputs": [{"name": "prediction", "type": "float64"}]}  # fmt: skip
    (folder / "model.joblib").write_bytes(b"model" + bytes([seed]))
    (folder / "sample.parquet").write_bytes(b"sample")
    (folder / "signature.json").write_text(json.dumps(signature), encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "libraries": {}}), encoding="utf-8")
    return folder


def _models(bench: Workbench, project: Path, clock: Ticks) -> None:
    run = bench.experiments.runs("hire")[-1]
    for number in (1, 2, 3):
        clock.now = NOW - (4 - number) * HOUR
        bench.registry.register("hire", package(project / f"package-{number}", seed=number), run_id=run.id,
                                snapshots=["hours@1"], metrics={"rmsle": 0.5 - number / 50, "mae": 31.0 - number},
                                git_commit="c0ffee" * 6)  # fmt: skip
    bench.registry.promote("hire/1", why="the first")
    clock.now += MINUTE
    bench.registry.promote("hire/2", why="better by 0.02")
    bench.registry.set_alias("hire", "challenger", 3)


def _serving(bench: Workbench, clock: Ticks) -> None:
    clock.now = NOW - HOUR
    bench.serving.deploy("bikes", "hire/1")
    bench.serving.deploy("bikes", "hire/2")
    bench.serving.deploy("trial", "hire/3")
    bench.serving.stop("trial", "not now")
    histogram = [0] * 50
    histogram[12], histogram[20] = 9, 1
    bench.serving.record_traffic(
        [
            Interval(
                "bikes", 2, NOW - age * 15_000, 15_000, 10 + age % 7, 10 + age % 7, 0, age == 9, 40.0, tuple(histogram)
            )
            for age in range(1, 56)
        ]
    )
    writer = SegmentWriter(bench.workspace.segments, "predictions")
    for number in range(12):
        at = NOW - (12 - number) * 20_000
        writer.append(prediction_record(ids=[f"p{at:011x}{number:012x}"], at=at, deployment="bikes", model="hire", version=2,
                                        latency_ms=3.5 + number / 10, columns={"temp": [20.5], "hour": [number]},
                                        prediction=[120.0 + number]))  # fmt: skip
    writer.close()
    for age in range(30):
        at, busy = NOW - (29 - age) * 10_000, 20.0 + age % 9
        values = {
            "cpu_percent": busy,
            "memory_mb": 180.0 + age,
            "processes": 1.0,
            "threads": 4.0,
            "workers": 1.0,
            "restarts": 0.0,
        }
        bench.hardware.record_loads([("deployment bikes", at, {**values, "saturation": busy})])


def _measured(bench: Workbench) -> None:
    """How right the deployment was in three hours, with the groups of one column; labels of the last hour have not come."""
    stretches = []
    for hour in range(3):
        error = 24.0 + 3 * hour
        found = [
            Measure("mae", error, error - 2, error + 2, "normal", 400),
            Measure("r2", 0.9, 0.88, 0.92, "delta", 400),
        ]
        groups = [Group("station", level, 200, 150, [Measure("error", error + 4 * place, error, error + 8, "normal", 200)])
                  for place, level in enumerate(("1", "2"))]  # fmt: skip
        stretches.append(
            Stretch("bikes", 2, NOW - (4 - hour) * HOUR, NOW - (3 - hour) * HOUR, 400, Labels(400, 400 if hour < 2 else 0, HOUR),
                    found if hour < 2 else [], [Measure("mae", 24.5, 23.0, 26.0, "estimate", 400)], groups,
                    [Gap("station", "error", 4.0 + hour, 1.0, 7.0, "1", "2", 2)])
        )  # fmt: skip
    whole = dataclasses.replace(
        stretches[1], since=stretches[0].since, until=stretches[2].until, measured=1200, labels=Labels(1200, 800, HOUR)
    )
    weak = Slice("temp = 25 to 31", 90, Measure("mae", 35.0, 31.0, 39.0, "normal", 90), 24.0, 11.0, 6.0, 16.0, 0.004)
    store = MeasureStore(bench.context)
    store.put("mae", [(one, "") for one in stretches], [])
    store.put_standing(Standing(whole, "mae", 24.0, [weak], [], ["Measured on test rows."]), "", NOW)


PIPELINE = """
[pipeline]
name = "hire"
description = "Hires of the next hour"
[data]
spine = "hours"
features = ["stations"]
target = "hires"
[model]
task = "regression"
estimator = "sklearn.linear_model.Ridge"
[register]
model = "hire"
[deploy]
to = "production"
deployment = "bikes"
[[triggers]]
kind = "schedule"
cron = "0 3 * * *"
timezone = "UTC"
"""


def _pipelines(bench: Workbench, clock: Ticks) -> None:
    source = bench.workspace.project / "hire.toml"
    source.write_text(PIPELINE, encoding="utf-8")
    bench.pipelines.add(source)
    (bench.workspace.pipelines / "broken.toml").write_text(
        '[pipeline]\nname = "broken"\nowners = "x"\n', encoding="utf-8"
    )
    clock.now = NOW - 30 * MINUTE
    done = bench.jobs.submit("compact", "Compact the log", {})
    (claimed,) = bench.jobs.claim(1)
    bench.jobs.begin(claimed.id, claimed.attempt, identity())
    bench.jobs.finish(done.id, claimed.attempt, "failed", error="disk full")
    log = bench.jobs.log_path(done.id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"line {number}\n" for number in range(200)) + "disk full\n", encoding="utf-8")
    bench.pipelines.run("hire", cause={"kind": "manual", "by": "ana"})
    bench.schedules.sync()


READING = Reading(
    at=NOW, cpu=42.0, per_cpu=(30.0, 54.0, 80.0, 4.0), load=(1.5, 1.2, 1.0), memory_used=6 * 2**30, memory_total=16 * 2**30,
    swap_used=0, swap_total=0, disk_used=200 * 2**30, disk_total=500 * 2**30, disk_read=2e6, disk_write=1e5, net_in=3e4,
    net_out=2e3, limits=Limits(4, 4), driver=Driver.NO_DRIVER,
)  # fmt: skip


RUNNING = (
    Process(1, "systemd", "root", 0.1, 12 * 2**20, None, NOW - 6 * HOUR, "/sbin/init", 0, 1, 0, "sleeping"),
    Process(
        700,
        "python",
        "ana",
        97.0,
        3 * 2**30,
        4 * 2**30,
        NOW - HOUR,
        "python train.py",
        1,
        9,
        5,
        "running",
        "compute",
        80.0,
        (0,),
    ),
)


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
