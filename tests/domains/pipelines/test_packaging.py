from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, WorkbenchError
from mlops_tui.domains.pipelines import forking, lock
from mlops_tui.domains.pipelines.packages_store import archives
from mlops_tui.domains.pipelines.steps import gate as gate_step
from mlops_tui.domains.pipelines.steps import load as load_step

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")]

DEFINITION = """
[pipeline]
name = "bikes"
[data]
spine = "labels"
target = "count"
checks = "off"
[model]
task = "regression"
estimator = "sklearn.linear_model.LinearRegression"
[evaluate]
resamples = 100
[deploy]
to = "production"
[[triggers]]
kind = "schedule"
cron = "0 3 * * *"
[[steps]]
name = "warm"
uses = "steps/warm.py:run"
[[contracts]]
rows = 50
[contracts.columns]
temp = { type = "number", min = -40, max = 50 }
warm = { type = "integer", values = [0, 1] }
"""
CODE = "def run(frame):\n    return frame.assign(warm=(frame['temp'] > 15).astype(int))\n"


@pytest.fixture
def pipelines(workbench, monkeypatch):
    """120 days of bikes; jobs are done in this process, and the gate starts none of its own."""
    temp = np.linspace(-5, 30, 120)
    rows = pd.DataFrame({"id": range(120), "temp": temp, "count": np.round(50 + 4 * temp)})
    workbench.features.create("labels", ["id"])
    workbench.features.ingest("labels", rows)
    project = workbench.workspace.project
    (project / "steps").mkdir()
    (project / "steps" / "warm.py").write_text(CODE)
    workbench.workspace.pipelines.mkdir(exist_ok=True)
    (workbench.workspace.pipelines / "bikes.toml").write_text(DEFINITION)

    def run_here(job, at_once=False):
        (claimed,) = workbench.jobs.claim(1)
        workbench.jobs.begin(job.id, claimed.attempt, processes.identity())
        state, error = "succeeded", ""
        try:
            workbench.pipelines.execute(job.spec["run_id"], lambda done, total, note: None)
        except WorkbenchError as failure:
            state, error = "failed", failure.message
        workbench.jobs.finish(job.id, claimed.attempt, state, error=error)
        return workbench.jobs.get(job.id)

    found = {"rows": 20, "latency_p95_ms": 1.0, "size_mb": 0.1, "same": True, "tests": {}, "error": ""}
    monkeypatch.setattr(gate_step, "_probe", lambda work: found)
    monkeypatch.setattr(workbench.jobs, "run_here", run_here)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return workbench.pipelines


@pytest.fixture
def quick(pipelines, monkeypatch):
    """Steps that do nothing, for what is not about them."""
    doing = {
        "gate": {"verdict": {"outcome": "blessed", "checks": [], "champion": "", "reason": ""}},
        "register": {"version": "bikes/1"},
    }
    prefix = "mlops_tui.domains.pipelines.runner"
    monkeypatch.setattr(f"{prefix}.warming.preload", lambda: None)
    monkeypatch.setattr(f"{prefix}.forking.run_step", lambda name, step, folder: forking.Ended({"checks": []}))
    monkeypatch.setattr(
        f"{prefix}.Flow.run", lambda flow: all(flow.ended(one, forking.Ended(doing.get(one, {}))) for one in flow.needs)
    )
    monkeypatch.setattr(f"{prefix}.facts.gather", lambda work, text: {})
    return pipelines


def edit(workbench, old, new):
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text().replace(old, new))


def failing(report):
    return [(one.kind, one.subject) for one in report.checks if not one.passed]


def test_a_test_runs_each_step_and_each_once_more_alone_from_an_unpacked_package(pipelines):
    report = pipelines.test("bikes", rows=60)
    assert report.passed, failing(report)
    assert report.rows == 60
    run = pipelines.get_run(report.run)
    assert [step.name for step in run.steps][-1] == "gate"
    done = {step.name for step in run.steps if step.state == "succeeded"}
    assert done == {one.subject for one in report.checks if one.kind == "step"}
    alone = {one.subject for one in report.checks if one.kind == "again"}
    assert alone == {"load", "warm", "collect", "split", "preprocess", "train", "evaluate"}
    assert pipelines.runs("bikes") == []  # a test is no run of the pipeline
    assert pipelines.packages() == []


