"""Model files of others: what a pickle imports is told before it may run, ONNX and skops come by themselves, trees are checked."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.registry import pickles
from mlops_tui.domains.registry.engines.bounds import check_bounds
from mlops_tui.workbench import Workbench

ROWS = pd.DataFrame(np.random.default_rng(2).normal(size=(40, 3)), columns=["a", "b", "c"])
YES = (ROWS["a"] > 0).astype(int)


class Harm:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(3, random_state=0).fit(ROWS, YES)


@pytest.mark.parametrize("compress", [0, 3])
def test_the_imports_of_a_model_are_listed_without_loading_it(tmp_path: Path, compress: int) -> None:
    joblib.dump(forest(), tmp_path / "m.joblib", compress=compress)
    found = pickles.imports_of(tmp_path / "m.joblib")
    assert {"sklearn.ensemble._forest.RandomForestClassifier", "sklearn.tree._tree.Tree"} <= set(found)
    assert pickles.unusual(found) == []


def test_a_harmful_pickle_is_seen_through_and_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"model": forest(), "more": Harm(tmp_path / "done")}))
    odd = pickles.unusual(pickles.imports_of(tmp_path / "m.pkl"))
    assert any(name.startswith("pathlib.") for name in odd)
    assert not (tmp_path / "done").exists()
    (tmp_path / "m.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    assert pickles.unusual(pickles.imports_of(tmp_path / "m.pkl")) == ["posix.system"]
    (tmp_path / "m.pkl").write_bytes(b"\x80\x05garbage")
    with pytest.raises(InvalidInput, match="cannot be read as a pickle"):
        pickles.imports_of(tmp_path / "m.pkl")


def test_a_pickle_needs_trust_and_then_becomes_a_version(
    workbench: Workbench, tmp_path: Path, asked_here: None
) -> None:
    joblib.dump(forest(), tmp_path / "m.joblib")
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    order = ("m", tmp_path / "m.joblib", tmp_path / "rows.csv")
    with pytest.raises(NotAllowed, match=r"may run any code.*sklearn\.tree\._tree\.Tree"):
        workbench.registry.import_file(*order, task="classification")
    found = workbench.registry.import_file(*order, task="classification", trust=True)
    assert (found.ref, found.tags["imported"], found.labels if hasattr(found, "labels") else "") == (
        "m/1",
        "m.joblib",
        "",
    )
    choice = workbench.registry.engine("m/1")
    assert choice is not None
    assert "exact" in {trial.engine for trial in choice.trials if trial.agrees}


def test_files_that_are_no_models_are_refused(workbench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("x")
    with pytest.raises(InvalidInput, match="no model file"):
        workbench.registry.import_file("m", tmp_path / "m.txt", tmp_path / "m.txt", task="regression")
    with pytest.raises(NotFound, match="no file"):
        workbench.registry.import_file("m", tmp_path / "gone.onnx", tmp_path / "m.txt", task="regression")


def test_a_tree_that_points_outside_itself_is_found() -> None:
    good = forest()
    check_bounds(good)
    check_bounds(HistGradientBoostingClassifier(max_iter=2).fit(ROWS, YES))
    state = good.estimators_[1].tree_.__getstate__()
    for field, value in (("left_child", 10_000), ("feature", 77), ("left_child", 0)):
        broken = {**state, "nodes": state["nodes"].copy()}
        broken["nodes"][field][0] = value
        tree = type(good.estimators_[1].tree_)(3, np.array([2]), 1)
        try:
            tree.__setstate__(broken)
        except ValueError:
            continue  # scikit-learn saw it itself
        bad = forest()
        bad.estimators_[1].tree_ = tree
        with pytest.raises(InvalidInput, match="points outside itself"):
            check_bounds(bad)


def test_skops_files_come_without_trust(workbench: Workbench, tmp_path: Path, asked_here: None) -> None:
    io = pytest.importorskip("skops.io")
    io.dump(forest(), tmp_path / "m.skops")
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    found = workbench.registry.import_file("m", tmp_path / "m.skops", tmp_path / "rows.csv", task="classification")
    assert found.ref == "m/1"


def test_onnx_files_come_without_trust_and_answer(workbench: Workbench, tmp_path: Path, asked_here: None) -> None:
    convert = pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(ROWS, ROWS["a"] * 2)
    (tmp_path / "m.onnx").write_bytes(convert.to_onnx(model, ROWS.to_numpy("float32")).SerializeToString())
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    workbench.registry.import_file("m", tmp_path / "m.onnx", tmp_path / "rows.csv", task="regression")
    loaded = workbench.registry.load("m/1")
    np.testing.assert_allclose(loaded.predict(ROWS), model.predict(ROWS), atol=1e-5)
