"""What a training script may do wrong, and what the disk may do to it: said in one line, never raised into training."""

from __future__ import annotations

import errno
import os

import pytest

import mlops_tui as mlops
from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.segments import SegmentWriter

LONG = "x" * 10_000


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench.experiments


@pytest.mark.parametrize("name", ["", " ", LONG, "a/b", "..", "../../etc", "a\x00b", "a\nb", "\x1b[2J", "-rf", "🎉"])
def test_an_experiment_with_such_a_name_is_refused_before_training(rooms, name):
    with pytest.raises(InvalidInput) as raised:
        mlops.start_run(name)
    assert len(str(raised.value)) < 300
    assert mlops.active_run() is None
    assert rooms.list() == []


@pytest.mark.parametrize("name", ["  ", LONG, "a/b/../c", "tab\there", "🎉 Größe", "\x1b[2J"])
def test_a_run_may_have_any_name_but_is_shown_in_one_line(rooms, name):
    with mlops.start_run("churn", name=name) as run:
        pass
    found = rooms.run(run.id)
    assert 0 < len(found.name) <= 200


@pytest.mark.parametrize("key", ["", " ", LONG, "a\x00b", "a\nb", "\x1b[2J", None, 5])
def test_a_key_that_cannot_be_one_is_said_once_in_one_short_line_and_left_out(rooms, capsys, key):
    with mlops.start_run("churn") as run:
        for _ in range(2):
            run.log_metric(key, 1.0)
            run.log_param(key, 1)
            run.set_tag(key, 1)
        run.log_metric("good", 1.0)
    assert list(rooms.metrics(run.id)) == ["good"]
    assert rooms.params(run.id) == {}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert all(len(line) < 200 for line in said)


@pytest.mark.parametrize(
    "key", ["a/b", "..", "../../x", "/etc/passwd", "🎉", "a b", "x" * 250, "a=b;c", "'; DROP TABLE run; --"]
)
def test_other_keys_are_only_names(rooms, key):
    with mlops.start_run("churn", tags={key: "t"}) as run:
        run.log_metric(key, 1.5)
        run.log_param(key, "p")
    assert rooms.metrics(run.id)[key].value == 1.5
    assert rooms.params(run.id) == {key: "p"}
    assert rooms.run(run.id).tags == {key: "t"}


def test_of_a_parameter_logged_twice_the_last_value_stays(rooms):
    with mlops.start_run("churn") as run:
        run.log_params({"lr": 0.1, "empty": "", "long": LONG})
        run.log_param("lr", 0.2)
    params = rooms.params(run.id)
    assert (params["lr"], params["empty"], len(params["long"])) == ("0.2", "", 6000)


def test_steps_may_come_in_any_order_and_must_be_whole(rooms, capsys):
    with mlops.start_run("churn") as run:
        for step in (5, -3, 2**62, 0, 5):
            run.log_metric("loss", step, step=step)
        for step in (0.5, "1", 2**63, float("nan")):
            run.log_metric("bad", 1.0, step=step)
    assert [point.step for point in rooms.history(run.id, "loss")] == [-3, 0, 5, 2**62]
    assert "bad" not in rooms.metrics(run.id)
    assert "not a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../../x", "..", ".", "", "a\\..\\x", "a\x00b", "n\nl", "x" * 501]
)
def test_no_name_of_an_artifact_leaves_the_run(path, tmp_path):
    file = tmp_path / "f.txt"
    file.write_text("x")
    with mlops.start_run("churn") as run:
        calls = [run.log_text, run.log_dict] if path else [run.log_text]
        for call in calls:
            with pytest.raises(InvalidInput, match="cannot name an artifact"):
                call("text", path)
        if path:
            with pytest.raises(InvalidInput, match="cannot name an artifact"):
                run.log_artifact(file, path)


