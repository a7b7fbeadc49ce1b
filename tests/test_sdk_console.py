"""What a run prints is kept with it and still printed."""

from __future__ import annotations

import logging
import os
import signal
import sys

import pytest

import mlops_tui as mlops
from mlops_tui import sdk
from mlops_tui.core.errors import NotFound
from mlops_tui.sdk import console
from mlops_tui.sdk.supervised import supervise


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    yield
    assert sdk.active._latest == []
    assert console._logs == []


def test_what_is_printed_is_in_the_log_at_once_and_on_the_terminal_too(capsys):
    handler = logging.StreamHandler(sys.stderr)  # it holds on to the stream it was given
    with mlops.start_run("churn", capture_output=True) as run:
        print("hello", "Größe")
        log = run.log_dir / "console.log"
        assert log.read_text() == "hello Größe\n"
        handler.emit(logging.LogRecord("a", 20, "", 0, "logged", (), None))
        if (child := os.fork()) == 0:
            print("child")
            os._exit(0)
        os.waitpid(child, 0)
    print("after")
    assert log.read_text() == "hello Größe\nlogged\nchild\n"
    assert capsys.readouterr() == ("hello Größe\nafter\n", "logged\n"), "the child has its own copy"


def test_a_child_run_and_its_parent_both_keep_what_is_printed_meanwhile(capsys):
    with mlops.start_run("churn", capture_output=True) as outer:
        print("one")
        with mlops.start_run("churn", capture_output=True) as inner:
            print("two")
        print("three")
    assert (outer.log_dir / "console.log").read_text() == "one\ntwo\nthree\n"
    assert (inner.log_dir / "console.log").read_text() == "two\n"
    assert "write" not in vars(sys.stdout)


@pytest.mark.parametrize(("said", "kept"), [("1", True), ("off", False), ("", False)])
def test_the_environment_can_ask_for_it(capsys, monkeypatch, said, kept):
    monkeypatch.setenv(console.VARIABLE, said)
    with mlops.start_run("churn") as run:
        print("hello")
    assert (run.log_dir / "console.log").exists() is kept


def test_a_log_has_an_end(capsys, monkeypatch):
    monkeypatch.setattr(console, "MOST_BYTES", 10)
    with mlops.start_run("churn", capture_output=True) as run:
        print("12345678")
        print("abcdef")
        print("no more")
    assert (run.log_dir / "console.log").read_text() == "12345678\na\n... more was printed than is kept\n"
    assert capsys.readouterr().out.endswith("no more\n")


def test_a_log_that_cannot_be_written_leaves_the_run_alone(capsys, workspace, monkeypatch):
    (workspace.logs / "runs").write_text("in the way")
    with mlops.start_run("churn", capture_output=True) as run:
        print("hello")
    assert capsys.readouterr().out == "hello\n"
    with mlops.open() as bench:
        assert bench.experiments.run(run.id).state == "finished"


def test_a_removed_run_takes_its_log_with_it(capsys):
    with mlops.start_run("churn", capture_output=True) as run:
        print("hello")
    with mlops.open() as bench:
        bench.experiments.remove_run(run.id)
    assert not run.log_dir.exists()


# -- commands ----------------------------------------------------------------------------------------------------------


def test_a_command_ends_its_run_as_it_ends_itself():
    script = "import sys; print('out'); print('why', file=sys.stderr); sys.exit(3)"
    run = mlops.start_run("churn", command=[sys.executable, "-c", script])
    assert supervise(run, [sys.executable, "-c", script]) == 3
    kept = (run.log_dir / "console.log").read_text()
    assert "out" in kept
    assert "why" in kept
    with mlops.open() as bench:
        found = bench.experiments.run(run.id)
    assert (found.state, found.error, found.source) == ("failed", "The command ended with 3.\nwhy", sys.executable)


def test_a_command_that_was_killed_and_one_that_is_none_failed():
    killed = mlops.start_run("churn")
    assert supervise(killed, ["sh", "-c", "kill -9 $$"]) == 128 + signal.SIGKILL
    none = mlops.start_run("churn")
    with pytest.raises(NotFound, match="cannot be started"):
        supervise(none, ["no-such-program"])
    with mlops.open() as bench:
        assert bench.experiments.run(killed.id).error == "SIGKILL ended the command."
        assert bench.experiments.run(none.id).state == "failed"
