"""Pipelines in real job processes, with real training."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.forkserver import ForkServer
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DEFINITION = """
[pipeline]
name = "bikes"
[charter]
success = ["r2 >= 0.5", "latency_p95_ms <= 500", "riders find a bike"]
[data]
spine = "rides"
features = ["weather"]
target = "count"
[split]
by = "time"
[model]
task = "regression"
estimator = "sklearn.tree.DecisionTreeRegressor"
preprocess = "auto"
[model.params]
max_depth = 7
[evaluate]
primary = "rmse"
slices = ["kind"]
resamples = 200
[gate]
minimum = { r2 = 0.5 }
[deploy]
to = "production"
"""


@pytest.fixture
def bench(tmp_path):
    """A workbench on the real clock with 1,200 hours of rides and the weather to join."""
    with Workbench(Workspace.create(tmp_path / "project"), actor="tester") as bench:
        generator = np.random.default_rng(0)
        at = pd.date_range("2026-01-01", periods=1200, freq="h", tz="UTC")
        temp = 10 + 8 * np.sin(np.arange(1200) / 50) + generator.normal(size=1200)
        kind = np.where(at.day_of_week >= 5, "weekend", "workday")
        count = np.round(20 + 3 * temp + 30 * (kind == "weekend") + generator.normal(size=1200) * 2)
        weather = pd.DataFrame({"station": "a", "at": at, "temp": temp, "kind": kind, "wet": temp < 8, "since": at})
        weather.loc[::50, "temp"] = np.nan
        weather.loc[::70, "kind"] = None
        bench.features.create("weather", ["station"], time="at")
        bench.features.create("rides", ["station"], time="at")
        bench.features.ingest("weather", weather)
        bench.features.ingest("rides", pd.DataFrame({"station": "a", "at": at, "count": count}).iloc[:1000])
        (bench.workspace.pipelines / "bikes.toml").write_text(DEFINITION)
        yield bench


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Libraries are loaded once for these tests, as a daemon does; the last test starts its job without."""
    server = ForkServer(tmp_path_factory.mktemp("warm"))
    yield server
    server.close()


@pytest.fixture
def run(bench, server):
    def run_(text=None):
        if text is not None:
            (bench.workspace.pipelines / "bikes.toml").write_text(text)
        job = bench.jobs.run_here(bench.pipelines.run("bikes"), fork=server.carry_out)
        job = bench.jobs.wait(job.id, start=True)
        return job, bench.pipelines.run_of_job(job)

    return run_


def test_the_whole_way_from_tables_to_a_deployed_champion_and_a_gate_that_compares_with_it(bench, run):
    job, first = run()
    assert job.state == "succeeded", bench.jobs.log_path(job.id).read_text()
    assert (first.state, first.version, first.verdict.outcome) == ("succeeded", "bikes/1", "blessed")
    champion = bench.registry.version("bikes@champion")
    assert champion.snapshots == ["rides@1", "weather@1"]
    assert [item["name"] for item in champion.signature["inputs"]] == ["temp", "kind", "wet", "since"]
    assert champion.metrics["r2"] > 0.5
    assert bench.serving.get("bikes").versions[0].version == 1
    assert [item.kind for item in bench.registry.lineage("bikes/1")][:3] == ["run", "snapshot", "snapshot"]
    profile = bench.registry.profile("bikes/1")
    assert profile["rows"] == 850
    assert profile["baseline"]["rows"] == 150
    bench.experiments.take_in()
    assert bench.experiments.metrics(first.run_id)["rmse"].value == pytest.approx(champion.metrics["rmse"])
    assert {item.path for item in bench.experiments.artifacts(first.run_id)} == {
        "pipeline.toml",
        "report.json",
        "examples.csv",
        "verdict.json",
    }
    assert not list(bench.pipelines.folder(first.id).glob("*.parquet"))

    # The same model again is not worse, so it is blessed on the same rows; a stump is.
    _, again = run()
    compared = next(check for check in again.verdict.checks if check.name == "not worse than bikes/1")
    assert (compared.value, compared.passed, again.version) == (0.0, True, "bikes/2")
    _, worse = run(DEFINITION.replace("max_depth = 7", "max_depth = 1").replace("minimum = { r2 = 0.5 }", ""))
    assert (worse.state, worse.version) == ("blocked", "")
    assert bench.registry.version("bikes@champion").version == 2
    assert len(bench.registry.versions("bikes")) == 2
    assert bench.audit.verify().ok