@pytest.mark.parametrize("name", [None, 5, b"a", "", "  "])
def test_what_is_no_name_of_an_artifact_is_refused_in_a_sentence(name):
    with mlops.start_run("churn") as run, pytest.raises(InvalidInput, match="cannot name an artifact"):
        run.log_text("x", name)


def test_data_that_is_no_json_is_refused_in_a_sentence():
    itself: dict = {}
    itself["a"] = itself
    with mlops.start_run("churn") as run:
        for data in (itself, {("a", "b"): 1}):
            with pytest.raises(InvalidInput, match="cannot be written as JSON"):
                run.log_dict(data, "a.json")


def test_a_database_of_the_workspace_is_not_read_by_a_run(workspace):
    with mlops.start_run("churn") as run, pytest.raises(InvalidInput, match="belongs to the workspace"):
        run.log_artifact(workspace.catalog_db)


def test_a_file_that_vanishes_while_its_folder_is_copied_costs_only_itself(rooms, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(name)
    put = Artifacts.put_file

    def and_then_the_next_vanishes(self, source):
        (folder / "b.txt").unlink(missing_ok=True)
        return put(self, source)

    monkeypatch.setattr(Artifacts, "put_file", and_then_the_next_vanishes)
    with mlops.start_run("churn") as run:
        run.log_artifact(folder)
    kept = [item.path for item in rooms.artifacts(run.id) if item.path.startswith("out/")]
    assert kept == ["out/a.txt", "out/c.txt"]
    assert "artifact out/b.txt was not kept" in capsys.readouterr().err


def test_a_folder_is_kept_without_the_workspace_in_it(rooms, tmp_path):
    (tmp_path / "train.py").write_text("x")
    with mlops.start_run("churn") as run:
        run.log_artifact(tmp_path, "all")
    assert [item.path for item in rooms.artifacts(run.id) if item.path.startswith("all")] == ["all/train.py"]


def test_a_link_out_of_the_folder_is_kept_as_its_content_and_a_broken_one_not_at_all(rooms, tmp_path):
    (tmp_path / "secret.txt").write_text("content")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    (folder / "broken").symlink_to(tmp_path / "gone")
    os.mkfifo(folder / "pipe")
    with mlops.start_run("churn") as run:
        run.log_artifact(folder)
        with pytest.raises(NotFound):
            run.log_artifact(folder / "broken")
    assert [item.path for item in rooms.artifacts(run.id) if item.path.startswith("out")] == ["out/link"]


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_refuses_is_said_and_what_was_logged_comes_when_it_gives_in(rooms, monkeypatch, capsys, trouble):
    def refuse(*args):
        raise OSError(trouble, os.strerror(trouble))

    with mlops.start_run("churn") as run:
        with monkeypatch.context() as patch:
            patch.setattr(SegmentWriter, "_write", refuse)
            patch.setattr(Artifacts, "_stage", refuse)
            for step in range(3):
                run.log_metric("loss", step, step=step)
            run.log_params({"lr": 1})
            run.log_text("text", "a.txt")
            run.log_table({"a": [1]}, "t.csv")
            run.log_input([[1, 2]], "numbers")
        run.log_metric("loss", 9, step=9)
    said = capsys.readouterr().err
    assert said.count(f"run {run.id} cannot be written") == 1
    assert "artifact a.txt was not kept" in said
    assert [point.step for point in rooms.history(run.id, "loss")] == [0, 1, 2, 9]
    assert rooms.params(run.id) == {"lr": "1"}
    assert [one.name for one in rooms.inputs(run.id)] == ["numbers"]


@pytest.mark.parametrize("run_id", ["", "xyz", "0123456789abcdef", "../..", "0" * 17, "' OR 1=1"])
def test_a_run_that_is_not_there_is_not_resumed_nor_joined(run_id):
    for call in (lambda: mlops.start_run(resume=run_id), lambda: mlops.attach_run(run_id)):
        with pytest.raises((NotFound, InvalidInput)):
            call()
    assert mlops.active_run() is None
