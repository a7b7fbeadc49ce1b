"""Runs for MLflow and for Parquet."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.arrivals import Arrival
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.transfer import mlflow_out
from mlops_tui.transfer.mlflow_in import import_mlflow
from mlops_tui.transfer.mlflow_out import export_mlflow
from mlops_tui.transfer.parquet import export_parquet
from mlops_tui.workbench import Workbench

from .mlflow_stores import InProcess


def quiet(*_):
    """Progress that nobody sees."""


@pytest.fixture
def runs(workbench):
    """A parent with two points at one step and a file, and its failed child."""
    arrivals = workbench.experiments.remote.arrivals
    sha = workbench.context.artifacts.put_bytes(b"hello")
    outer = Arrival(
        source="x:outer",
        stamp="1",
        experiment="churn: 2",
        name="outer",
        state=RunState.FINISHED,
        started_at=1000,
        ended_at=2000,
        user="ann",
        params={"lr": "0.1"},
        tags={"team": "x", "note": "a note"},
        series=[("loss", [(0.5, 1100, 0), (0.25, 1200, 0), (float("nan"), 1300, 1)])],
        files=[("notes/a.txt", sha, 5)],
    )
    inner = Arrival("x:inner", "1", "churn: 2", "inner", RunState.FAILED, 1500, 1600, parent="x:outer")
    return [arrivals.put(outer), arrivals.put(inner)]


def back(target, tmp_path):
    """What our own import makes of an export: (its workbench, runs by name)."""
    bench = Workbench(Workspace.create(tmp_path / "back"))
    import_mlflow(bench, str(target), quiet)
    return bench, {run.name: run for run in bench.experiments.runs("churn: 2")}


def check(bench, found):
    outer, inner = found["outer"], found["inner"]
    assert (outer.user, outer.started_at, outer.ended_at, outer.tags["note"], outer.tags["team"]) == (
        "ann",
        1000,
        2000,
        "a note",
        "x",
    )
    assert (inner.state, inner.parent) == ("failed", outer.id)
    points = bench.experiments.remote.runs.history(outer.id, "loss", -1, 0)
    assert [(step, ts) for step, ts, _ in points] == [(0, 1100), (0, 1200), (1, 1300)]
    assert bench.experiments.params(outer.id) == {"lr": "0.1"}
    assert bench.experiments.artifact_file(outer.id, "notes/a.txt").read_text() == "hello"
    bench.close()


def test_a_folder_holds_all_of_a_run(workbench, runs, tmp_path):
    assert export_mlflow(workbench, str(tmp_path / "out"), quiet).added == 2
    check(*back(tmp_path / "out", tmp_path))
    again = export_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert (again.added, again.unchanged) == (0, 2)


def test_what_was_exported_from_here_does_not_come_back_double(workbench, runs, tmp_path):
    export_mlflow(workbench, str(tmp_path / "out"), quiet)
    report = import_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert (report.added, report.unchanged) == (0, 2)
    assert workbench.experiments.count("") == 2


def test_a_server_gets_all_of_a_run_and_each_once(workbench, runs, tmp_path, monkeypatch):
    there = Workspace.create(tmp_path / "there")
    server = InProcess(there)
    monkeypatch.setattr(mlflow_out, "Server", lambda url: server)
    assert export_mlflow(workbench, "http://127.0.0.1:5000", quiet).added == 2
    assert export_mlflow(workbench, "http://127.0.0.1:5000", quiet).unchanged == 2
    bench = Workbench(there)
    check(bench, {run.name: run for run in bench.experiments.runs("churn: 2")})
    server.desk.close()


def test_a_run_that_a_server_refuses_is_taken_back_and_said(workbench, runs, tmp_path, monkeypatch):
    there = Workspace.create(tmp_path / "there")
    server = InProcess(there)
    monkeypatch.setattr(mlflow_out, "Server", lambda url: server)
    server.fails = 5  # look for the experiment, make it, look for runs, begin the first one; its parameters are refused
    report = export_mlflow(workbench, "http://127.0.0.1:5000", quiet)
    assert (report.added, len(report.skipped)) == (1, 1)
    with Workbench(there) as bench:
        assert [run.name for run in bench.experiments.runs()] == ["inner"]
    assert export_mlflow(workbench, "http://127.0.0.1:5000", quiet).added == 1
    server.desk.close()


def test_names_that_cannot_both_be_files_leave_no_half_run(workbench, tmp_path):
    arrivals = workbench.experiments.remote.arrivals
    arrivals.put(Arrival("x:1", "1", "e", "r", RunState.FINISHED, 1, 2, params={"a": "1", "a/b": "2"}))
    report = export_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert "cannot both be files" in report.skipped[0][1]
    assert not [path for path in (tmp_path / "out").glob("*/*") if path.is_dir()]


def test_a_run_that_still_runs_is_left_for_later(workbench, tmp_path):
    workbench.experiments.start("e")
    report = export_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert report.skipped[0][1] == "it still runs"


def test_a_folder_that_cannot_be_written_is_said(workbench, runs, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="Cannot write"):
        export_mlflow(workbench, str(tmp_path / "file" / "below"), quiet)


@pytest.mark.parametrize("what", ["file", "workspace"])
def test_targets_that_are_none_are_refused(workbench, tmp_path, what):
    (tmp_path / "file").write_text("x")
    target = tmp_path / "file" if what == "file" else workbench.workspace.root / "out"
    with pytest.raises(InvalidInput):
        export_mlflow(workbench, str(target), quiet)


def test_parquet_holds_every_row_with_its_type(workbench, runs, tmp_path):
    rows = export_parquet(workbench, tmp_path / "out", quiet)
    assert (rows["runs"], rows["params"], rows["metrics"], rows["artifacts"]) == (2, 1, 3, 1)
    metrics = pq.read_table(tmp_path / "out" / "metrics.parquet").to_pydict()
    assert (metrics["run"], metrics["step"]) == ([runs[0]] * 3, [0, 0, 1])
    assert metrics["at"][1].isoformat() == "1970-01-01T00:00:01.200000+00:00"
    assert pq.read_table(tmp_path / "out" / "runs.parquet").to_pydict()["parent"] == ["", runs[0]]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.parquet" for name in rows}


def test_an_export_may_be_chosen_by_experiment_and_query(workbench, runs, tmp_path):
    assert export_parquet(workbench, tmp_path, quiet, query="params.lr=0.1")["runs"] == 1
    assert export_parquet(workbench, tmp_path, quiet, experiments=["churn: 2"], query="state:failed")["runs"] == 1
    with pytest.raises(NotFound):
        export_parquet(workbench, tmp_path / "none", quiet, experiments=["missing"])
    assert not (tmp_path / "none").exists()


# -- registered models -------------------------------------------------------------------------------------------------


@pytest.fixture
def registered(workbench, runs, tmp_path):
    """A model with a version that its run keeps as a folder, and one that nobody keeps; (model, references)."""
    remote, arrivals = workbench.registry.remote, workbench.experiments.remote.arrivals
    store = workbench.context.artifacts
    files = {"MLmodel": store.put_bytes(b"flavors: {}"), "data/w.bin": store.put_bytes(b"weights")}
    kept = [(f"deep/clf/{path}", sha, store.size(sha)) for path, sha in files.items()]
    run = arrivals.put(Arrival("x:third", "1", "churn: 2", "third", RunState.FINISHED, 1700, 1800, files=kept))
    remote.create("risk", "who leaves", {"team": "growth"})
    made = {"tags": {"q": "1"}}
    remote.add_version("risk", "", files, run_id=run, **made)
    remote.add_version("risk", "", {"MLmodel": files["MLmodel"]}, **made)
    remote.move_stage("risk", 1, "Production", False)
    remote.set_alias("risk", "next", 2)
    return run


def same_registry(bench, run_name="third"):
    first, second = sorted(bench.registry.versions("risk"), key=lambda one: one.version)
    found = bench.registry.model("risk")
    assert (found.description, found.aliases) == ("who leaves", {"champion": 1, "next": 2})
    assert (first.stage, first.tags["q"], bench.experiments.run(first.run_id).name) == ("Production", "1", run_name)
    assert set(bench.registry.remote.files("risk", 1)) == {"MLmodel", "data/w.bin"}
    assert set(bench.registry.remote.files("risk", 2)) == {"MLmodel"}
    assert bench.registry.remote.model("risk").tags == {"team": "growth"}
    assert (second.stage, second.run_id) == ("None", "")


def test_registered_models_go_along_with_their_files_aliases_and_stages(workbench, registered, tmp_path):
    report = export_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert (report.added, report.models, report.versions, report.skipped) == (3, 1, 2, [])
    bench, _ = back(tmp_path / "out", tmp_path)
    same_registry(bench)
    bench.close()
    again = export_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert (again.added, again.models, again.versions) == (0, 0, 0)
    home = import_mlflow(workbench, str(tmp_path / "out"), quiet)
    assert (home.added, home.models, home.versions, home.skipped) == (0, 0, 0, [])


def test_registered_models_go_to_a_server_once_and_aliases_set_there_stay(workbench, registered, tmp_path, monkeypatch):
    bench = Workbench(Workspace.create(tmp_path / "there"))
    monkeypatch.setattr(mlflow_out, "Server", lambda url: InProcess(bench.workspace))
    target = "http://127.0.0.1:5000"
    assert export_mlflow(workbench, target, quiet).versions == 2
    same_registry(bench)
    again = export_mlflow(workbench, target, quiet)
    assert (again.added, again.models, again.versions) == (0, 0, 0)
    theirs = {"MLmodel": bench.context.artifacts.put_bytes(b"theirs")}
    bench.registry.remote.add_version("risk", "", theirs)
    bench.registry.remote.set_alias("risk", "next", 3)
    assert export_mlflow(workbench, target, quiet).notes == ["risk@next stays with version 3 there."]
    assert bench.registry.model("risk").aliases["next"] == 3
    bench.close()


def test_of_chosen_runs_only_their_versions_go(workbench, registered, tmp_path):
    assert export_mlflow(workbench, str(tmp_path / "one"), quiet, query="name:third").versions == 1
    report = export_mlflow(workbench, str(tmp_path / "none"), quiet, query="name:outer")
    assert (report.models, report.versions) == (0, 0)


def test_a_number_that_is_taken_there_is_told(workbench, registered, tmp_path, monkeypatch):
    bench = Workbench(Workspace.create(tmp_path / "there"))
    monkeypatch.setattr(mlflow_out, "Server", lambda url: InProcess(bench.workspace))
    bench.registry.remote.create("risk", "", {})
    theirs = {"MLmodel": bench.context.artifacts.put_bytes(b"theirs")}
    bench.registry.remote.add_version("risk", "", theirs)
    report = export_mlflow(workbench, "http://127.0.0.1:5000", quiet)
    assert "risk/1 is risk/2 there, since that number was taken." in report.notes
    assert report.models == 0
    bench.close()