def test_a_step_that_depends_on_chance_is_found(pipelines, workbench, monkeypatch):
    step = workbench.workspace.project / "steps" / "warm.py"
    step.write_text(
        "import os, pathlib\n" + CODE.replace("temp'] > 15", "temp'] * int.from_bytes(os.urandom(6), 'big')")
    )
    for module in ("runner", "service"):  # the rest of the steps has nothing to do with it
        monkeypatch.setattr(f"mlops_tui.domains.pipelines.{module}.plan_of", lambda recipe, options: recipe.plan[:3])
    report = pipelines.test("bikes", rows=60)
    assert not report.passed
    assert ("again", "warm") in failing(report)
    assert "differs in warm" in next(
        one.detail for one in report.checks if (one.kind, one.subject) == ("again", "warm")
    )
    monkeypatch.setattr(pipelines, "test", lambda name, source, told: report)
    with pytest.raises(InvalidInput, match="The pipeline's test failed: warm: "):
        pipelines.package("bikes")


def test_a_broken_contract_ends_a_test_and_every_run(pipelines, workbench):
    edit(workbench, "max = 50 }", "max = 20 }")
    report = pipelines.test("bikes", rows=60)
    assert failing(report) == [("step", "collect")]
    assert "of temp above 20, such as" in report.checks[-1].detail
    job = pipelines.run("bikes", wait=True)
    assert "breaks its contract" in pipelines.run_of_job(job).error


def test_the_same_content_is_the_same_package_and_an_edit_makes_the_next(quick, workbench):
    first = quick.package("bikes", "the first")
    assert (first.ref, first.why) == ("bikes@1", "the first")
    assert quick.package("bikes").sha == first.sha
    (workbench.workspace.project / "steps" / "warm.py").write_text(CODE + "# more\n")
    assert quick.package("bikes").ref == "bikes@2"
    assert [one.version for one in quick.packages("bikes")] == [2, 1]
    assert workbench.audit.list(kind="pipeline", name="bikes@2")[0].verb == "package"


def test_a_deployed_package_is_what_triggers_run_and_the_file_what_a_person_runs(quick, workbench):
    quick.package("bikes")
    assert quick.deploy("bikes@1", "staging", "look at it", wait=True).state == "active"
    edit(workbench, "0 3 * * *", "0 4 * * *")
    edit(workbench, "resamples = 100", "resamples = 200")
    assert quick.triggers("bikes")[0]["cron"] == "0 3 * * *"
    fired = quick.run_of_job(quick.run("bikes", cause={"kind": "schedule"}))
    by_hand = quick.run_of_job(quick.run("bikes"))
    assert (fired.options["package"], fired.options["environment"]) == ("bikes@1", "staging")
    assert "resamples = 100" in quick.definition_of(fired.id)
    assert set(by_hand.options) == {"code"}
    assert "resamples = 200" in quick.definition_of(by_hand.id)


def test_production_goes_before_staging_and_a_rollback_brings_the_one_before_back(quick, workbench):
    quick.package("bikes")
    quick.deploy("bikes@1", "production", wait=True)
    edit(workbench, "0 3 * * *", "0 4 * * *")
    quick.package("bikes")
    quick.deploy("bikes@2", "staging", wait=True)
    assert quick.triggers("bikes")[0]["cron"] == "0 3 * * *"
    quick.deploy("bikes@2", "production", wait=True)
    assert quick.triggers("bikes")[0]["cron"] == "0 4 * * *"
    back = quick.rollback("bikes", "production", "too late")
    assert (back.version, back.state, back.action) == (1, "active", "rollback")
    assert quick.triggers("bikes")[0]["cron"] == "0 3 * * *"
    states = [(one.environment, one.version, one.state) for one in quick.placements("bikes")]
    assert states == [
        ("production", 1, "active"),
        ("production", 2, "replaced"),
        ("staging", 2, "active"),
        ("production", 1, "replaced"),
    ]


def test_what_was_live_stays_when_the_run_of_the_next_fails(quick, workbench, monkeypatch):
    quick.package("bikes")
    quick.deploy("bikes@1", "staging", wait=True)
    edit(workbench, "0 3 * * *", "0 4 * * *")
    quick.package("bikes")

    broken = forking.Ended({}, "it broke.")
    monkeypatch.setattr("mlops_tui.domains.pipelines.runner.Flow.run", lambda flow: flow.ended("load", broken))
    assert quick.deploy("bikes@2", "staging", wait=True).state == "failed"
    assert quick.active("bikes")[1].version == 1
    with pytest.raises(NotAllowed, match="had no other package in staging"):
        quick.rollback("bikes", "staging")


