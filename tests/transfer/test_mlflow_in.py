"""MLflow stores become ours."""

from __future__ import annotations

import math
import shutil
import sqlite3

import pytest

from mlops_tui.core import locks
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.arrivals import run_id_of
from mlops_tui.transfer import mlflow_in
from mlops_tui.transfer.mlflow_in import import_mlflow
from mlops_tui.workbench import Workbench

from . import mlflow_stores
from .mlflow_stores import INNER, MODEL, OUTER, InProcess, write


def take(workbench, source, **options):
    return import_mlflow(workbench, str(source), lambda *_: None, **options)


@pytest.fixture
def store(tmp_path):
    return mlflow_stores.folder(tmp_path / "mlruns")


def test_a_folder_is_taken_over_with_everything(workbench, store):
    report = take(workbench, store)
    assert (report.added, report.models, report.versions, report.skipped, report.notes) == (2, 1, 2, [], [])
    runs = {run.name: run for run in workbench.experiments.runs("churn: old")}
    outer = runs["outer: 1"]
    assert (outer.user, outer.started_at, outer.ended_at, outer.git_commit) == ("ann", 1000, 2000, "c0ffee")
    assert (outer.state, runs["inner"].state, runs["inner"].parent) == ("finished", "failed", outer.id)
    assert workbench.experiments.params(outer.id) == {"lr": "0.1", "opt/kind": "adam"}
    assert outer.tags["note"] == "a note\nof two lines"
    history = workbench.experiments.remote.runs.history(outer.id, "loss", -1, 0)
    assert [(step, ts) for step, ts, _ in history] == [(0, 1100), (1, 1200), (1, 1250), (2, 1300)]
    assert math.isnan(history[-1][2])
    assert {one.path for one in workbench.experiments.artifacts(outer.id)} == {"notes/a.txt", "net/MLmodel"}
    remote = workbench.experiments.remote.runs.get(outer.id)
    assert [(one.name, one.digest, one.tags) for one in remote.inputs] == [
        ("tbl", "12", {"mlflow.data.context": "training"})
    ]
    model = workbench.experiments.remote.models.get(MODEL)
    assert (model.name, model.status, model.run_id, model.metrics[0].value) == ("net", "READY", outer.id, 0.2)


def test_models_keep_their_numbers_stages_and_aliases(workbench, store):
    take(workbench, store)
    versions = {one.version: one for one in workbench.registry.versions("risk")}
    assert sorted(versions) == [1, 3]
    assert (versions[3].stage, versions[3].tags["k"], versions[3].run_id) == (
        "Production",
        "v",
        run_id_of("mlflow:" + OUTER),
    )
    assert workbench.registry.alias("risk", "champion") == 3
    assert list(workbench.registry.remote.files("risk", 3)) == ["MLmodel"]
    assert workbench.registry.remote.version("risk", 1).source == f"runs:/{run_id_of('mlflow:' + OUTER)}/notes"


def test_a_second_time_adds_nothing(workbench, store):
    take(workbench, store)
    report = take(workbench, store)
    assert (report.added, report.updated, report.unchanged, report.versions) == (0, 0, 2, 0)
    assert workbench.experiments.count("") == 2
    assert len(workbench.registry.versions("risk")) == 2


def test_a_version_here_keeps_its_number_alias_and_stage(workbench, store, tmp_path):
    take(workbench, store)
    other = tmp_path / "other" / "mlruns"
    mlflow_stores.folder(other)
    text = (other / "models/risk/version-1/meta.yaml").read_text().replace("version: 1", "version: 1\nx: y")
    (other / "models/risk/version-1/meta.yaml").write_text(text.replace(f"run_id: {OUTER}", f"run_id: {INNER}"))
    shutil.rmtree(other / "models/risk/version-3")
    (other / "models/risk/meta.yaml").write_text("name: risk\naliases:\n  champion: '1'\n")
    report = take(workbench, other)
    assert report.versions == 1
    assert workbench.registry.alias("risk", "champion") == 3
    assert report.notes[0] == "risk/1 is risk/4 here, since that number was taken."
    assert "stays at version 3" in report.notes[1]


def test_a_run_that_breaks_later_stays_as_it_came(workbench, store):
    take(workbench, store)
    before = workbench.experiments.run(run_id_of("mlflow:" + OUTER))
    (store / "123" / OUTER / "metrics" / "loss").write_text("broken\n")
    meta = store / "123" / OUTER / "meta.yaml"
    meta.write_text(meta.read_text().replace("end_time: 2000", "end_time: 3000"))
    report = take(workbench, store)
    assert [label for label, _ in report.skipped] == ["outer: 1 (aaaaaaaa)"]
    assert workbench.experiments.run(before.id) == before
    assert len(workbench.experiments.history(before.id, "loss")) == 3
    assert [run.name for run in workbench.experiments.runs("churn: old")] == ["inner", "outer: 1"]