def test_a_refitted_champion_is_compared_only_on_rows_it_has_not_learned_from(bench, run):
    text = DEFINITION.replace('preprocess = "auto"', 'preprocess = "auto"\nrefit = true')
    _, first = run(text)
    champion = bench.registry.version("bikes@champion")
    at = pd.date_range("2026-01-01", periods=1200, freq="h", tz="UTC")
    assert champion.tags["learned_until"] == at[999].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert bench.registry.profile("bikes/1")["baseline"]["rows"] == 150  # errors of rows it had not seen when judged
    bench.features.ingest(
        "rides", pd.DataFrame({"station": "a", "at": at, "count": 50.0 + np.arange(1200) % 7}).iloc[1000:]
    )
    _, second = run(text)
    (compared,) = [check for check in second.verdict.checks if check.name == f"not worse than {champion.ref}"]
    assert compared.rows == 180  # 15 % of 1,200, all of them newer than what the champion has seen
    assert first.version == "bikes/1"


def test_a_classification_with_a_search_and_code_of_the_project(bench, run):
    folder = bench.workspace.project / "steps"
    folder.mkdir()
    (folder / "prep.py").write_text(
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "from sklearn.impute import SimpleImputer\n"
        "from sklearn.pipeline import make_pipeline\n"
        "class Numbers(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, rows, target=None):\n"
        "        self.fitted_ = True\n"
        "        return self\n"
        "    def transform(self, rows):\n"
        "        return rows[['temp']]\n"
        "def build():\n"
        "    return make_pipeline(Numbers(), SimpleImputer())\n"
        "def busy(frame):\n"
        "    return frame.assign(busy=(frame['count'] > frame['count'].median()).map({True: 'yes', False: 'no'}))\n"
    )
    bench.features.create("days", ["station"], time="at")
    frame = bench.features.join(bench.features.frame("rides"), ["weather"], time="at")
    frame["busy"] = np.where(frame["count"] > frame["count"].median(), "yes", "no")
    bench.features.ingest("days", frame.drop(columns=["count"]))
    text = """
[pipeline]
name = "bikes"
[data]
spine = "days"
target = "busy"
drop = ["since"]
[split]
by = "stratified"
[model]
task = "classification"
estimator = "sklearn.tree.DecisionTreeClassifier"
preprocess = "steps/prep.py:build"
[tune]
method = "random"
trials = 3
cv = 2
[tune.space]
max_depth = { low = 2, high = 6 }
[evaluate]
metrics = ["roc_auc", "f1", "log_loss", "brier"]
resamples = 100
"""
    job, done = run(text)
    assert job.state == "succeeded", bench.jobs.log_path(job.id).read_text()
    version = bench.registry.version(done.version)
    assert version.signature["labels"] == ["no", "yes"]
    assert version.metrics["roc_auc"] > 0.7
    assert "3 trials" in done.steps[4].detail
    # The project's class travels inside the package: this process never imported its file.
    answer = bench.registry.load(done.version).predict(frame[["temp", "kind", "wet"]].head(3))
    assert set(answer) <= {"yes", "no"}


def test_kill_9_of_the_job_in_a_step_leaves_a_lost_run_an_untouched_registry_and_no_process(bench):
    (bench.workspace.project / "slow.py").write_text(
        "import time\ndef run(frame):\n    time.sleep(60)\n    return frame\n"
    )
    text = DEFINITION + '\n[[steps]]\nname = "wait"\nuses = "slow.py:run"\n'
    (bench.workspace.pipelines / "bikes.toml").write_text(text)
    job = bench.jobs.run_here(bench.pipelines.run("bikes"))
    child = step_child(bench, job)
    os.kill(bench.jobs.get(job.id).pid, signal.SIGKILL)
    ended = bench.jobs.wait(job.id, 30)
    run = bench.pipelines.run_of_job(ended)
    assert run.state in ("failed", "lost")
    assert [(step.name, str(step.state)) for step in run.steps[:2]] == [("load", "succeeded"), ("wait", "failed")]
    assert {step.state for step in run.steps[2:]} == {"skipped"}
    assert bench.registry.models() == []
    assert bench.experiments.run(run.run_id).state in ("crashed", "failed")
    wait_until(lambda: not Path(f"/proc/{child}").exists())


def step_child(bench, job):
    """The pid of the step's process, once the step works."""

    def found():
        pid = bench.jobs.get(job.id).pid
        run = bench.pipelines.run_of_job(job)
        if pid is None or not any(step.state == "running" and step.name == "wait" for step in run.steps):
            return None
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    return wait_until(found)


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("it never came true")