def test_a_package_whose_bytes_were_altered_is_refused_with_one_sentence(quick, workbench):
    package = quick.package("bikes")
    path = archives(workbench.context).path(package.sha)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InvalidInput) as caught:
        quick.deploy("bikes@1", "production")
    assert caught.value.message == "Package bikes@1 no longer has the hash it was made with; it is not run."
    assert quick.placements() == []


def test_a_package_is_refused_where_other_libraries_are(quick, monkeypatch):
    quick.package("bikes")
    monkeypatch.setattr(lock, "missing", lambda wanted: ["numpy 1 is wanted, 2 is installed"])
    with pytest.raises(NotAllowed, match="bikes@1 cannot run here: numpy 1 is wanted, 2 is installed"):
        quick.deploy("bikes@1", "production")


def test_references_and_environments_that_are_not_there_are_named(quick):
    with pytest.raises(NotFound, match="no package of 'bikes'"):
        quick.package_of("bikes")
    quick.package("bikes")
    with pytest.raises(NotFound, match="no package bikes@7"):
        quick.deploy("bikes@7", "staging")
    with pytest.raises(InvalidInput, match="'three' is no version"):
        quick.package_of("bikes@three")
    with pytest.raises(InvalidInput) as caught:
        quick.deploy("bikes@1", "stagging")
    assert caught.value.hint == "Did you mean 'staging'?"


def test_another_folder_can_be_the_source(quick, workbench, tmp_path):
    other = tmp_path / "checkout"
    (other / "pipelines").mkdir(parents=True)
    (other / "steps").mkdir()
    (other / "steps" / "warm.py").write_text(CODE + "# of the branch\n")
    (other / "pipelines" / "bikes.toml").write_text(DEFINITION)
    here, there = quick.package("bikes"), quick.package("bikes", source=other)
    assert there.version == 2
    assert here.files["steps/warm.py"] != there.files["steps/warm.py"]
    (other / "pipelines" / "bikes.toml").unlink()
    with pytest.raises(NotFound, match="no pipeline file"):
        quick.package("bikes", source=other)


def test_a_sample_spans_all_rows_and_keeps_some_of_every_label():
    frame = pd.DataFrame(
        {"at": range(10_000), "label": ["rare" if at % 2000 == 7 else "common" for at in range(10_000)]}
    )
    chosen = load_step.sample(frame, 100, "label")
    assert (chosen["at"].min(), chosen["at"].max()) == (0, 9999)
    assert (chosen["label"] == "rare").sum() == 5
    assert len(chosen) <= 130
    assert load_step.sample(frame, 20_000) is frame


def test_neither_definition_nor_step_edited_meanwhile_changes_a_run(pipelines, workbench, monkeypatch):
    """The first step edits everything, waits for nobody, and reads a file that lies beside it."""
    project = workbench.workspace.project
    (project / "steps" / "limit.txt").write_text("15")
    first = """
from pathlib import Path
def run(frame):
    limit = int((Path(__file__).parent / "limit.txt").read_text())
    Path("steps/later.py").write_text("def run(frame):\\n    return frame.assign(said='edited')")
    definition = Path("pipelines/bikes.toml")
    definition.write_text(definition.read_text().replace("steps/later.py", "steps/none.py"))
    return frame.assign(warm=(frame["temp"] > limit).astype(int))
"""
    (project / "steps" / "warm.py").write_text(first)
    (project / "steps" / "later.py").write_text(
        "from word import WORD\ndef run(frame):\n    return frame.assign(said=WORD)"
    )
    (project / "word.py").write_text("WORD = 'as it was'")
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text() + '\n[[steps]]\nname = "later"\nuses = "steps.later:run"\n')
    path.write_text(path.read_text().replace("steps.later", "steps/later.py"))
    monkeypatch.setattr("sys.path", [str(project), *__import__("sys").path])
    monkeypatch.setattr("mlops_tui.domains.pipelines.runner._tidy", lambda folder: None)
    monkeypatch.chdir(project)
    for module in ("runner", "service"):
        monkeypatch.setattr(f"mlops_tui.domains.pipelines.{module}.plan_of", lambda recipe, options: recipe.plan[:4])
    run = pipelines.run_of_job(pipelines.run("bikes", wait=True))
    assert run.error == ""
    frame = pd.read_parquet(pipelines.folder(run.id) / "step_later.parquet")
    assert set(frame["said"]) == {"as it was"}
    assert "steps/none.py" in path.read_text()
    with pytest.raises(NotFound, match=r"There is no file steps/none\.py"):
        pipelines.run("bikes")
