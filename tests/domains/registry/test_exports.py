"""Versions for other programs: whole or not at all, read-only under their hashes, refused in a sentence."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.exports import container, onnx
from mlops_tui.domains.registry.exports.writing import verify
from mlops_tui.workbench import Workbench

ROWS = pd.DataFrame({"temp": [1.0, 2.0, 3.0, 4.0], "hour": [1, 2, 3, 4]})


@pytest.fixture
def bench(workbench: Workbench, tmp_path: Path) -> Workbench:
    """One version of a real small model."""
    model = Ridge().fit(ROWS, [2.0, 4.0, 6.0, 8.0])
    package.save(tmp_path / "package", model, sample=ROWS, task="regression", target="hires")
    workbench.registry.register("hire", tmp_path / "package")
    return workbench


def test_an_export_is_read_only_whole_and_in_the_audit_trail(bench: Workbench, tmp_path: Path) -> None:
    found = bench.registry.export("hire/1", tmp_path / "box", "container")
    names = {"Dockerfile", "README.md", "request.json", "requirements.txt", "start.sh"}
    assert {name for name in found.files if "/" not in name} == names
    assert verify(tmp_path / "box") == []
    assert not (tmp_path / "box" / "Dockerfile").stat().st_mode & 0o222
    entry = bench.audit.list(limit=1)[0]
    assert (entry.verb, entry.name) == ("export", "hire/1")


def test_the_same_version_gives_the_same_bytes(bench: Workbench, tmp_path: Path) -> None:
    first = bench.registry.export("hire/1", tmp_path / "a", "mlflow")
    assert bench.registry.export("hire/1", tmp_path / "b", "mlflow").sha == first.sha


def test_what_was_changed_afterwards_is_named(bench: Workbench, tmp_path: Path) -> None:
    box = tmp_path / "box"
    bench.registry.export("hire/1", box, "container")
    (box / "start.sh").chmod(0o644)
    (box / "start.sh").write_text("true")
    (box / "more").write_text("")
    (box / "README.md").unlink()
    assert verify(box) == ["README.md is missing", "more was added", "start.sh was changed"]


def test_a_folder_that_is_there_is_not_replaced(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        bench.registry.export("hire/1", tmp_path, "container")


def test_an_unknown_format_is_refused_with_the_nearest(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        bench.registry.export("hire/1", tmp_path / "x", "onx")
    assert "onnx" in caught.value.hint
    assert not (tmp_path / "x").exists()


def test_what_is_no_export_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is no export"):
        verify(tmp_path)
    (tmp_path / "export.json").write_text("[]")
    with pytest.raises(InvalidInput, match="damaged"):
        verify(tmp_path)


def test_the_example_request_is_the_first_stored_row(bench: Workbench, tmp_path: Path) -> None:
    bench.registry.export("hire/1", tmp_path / "box", "container")
    inputs = json.loads((tmp_path / "box" / "request.json").read_text())["inputs"]
    assert [(one["name"], one["datatype"], one["data"]) for one in inputs] == [
        ("temp", "FP64", [1.0]),
        ("hour", "INT64", [1]),
    ]


def test_values_of_a_request_are_those_of_json() -> None:
    moment = pd.Timestamp("2025-01-01")
    assert container.json_values([None, float("nan"), True, "a", moment]) == [
        None,
        None,
        True,
        "a",
        "2025-01-01 00:00:00",
    ]


def test_the_loader_of_an_mlflow_model_answers_as_the_model_does(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    bench.registry.export("hire/1", folder, "mlflow")
    described = json.loads((folder / "MLmodel").read_text())
    flavor = described["flavors"]["python_function"]
    monkeypatch.syspath_prepend(str(folder / flavor["code"]))
    loader: Any = __import__(flavor["loader_module"])
    answers = loader._load_pyfunc(str(folder / flavor["data"])).predict(ROWS[["hour", "temp"]])
    assert np.allclose(answers, bench.registry.load("hire/1").predict(ROWS))
    inputs = json.loads(described["signature"]["inputs"])
    assert [(one["name"], one["type"]) for one in inputs] == [("temp", "double"), ("hour", "long")]


def test_onnx_without_its_libraries_names_the_extra_and_leaves_nothing(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(Unavailable) as caught:
        bench.registry.export("hire/1", tmp_path / "graph", "onnx")
    assert "mlops-tui[onnx-export]" in caught.value.hint
    assert not list(tmp_path.glob("*graph*"))


class Session:
    """A graph that answers what it was given."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def InferenceSession(self, content: bytes, providers: Any) -> Session:
        return self

    def get_inputs(self) -> list[Any]:
        return []

    def run(self, names: Any, given: Any) -> list[Any]:
        return [self.answers]


@pytest.mark.parametrize(("off", "ok"), [(0.0, True), (0.5, False)])
def test_a_graph_that_answers_otherwise_is_not_taken(off: float, ok: bool) -> None:
    model = Ridge().fit(ROWS, [2.0, 4.0, 6.0, 8.0])
    described = {"outputs": [{}], "inputs": [], "frame": True}
    found = onnx.agreement(Session(model.predict(ROWS) + off), b"", model, described, ROWS)
    assert found["ok"] is ok
    assert found["rows"] == 4


def test_a_real_graph_agrees_with_its_model(bench: Workbench, tmp_path: Path, asked_here: None) -> None:
    pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    found = bench.registry.export("hire/1", tmp_path / "graph", "onnx")
    assert "double precision" in found.said
    assert json.loads((tmp_path / "graph" / "agreement.json").read_text())["rows"] == 4
    assert "package/model.joblib" not in found.files


@pytest.fixture
def mlserver(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of MLServer as a runtime takes from it; the real one answered the same when it was tried."""

    class Refused(Exception):
        pass

    parts = {
        "mlserver": {"MLModel": type("MLModel", (), {"name": "hire", "version": "1"})},
        "mlserver.errors": {"InferenceError": Refused},
        "mlserver.types": {"InferenceResponse": SimpleNamespace, "ResponseOutput": SimpleNamespace},
    }
    for name, members in parts.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**members))


def test_the_runtime_of_an_mlserver_model_answers_named_columns_as_the_model_does(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlserver: None
) -> None:
    folder = tmp_path / "model"
    bench.registry.export("hire/1", folder, "mlserver")
    settings = json.loads((folder / "model-settings.json").read_text())
    assert [(one["name"], one["datatype"]) for one in settings["inputs"]] == [("temp", "FP64"), ("hour", "INT64")]
    assert settings["parameters"]["version"] == "1"
    monkeypatch.syspath_prepend(str(folder))
    module, _, kind = settings["implementation"].partition(".")
    model: Any = getattr(__import__(module), kind)()
    assert asyncio.run(model.load())
    columns = [SimpleNamespace(name=name, datatype="FP64", data=ROWS[name].tolist()) for name in ("hour", "temp")]
    (output,) = asyncio.run(model.predict(SimpleNamespace(inputs=columns))).outputs
    assert (output.name, output.datatype, output.shape) == ("prediction", "FP64", [4])
    assert np.allclose(output.data, bench.registry.load("hire/1").predict(ROWS))
    for wrong, said in (
        (columns[:1], "The input temp is missing"),
        ([*columns[:1], words("temp")], "holds no float64"),
    ):
        with pytest.raises(sys.modules["mlserver.errors"].InferenceError, match=said):
            asyncio.run(model.predict(SimpleNamespace(inputs=wrong)))


def words(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, datatype="BYTES", data=[b"a", b"b", b"c", b"d"])
