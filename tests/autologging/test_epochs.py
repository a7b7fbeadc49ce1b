"""Training loops that report by the epoch."""

from __future__ import annotations

import pytest

import mlops_tui as mlops
from mlops_tui.autologging import watching


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    yield
    watching._complaints.clear()


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench


class Model:
    class optimizer:
        learning_rate = 0.1


def train(hook, model=None):
    """As Keras calls a callback, every hook it knows."""
    hook.set_params({"epochs": 2, "steps": 5, "verbose": None})
    hook.set_model(model)
    hook.on_train_begin({})
    for epoch in range(2):
        hook.on_epoch_begin(epoch, {})
        hook.on_train_batch_begin(0, {})
        hook.on_train_batch_end(0, {"loss": 9})
        hook.on_test_begin({})
        hook.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "val_loss": 2.0})
    hook.on_train_end({})


def test_a_callback_logs_epochs_into_a_run_of_its_own(rooms):
    train(mlops.callback(experiment="net", name="first", tags={"team": "x"}), Model())
    (run,) = rooms.experiments.runs("net")
    assert (run.name, run.state, run.tags["team"]) == ("first", "finished", "x")
    assert [(p.step, p.value) for p in rooms.experiments.history(run.id, "loss")] == [(0, 1.0), (1, 0.5)]
    assert rooms.experiments.metrics(run.id)["learning_rate"].value == 0.1
    assert rooms.experiments.params(run.id) == {"epochs": "2", "optimizer": "type", "steps": "5"}


def test_a_callback_logs_into_the_active_run_and_leaves_it_open(rooms):
    with mlops.start_run("mine") as run:
        train(mlops.callback(experiment="net"))
        assert not run.ended
    assert rooms.experiments.metrics(run.id)["val_loss"].count == 2
    assert [one.name for one in rooms.experiments.list()] == ["mine"]


def test_a_loop_that_raises_fails_the_run(rooms):
    with pytest.raises(ValueError, match="diverged"), mlops.callback(experiment="net") as hook:
        hook.on_epoch_end(0, {"loss": 1})
        raise ValueError("diverged")
    (run,) = rooms.experiments.runs("net")
    assert (run.state, "diverged" in run.error) == ("failed", True)


def test_nothing_is_raised_into_a_loop(rooms, capsys, monkeypatch):
    hook = mlops.callback(experiment="net")
    hook.on_epoch_end("third", {"loss": "much"})
    hook.on_epoch_end(1, {"loss": object()})
    hook.on_train_end()
    monkeypatch.setenv("MLOPS_WORKSPACE", "/nowhere")
    mlops.callback(experiment="net").on_epoch_end(0, {"loss": 1})
    assert "left something out" in capsys.readouterr().err


def test_a_callback_has_hooks_and_nothing_else():
    with pytest.raises(AttributeError):
        mlops.callback().fit  # noqa: B018


def test_log_epoch_writes_to_the_active_run(rooms, capsys):
    with mlops.start_run("mine") as run:
        mlops.log_epoch(3, {"loss": 0.2}, val_loss=0.3)
    assert rooms.experiments.metrics(run.id)["val_loss"].step == 3
    mlops.log_epoch(0, loss=1)
    assert "no run is being logged to" in capsys.readouterr().err