def test_a_model_none_of_whose_files_came_is_not_made(workbench, store):
    shutil.rmtree(store / "123")
    report = take(workbench, store)
    assert [label for label, _ in report.skipped] == ["model risk/1", "model risk/3"]
    assert (report.models, workbench.registry.models()) == (0, [])


def test_a_broken_run_is_said_with_its_reason_and_the_others_come(workbench, store):
    (store / "123" / OUTER / "metrics" / "loss").write_text("1100 0.5 0\nnot a point\n")
    (store / "123" / INNER / "meta.yaml").unlink()
    (store / "123" / INNER / "metrics").mkdir()
    write(store / "123" / ("d" * 32) / "meta.yaml", "start_time: 1\nstatus: 3\nend_time: 2\nrun_name: fine\n")
    report = take(workbench, store)
    assert report.skipped[:2] == [
        ("bbbbbbbb (bbbbbbbb)", "it has no meta.yaml"),
        ("outer: 1 (aaaaaaaa)", "line 2 of metric loss is no point: 'not a point'"),
    ]
    assert [run.name for run in workbench.experiments.runs("churn: old")] == ["fine"]
    assert workbench.context.catalog.value("SELECT count(*) FROM run") == 1  # nor a hidden one
    assert workbench.context.metrics.value("SELECT count(*) FROM metric") == 0
    assert workbench.context.metrics.value("SELECT count(*) FROM param") == 0


def test_a_broken_experiment_and_broken_models_are_said_and_the_rest_comes(workbench, store):
    (store / "0" / "meta.yaml").write_text("garbage")
    (store / "models" / "risk" / "meta.yaml").write_bytes(b"\xff\xfe")
    report = take(workbench, store)
    assert report.added == 2
    assert [label for label, _ in report.skipped] == ["experiment 0", "the registered models"]


def test_a_damaged_sqlite_file_is_said(workbench, tmp_path):
    source = mlflow_stores.sqlite(tmp_path / "mlflow.db")
    content = source.read_bytes()
    db = sqlite3.connect(source)
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    source.write_bytes(content[: (page - 1) * size] + b"\xff" * size + content[page * size :])
    report = take(workbench, source)
    assert report.added == 0
    assert all("table metrics cannot be read" in why for _, why in report.skipped)
    assert workbench.experiments.runs() == []


