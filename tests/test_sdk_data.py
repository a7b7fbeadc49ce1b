"""Tables, data, models and many points, as a training script logs them, and runs shared by several processes."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import pickle
import random
import sys
import time
import types

import numpy as np
import pandas as pd
import pytest

import mlops_tui as mlops
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.experiments import environment, machine
from mlops_tui.domains.experiments.mover import Mover
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.hardware.records import Driver, Gpu, GpuProcess, GpuState
from mlops_tui.onnx_model import OnnxClassifier, load


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench.experiments


class Torchlike:
    """As much of a tensor as logging asks for."""

    def __init__(self, *values: float) -> None:
        self.values, self.ndim = values, 0 if len(values) == 1 else 1

    def numel(self) -> int:
        return len(self.values)

    def item(self) -> float:
        return self.values[0]

    def __float__(self) -> float:
        return self.values[0]


FRAME = pd.DataFrame({"x": [1, 2], "city": ["Köln", None]})


@pytest.mark.parametrize("data", [FRAME, {"x": [1, 2], "city": ["Köln", None]}, [{"x": 1, "city": "Köln"}, {"x": 2}]])
def test_a_table_is_kept_as_the_ending_of_its_name_says(rooms, data, tmp_path):
    with mlops.start_run() as run:
        mlops.log_table(data, "t.csv")
        run.log_table(data, "t.json")
        run.log_table(data, "t.parquet")
    csv = rooms.artifact_file(run.id, "t.csv").read_text()
    assert csv.splitlines()[:2] == ["x,city", "1,Köln"]
    told = json.loads(rooms.artifact_file(run.id, "t.json").read_text())
    assert (told["columns"], told["data"][0]) == (["x", "city"], [1, "Köln"])
    assert pd.read_parquet(rooms.artifact_file(run.id, "t.parquet"))["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        ({"x": [1], "y": [1, 2]}, "t.csv", "one length"),
        ("text", "t.csv", "no table"),
        ({"x": "text"}, "t.csv", "no table"),
        ({"x": [1]}, "t.xlsx", "ending|cannot be kept"),
        ({"x": [1]}, "../t.csv", "cannot name"),
        ({"x": [1, object()]}, "t.parquet", "Parquet"),
    ],
)
def test_what_is_no_table_is_refused(data, name, why):
    with mlops.start_run() as run, pytest.raises(InvalidInput, match=why):
        run.log_table(data, name)


def test_data_a_run_read_is_told_by_its_content(rooms, workspace, tmp_path):
    file = tmp_path / "train.csv"
    file.write_text("a\n1\n")
    with mlops.open() as bench:
        bench.features.create("orders", ["id"])
        bench.features.ingest("orders", [{"id": 1, "total": 2.5}])
    with mlops.start_run() as run:
        mlops.log_input("orders@1")
        run.log_input(FRAME, "cities", context="validation")
        run.log_input(np.arange(6).reshape(3, 2), "numbers")
        run.log_input(file)
        for what, kind in (("nowhere@1", NotFound), (object(), InvalidInput), (tmp_path / "gone.csv", NotFound)):
            with pytest.raises(kind):
                run.log_input(what)
    found = {one.name: one for one in rooms.inputs(run.id)}
    assert (found["orders"].source_type, found["orders"].source) == ("features", "orders@1")
    assert found["cities"].tags == {"mlflow.data.context": "validation"}
    assert json.loads(found["numbers"].profile) == {"rows": 3, "columns": 2}
    assert found["train.csv"].source == str(file.resolve())


def test_the_hash_of_data_changes_with_values_names_and_types_and_with_nothing_else():
    from mlops_tui.sdk.inputs import _hashed

    same = _hashed(FRAME)[2]
    assert _hashed(FRAME.copy())[2] == same == _hashed(FRAME.set_index(pd.Index([5, 6])))[2]
    others = [FRAME.assign(x=[1, 3]), FRAME.rename(columns={"x": "z"}), FRAME.assign(x=[1.0, 2.0]), FRAME.iloc[::-1]]
    others += [FRAME.assign(x=[[1], [2]]), np.array([1, 2]), np.array([1.0, 2.0]), np.array([[1, 2]])]
    assert len({same, *(_hashed(other)[2] for other in others)}) == len(others) + 1


def test_numbers_of_other_libraries_are_numbers_and_arrays_are_not(rooms, capsys):
    with mlops.start_run() as run:
        run.log_metrics({"f32": np.float32(0.5), "i8": np.int8(3), "one": np.array([2.0]), "t": Torchlike(1.5)})
        run.log_metrics({"word": "0.5", "many": np.zeros(3), "tensor": Torchlike(1.0, 2.0), "none": None})
        run.log_params({"n": np.int64(4), "rate": Torchlike(0.25), "path": [1, 2]})
    values = {name: metric.value for name, metric in rooms.metrics(run.id).items()}
    assert values == {"f32": 0.5, "i8": 3.0, "one": 2.0, "t": 1.5}
    assert rooms.params(run.id) == {"n": "4", "rate": "0.25", "path": "[1, 2]"}
    said = capsys.readouterr().err
    assert "metric 'word' was not logged: '0.5' is not a number" in said
    assert "an array is not a number" in said


def test_many_points_go_in_one_call(rooms):
    count = 30_000
    with mlops.start_run() as run:
        run.log_metric("loss", 9, step=4)
        mlops.log_series("loss", range(count))
        run.log_series("sparse", [1.0, math.inf, math.nan], steps=[30, 10, 20])
        with pytest.raises(InvalidInput, match="2 values of 'x' have 1 steps"):
            run.log_series("x", [1, 2], steps=[1])
    assert rooms.metrics(run.id)["loss"].count == count + 1
    assert rooms.history(run.id, "loss")[-1].step == count + 4
    assert [point.step for point in rooms.history(run.id, "sparse")] == [10, 20, 30]
    assert len(rooms.history(run.id, "loss", most=100)) <= 102
    assert rooms.history(run.id, "loss", most=100)[-1].value == count - 1


def _work(run, process):
    run.log_series(f"loss{process}", range(50))
    run.finish()  # ends the logging of this process only


def test_a_spawned_process_logs_into_the_run_it_was_sent(rooms):
    with mlops.start_run() as run:
        worker = multiprocessing.get_context("spawn").Process(target=_work, args=(run, 1))
        worker.start()
        worker.join()
        assert worker.exitcode == 0
        rooms.take_in()
        assert rooms.run(run.id).state == "running"
    assert rooms.metrics(run.id)["loss1"].count == 50
    assert rooms.run(run.id).state == "finished"


def test_a_run_is_joined_by_its_id_and_goes_on_when_the_worker_leaves(rooms):
    with mlops.start_run() as run:
        with mlops.attach_run(run.id[:8]) as joined:
            mlops.log_metric("mine", 1)
            copy = pickle.loads(pickle.dumps(joined))
            copy.log_metric("copied", 2)
            copy.finish()
        with pytest.raises(ValueError, match="worker"), mlops.attach_run(run.id):
            raise ValueError("worker")
        assert rooms.run(run.id).state == "running"
        assert mlops.active_run() is run
        run.log_metric("owned", 3)
    assert set(rooms.metrics(run.id)) == {"mine", "copied", "owned"}
    with pytest.raises(NotFound):
        mlops.attach_run("0123456789abcdef")


def test_two_processes_that_end_one_run_leave_one_end(rooms):
    run = mlops.start_run()
    child = os.fork()
    if child == 0:
        try:
            run.writer.finish(RunState.FAILED, "said by the child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    run.finish()
    assert rooms.run(run.id).state in ("finished", "failed")
    assert rooms.run(run.id).ended_at is not None


class Halver:
    def predict(self, rows):
        return rows["x"].to_numpy() / 2


class Sorter:
    classes_ = ("low", "high")

    def predict(self, rows):
        return np.where(rows["x"] > 1, "high", "low")


@pytest.mark.parametrize(("model", "task"), [(Halver(), "regression"), (Sorter(), "classification")])
def test_any_object_that_predicts_is_kept_and_registered(rooms, model, task):
    with mlops.start_run() as run:
        run.log_metrics({"mae": 0.5, "system/cpu_percent": 100.0})
        version = run.log_model(model, sample=FRAME[["x"]], register="any")
        with pytest.raises(InvalidInput, match="some rows"):
            run.log_model(model)
        with pytest.raises(InvalidInput, match="no ONNX file"):
            run.log_model("model.txt", sample=FRAME)
    assert (version.task, version.metrics) == (task, {"mae": 0.5})
    with mlops.open() as bench:
        assert len(bench.registry.load("any").predict(FRAME)) == 2


class FakeRuntime(types.ModuleType):
    """Answers like onnxruntime for a model with one input and two outputs."""

    class InferenceSession:
        def __init__(self, content, providers):
            if content != b"onnx":
                raise RuntimeError("INVALID_PROTOBUF\nand so on")

        def get_inputs(self):
            return [types.SimpleNamespace(name="X", type="tensor(float)")]

        def get_outputs(self):
            return [types.SimpleNamespace(name="label"), types.SimpleNamespace(name="probabilities")]

        def run(self, names, given):
            assert given["X"].dtype == np.float32
            share = given["X"][:, 0] / 10
            return [(share > 0.15).astype(np.int64), [{0: 1 - one, 1: one} for one in share]]


def test_an_onnx_model_is_packaged_like_any_other(rooms, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime("onnxruntime"))
    (tmp_path / "m.onnx").write_bytes(b"onnx")
    with mlops.start_run() as run:
        version = run.log_model(tmp_path / "m.onnx", sample=FRAME[["x"]], register="net")
        with pytest.raises(InvalidInput, match="INVALID_PROTOBUF"):
            run.log_model(b"other", sample=FRAME[["x"]])
    assert (version.task, version.signature["labels"]) == ("classification", [0, 1])
    with mlops.open() as bench:
        again = bench.registry.load("net")
        assert isinstance(again, OnnxClassifier)
        assert again.predict(FRAME[["x"]]).tolist() == [0, 1]
        assert again.predict_proba(FRAME[["x"]]).shape == (2, 2)


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unavailable) as raised:
        load(b"onnx")
    assert "mlops-tui[onnx]" in raised.value.hint


def test_seeds_that_were_set_are_told_and_no_others(monkeypatch):
    before = np.random.get_state()
    try:
        monkeypatch.setenv("PYTHONHASHSEED", "7")
        np.random.seed(42)
        assert environment.seeds() == {"PYTHONHASHSEED": "7", "numpy": "42"}
        np.random.random(3)
        monkeypatch.setenv("PYTHONHASHSEED", "random")
        assert environment.seeds() == {}
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(initial_seed=lambda: 5))
        assert environment.seeds() == {"torch": "5"}
    finally:
        np.random.set_state(before)


def test_what_the_machine_does_is_sampled_for_the_process_and_its_children():
    sampler = machine.Sampler(gpus=types.SimpleNamespace(read=lambda: (Driver.OK, ())))
    busy = time.process_time() + 0.1  # the kernel counts in hundredths of a second
    while time.process_time() < busy:
        random.random()
    found = sampler.sample()
    assert found["system/cpu_percent"] > 0
    assert found["system/memory_mb"] > 10
    assert found["system/processes"] >= 1


def test_gpus_are_those_the_run_uses_or_all_where_nobody_can_tell():
    mine = Gpu(0, "A", GpuState.OK, utilization=80.0, memory_used=9_000_000, processes=(GpuProcess(5, 2_000_000),))
    other = Gpu(1, "B", GpuState.OK, utilization=10.0, memory_used=4_000_000, processes=(GpuProcess(9, 4_000_000),))
    silent = Gpu(2, "C", GpuState.OK)
    assert machine.gpu_values((mine, other, silent), {5}) == {"system/gpu0_percent": 80.0, "system/gpu0_memory_mb": 2.0}
    nobody = machine.gpu_values((mine, other), {1})
    assert nobody["system/gpu1_memory_mb"] == 4.0
    assert nobody["system/gpu0_memory_mb"] == 9.0


@pytest.mark.parametrize(
    ("wanted", "said", "seconds"),
    [(None, "", 10.0), (None, "0", None), (None, "2.5", 2.5), (None, "what", 10.0), (False, "5", None), (True, "0", 10.0), (0.1, "", 0.5)],
)  # fmt: skip
def test_system_metrics_are_switched_off_and_paced(monkeypatch, wanted, said, seconds):
    monkeypatch.setenv("MLOPS_SYSTEM_METRICS", said)
    assert machine.seconds(wanted) == seconds


def test_samples_go_to_the_runs_whose_turn_it_is_and_trouble_ends_them(monkeypatch, rooms, capsys):
    with mlops.start_run(system_metrics=False) as run:
        mover = Mover(lambda: None)
        mover._watched[run.writer] = (10.0, 0.0)
        mover._look()  # the first look only begins
        mover._watched[run.writer] = (10.0, 0.0)
        mover._look()
        mover._look()
        mover._watched[run.writer] = (10.0, 0.0)
        monkeypatch.setattr(machine.Sampler, "sample", lambda self: 1 / 0)
        mover._look()
        assert mover._watched == {}
    assert rooms.metrics(run.id)["system/memory_mb"].count == 1
    assert "the machine is not watched" in capsys.readouterr().err
