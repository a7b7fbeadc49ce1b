"""The filled workspace of the tests: the life of one model, built through the services."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from mlops_tui.core.identity import identity
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.domains.hardware.records import Driver, Limits, Process, Reading
from mlops_tui.domains.monitoring.measure_store import MeasureStore
from mlops_tui.domains.monitoring.measured import Gap, Group, Labels, Measure, Slice, Standing, Stretch
from mlops_tui.domains.serving.log import prediction_record
from mlops_tui.domains.serving.records import Interval
from mlops_tui.workbench import Workbench

NOW = 1_760_000_000_000
HOUR, MINUTE = 3_600_000, 60_000


class Ticks:
    """A clock the builder winds by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


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