def test_what_a_killed_import_left_is_hidden_and_written_anew(workbench, store, monkeypatch):
    arrivals = workbench.experiments.remote.arrivals
    with monkeypatch.context() as patch:
        # A kill: neither the end of the work nor the cleaning up after it happens.
        patch.setattr(type(arrivals), "_show", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(type(arrivals), "_undo", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            take(workbench, store)
    assert workbench.experiments.runs() == []
    report = take(workbench, store)
    assert report.added == 2
    assert len(workbench.experiments.runs("churn: old")) == 2
    assert len(workbench.experiments.history(run_id_of("mlflow:" + OUTER), "loss")) == 3


def test_a_full_disk_ends_the_import_and_the_next_one_goes_on(workbench, store, monkeypatch):
    arrivals = type(workbench.experiments.remote.arrivals)
    real, calls = arrivals.put, []

    def full(self, run):
        calls.append(run)
        if len(calls) == 2:
            raise Unavailable("The disk is full.")
        return real(self, run)

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "put", full)
        with pytest.raises(Unavailable):
            take(workbench, store)
    assert len(workbench.experiments.runs()) == 1
    report = take(workbench, store)
    assert (report.added, report.unchanged) == (1, 1)


def test_a_run_removed_here_stays_away(workbench, store):
    take(workbench, store)
    workbench.experiments.remove_run(run_id_of("mlflow:" + INNER))
    report = take(workbench, store)
    assert report.skipped == [("inner (bbbbbbbb)", "it was removed here; what was removed does not come back")]


def test_artifacts_are_read_only_below_the_store(workbench, store, tmp_path):
    write(tmp_path / "secret" / "key.txt", "private")
    meta = store / "123" / INNER / "meta.yaml"
    meta.write_text(meta.read_text().replace(f"file:///gone/123/{INNER}/artifacts", (tmp_path / "secret").as_uri()))
    (store / "123" / OUTER / "artifacts" / "link").symlink_to(tmp_path / "secret" / "key.txt")
    report = take(workbench, store)
    names = {one.path for run in workbench.experiments.runs() for one in workbench.experiments.artifacts(run.id)}
    assert names == {"notes/a.txt", "net/MLmodel"}
    assert [note for note in report.notes if "is not read" in note]


def test_files_of_a_moved_store_are_found_in_the_folder_that_is_named(workbench, tmp_path):
    source = mlflow_stores.sqlite(tmp_path / "db" / "mlflow.db")
    (source.parent / "mlruns").rename(tmp_path / "files")
    report = take(workbench, source)
    assert "one (aaaaaaaa)" in report.notes[1]
    report = take(workbench, source, artifacts=tmp_path / "files")
    (run,) = workbench.experiments.runs("old", query="name:one")
    assert (report.updated, [one.path for one in workbench.experiments.artifacts(run.id)]) == (2, ["a.txt"])


def test_an_old_sqlite_file_is_taken_over(workbench, tmp_path):
    source = mlflow_stores.sqlite(tmp_path / "mlflow.db")
    report = take(workbench, source)
    assert (report.added, report.skipped) == (2, [])
    assert "The experiment 'gone' is deleted there; it was left out." in report.notes
    runs = {run.name: run for run in workbench.experiments.runs("old")}
    assert [p.value for p in workbench.experiments.history(runs["one"].id, "m")] == [1.0, math.inf]
    assert math.isnan(workbench.experiments.metrics(runs["one"].id)["n"].value)
    assert (runs["one"].tags["team"], runs["one"].tags["empty"]) == ("x", "")
    assert [one.path for one in workbench.experiments.artifacts(runs["one"].id)] == ["a.txt"]
    assert (runs["lost"].state, runs["lost"].ended_at, runs["lost"].seen_at) == ("crashed", None, 1700)
    assert "not recorded" in runs["lost"].error


def test_a_server_is_taken_over_page_by_page(workbench, store, tmp_path, monkeypatch):
    there = Workspace.create(tmp_path / "there")
    with Workbench(there) as bench:
        take(bench, store)
    server = InProcess(there)
    monkeypatch.setattr(mlflow_in, "Server", lambda url: server)
    report = take(workbench, "http://127.0.0.1:5000")
    assert (report.added, report.models, report.versions, report.skipped) == (2, 1, 2, [])
    (outer,) = workbench.experiments.runs("churn: old", query="params.lr=0.1")
    assert workbench.experiments.artifact_file(outer.id, "notes/a.txt").read_text() == "hello"
    assert len(workbench.experiments.remote.runs.history(outer.id, "loss", -1, 0)) == 4
    (inner,) = workbench.experiments.runs("churn: old", query="name:inner")
    assert inner.parent == outer.id
    assert workbench.registry.alias("risk", "champion") == 3
    assert list(workbench.registry.remote.files("risk", 3)) == ["MLmodel"]
    assert take(workbench, "http://127.0.0.1:5000").unchanged == 2
    server.desk.close()


def test_one_experiment_alone_may_be_taken(workbench, store):
    with pytest.raises(NotFound, match="no experiment 'churn'") as caught:
        take(workbench, store, experiments=["churn"])
    assert "churn: old" in caught.value.hint
    assert take(workbench, store, experiments=["Default"]).added == 0
    assert take(workbench, store, experiments=["churn: old"]).added == 2


@pytest.mark.parametrize("source", ["missing", "http://", "ftp://x", "http://h:99999"])
def test_a_source_that_is_none_is_refused(workbench, tmp_path, source):
    with pytest.raises((NotFound, InvalidInput)):
        take(workbench, source if "://" in source else tmp_path / source)


def test_another_file_and_our_own_are_refused(workbench, workspace, tmp_path):
    write(tmp_path / "x.db", "not a database at all")
    with pytest.raises(InvalidInput, match="no SQLite file"):
        take(workbench, tmp_path / "x.db")
    assert workbench.experiments.runs() == []
    with pytest.raises(InvalidInput, match="belongs to this workspace"):
        take(workbench, workspace.catalog_db)
    with pytest.raises(InvalidInput, match=r"no folder in it has a meta\.yaml"):
        take(workbench, tmp_path)


def test_a_server_that_is_not_there_is_unavailable(workbench, monkeypatch):
    monkeypatch.setattr("mlops_tui.transfer.mlflow_server.time.sleep", lambda _: None)
    with pytest.raises(Unavailable, match="does not answer"):
        take(workbench, "http://127.0.0.1:9")


def test_two_imports_at_once_are_refused(workbench, workspace, store):
    handle = locks.hold(workspace.run / "import.lock")
    assert handle is not None
    with pytest.raises(NotAllowed, match="Another import"):
        take(workbench, store)
