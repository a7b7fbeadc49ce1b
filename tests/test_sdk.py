"""What a training script calls, as it calls it."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import threading
import time

import pytest

import mlops_tui as mlops
from mlops_tui import sdk
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.segments import SegmentWriter


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    yield
    assert sdk.active._latest == []


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench.experiments


def test_everything_logged_is_in_the_database_when_the_run_ends(rooms, tmp_path):
    file = tmp_path / "roc.png"
    file.write_bytes(b"\x89PNG")
    with mlops.start_run(experiment="churn", name="first", tags={"team": "growth"}, actor="ana") as run:
        run.log_params({"max_depth": 6})
        run.log_param("rate", 0.1)
        run.log_metric("loss", 0.31, step=10)
        run.log_metrics({"auc": 0.91, "f1": math.nan})
        run.set_tag("stage", "dev")
        run.log_artifact(file)
        run.log_text("hello", "notes/a.txt")
        run.log_dict({"a": [1]}, "facts.json")
    found = rooms.run(run.id)
    assert (found.experiment, found.name, found.state, found.user) == ("churn", "first", "finished", "ana")
    assert found.tags == {"team": "growth", "stage": "dev"}
    assert rooms.params(run.id) == {"max_depth": "6", "rate": "0.1"}
    assert rooms.history(run.id, "loss")[0].step == 10
    assert math.isnan(rooms.metrics(run.id)["f1"].value)
    paths = [item.path for item in rooms.artifacts(run.id)]
    assert paths[-3:] == ["facts.json", "notes/a.txt", "roc.png"]
    assert "environment/packages.txt" in paths
    assert rooms.artifact_file(run.id, "notes/a.txt").read_text() == "hello"


def test_numbers_are_visible_while_the_run_goes_on(rooms):
    with mlops.start_run(experiment="churn") as run:
        run.log_metric("loss", 0.5)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if rooms.metrics(run.id):
                    break
            except NotFound:
                pass
            time.sleep(0.05)
        assert rooms.metrics(run.id)["loss"].value == 0.5
        assert rooms.run(run.id).state == "running"


def test_an_exception_marks_the_run_failed_keeps_the_traceback_and_goes_on_up(rooms):
    with pytest.raises(ZeroDivisionError), mlops.start_run() as run:
        1 / 0  # noqa: B018
    found = rooms.run(run.id)
    assert (found.experiment, found.state) == ("default", "failed")
    assert found.error.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "test_sdk.py" in found.error


def test_a_clean_exit_inside_a_run_finishes_it_and_another_one_fails_it(rooms):
    for code, state in ((0, "finished"), (None, "finished"), (3, "failed")):
        with pytest.raises(SystemExit), mlops.start_run() as run:
            sys.exit(code)
        assert rooms.run(run.id).state == state


def test_a_run_inside_a_run_is_its_child_and_takes_the_log_calls(rooms):
    with mlops.start_run() as outer:
        with mlops.start_run() as inner:
            assert mlops.active_run() is inner
            mlops.log_metric("loss", 1)
        assert mlops.active_run() is outer
        mlops.log_metric("loss", 2)
        mlops.log_param("a", 1)
        mlops.log_params({"b": 2})
        mlops.log_metrics({"auc": 1})
        mlops.set_tag("t", 1)
        mlops.set_tags({"u": 2})
        mlops.log_text("x", "x.txt")
        mlops.log_dict({}, "y.json")
    assert rooms.run(inner.id).parent == outer.id
    assert [run.id for run in rooms.runs(parent=outer.id)] == [inner.id]
    assert (rooms.metrics(inner.id)["loss"].value, rooms.metrics(outer.id)["loss"].value) == (1, 2)
    assert rooms.run(outer.id).tags == {"t": "1", "u": "2"}
    assert rooms.params(outer.id) == {"a": "1", "b": "2"}


def test_a_thread_logs_to_the_run_that_the_main_thread_started(rooms):
    with mlops.start_run() as run:
        thread = threading.Thread(target=mlops.log_metric, args=("loss", 7))
        thread.start()
        thread.join()
    assert rooms.metrics(run.id)["loss"].value == 7


def test_without_a_run_the_log_calls_say_how_to_start_one():
    with pytest.raises(InvalidInput) as caught:
        mlops.log_metric("loss", 1)
    assert "start_run" in caught.value.hint


def test_a_run_is_resumed_by_the_beginning_of_its_id_and_counts_on(rooms):
    with mlops.start_run(experiment="churn", name="first") as run:
        run.log_metric("loss", 1.0)
        run.log_metric("loss", 0.9)
    with mlops.start_run(resume=run.id[:8]) as again:
        again.log_metric("loss", 0.8)
    assert again.id == run.id
    assert [(point.step, point.value) for point in rooms.history(run.id, "loss")] == [(0, 1.0), (1, 0.9), (2, 0.8)]
    assert (rooms.run(run.id).experiment, rooms.run(run.id).name, rooms.run(run.id).state) == (
        "churn",
        "first",
        "finished",
    )


def test_a_run_that_cannot_start_says_so_before_training(workspace, monkeypatch, tmp_path):
    with pytest.raises(InvalidInput):
        mlops.start_run(experiment="a/b")
    with pytest.raises(NotFound):
        mlops.start_run(resume="abc")
    with pytest.raises(NotFound):
        mlops.start_run(workspace=tmp_path / "nowhere")


def test_files_that_are_not_there_or_would_leave_the_folder_are_refused(rooms, tmp_path):
    with mlops.start_run() as run:
        with pytest.raises(NotFound):
            run.log_artifact(tmp_path / "none.png")
        for name in ("../x", "/x", "", ".", "a/../../b", "a\\b", "a\nb"):
            with pytest.raises(InvalidInput):
                run.log_text("x", name)
        with pytest.raises(InvalidInput):
            run.log_figure(object(), "x.png")


def test_a_folder_and_a_figure_are_kept(rooms, tmp_path):
    class Figure:
        def savefig(self, buffer, format):
            buffer.write(format.encode())

    class Page:
        def write_html(self, stream):
            stream.write("<p>")

    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots" / "a.txt").write_text("a")
    (tmp_path / "plots" / "deep" / "b.txt").write_text("b")
    with mlops.start_run() as run:
        run.log_artifact(tmp_path / "plots", "all")
        run.log_figure(Figure(), "roc.svg")
        mlops.log_figure(Page(), "page.html")
        mlops.log_artifact(tmp_path / "plots" / "a.txt")
    found = {item.path: item for item in rooms.artifacts(run.id)}
    assert {"all/a.txt", "all/deep/b.txt", "roc.svg", "page.html", "a.txt"} <= set(found)
    assert rooms.artifact_file(run.id, "roc.svg").read_bytes() == b"svg"


def test_a_full_disk_never_reaches_the_training(capsys, monkeypatch):
    with mlops.start_run() as run:
        original = SegmentWriter.append

        def full(self, record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(SegmentWriter, "append", full)
        for step in range(5):
            run.log_metric("loss", step)
        monkeypatch.setattr(SegmentWriter, "append", original)
    assert capsys.readouterr().err.count("No space left") == 1
    with mlops.open() as bench:
        assert bench.experiments.metrics(run.id)["loss"].count == 5


def test_the_end_waits_for_files_that_are_being_kept_in_the_background(rooms, workspace, monkeypatch):
    from mlops_tui.domains.experiments import environment

    began = threading.Event()

    def slow():
        began.set()
        time.sleep(0.3)
        return "a==1\n"

    monkeypatch.setattr(environment, "packages", slow)
    with mlops.start_run() as run:
        assert began.wait(20)
    assert next(item.path for item in rooms.artifacts(run.id)) == "environment/packages.txt"
    assert list((workspace.spool / "runs").glob("*.seg")) == []


def test_a_database_that_fails_is_said_once_and_its_records_wait(capsys, monkeypatch, rooms):
    from mlops_tui.domains.experiments.service import Experiments

    take_in = Experiments.take_in
    with mlops.start_run() as run:
        monkeypatch.setattr(Experiments, "take_in", lambda self, wait=True: 1 / 0)
        run.log_metric("loss", 1)
    assert capsys.readouterr().err.count("stays in the spool") == 1
    monkeypatch.setattr(Experiments, "take_in", take_in)
    rooms.take_in()
    assert rooms.metrics(run.id)["loss"].value == 1


def test_a_forked_child_logs_to_the_run_and_does_not_end_it(rooms):
    with mlops.start_run() as run:
        run.log_metric("parent", 1)
        child = os.fork()
        if child == 0:
            run.log_metric("child", 2)
            run.finish()
            os._exit(0)
        os.waitpid(child, 0)
        rooms.take_in()
        assert rooms.run(run.id).state == "running"
    assert set(rooms.metrics(run.id)) == {"parent", "child"}


def test_a_model_is_kept_as_a_package_and_registered(rooms, workspace):
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    X = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    with mlops.start_run() as run:
        run.log_metric("mae", 0.1)
        version = run.log_model(LinearRegression().fit(X, [2.0, 4.0, 6.0]), sample=X, register="line")
        assert mlops.log_model(LinearRegression().fit(X, [2.0, 4.0, 6.0]), "other", sample=X) is None
        with pytest.raises(InvalidInput, match="no predict"):
            run.log_model(object(), sample=X)
    assert (version.model, version.version, version.run_id, version.metrics) == ("line", 1, run.id, {"mae": 0.1})
    assert "model/signature.json" in [item.path for item in rooms.artifacts(run.id)]
    assert list(workspace.tmp.iterdir()) == []


@pytest.mark.parametrize(("last", "state"), [("pass", "finished"), ("raise ValueError('no')", "failed")])
def test_a_run_left_open_ends_with_the_interpreter(rooms, last, state):
    script = f"import mlops_tui as mlops\nrun = mlops.start_run()\nrun.log_metric('loss', 1)\nprint(run.id)\n{last}\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    found = rooms.run(done.stdout.strip())
    assert found.state == state
    assert ("ValueError: no" in found.error) == (state == "failed")


def test_importing_the_package_costs_next_to_nothing():
    script = (
        "import time, mlops_tui, sys; print(time.process_time(), sum(m.startswith('mlops_tui') for m in sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert float(out[0]) < 0.2  # 30 ms of CPU with the interpreter itself; the rest is for a busy machine
    assert out[1] == "2"


def test_every_public_name_is_there():
    for name in mlops.__all__:
        assert getattr(mlops, name) is not None
    assert set(mlops.__all__) == set(dir(mlops))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mlops.nonsense
