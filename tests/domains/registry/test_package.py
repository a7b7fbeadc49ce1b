from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.registry import package


class Stub:
    def __init__(self, answer=0.0):
        self.answer = answer

    def predict(self, rows):
        return np.full(len(rows), self.answer)


SAMPLE = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "s": ["a", "b"], "b": [True, False]})


def save(folder, estimator=None, **more):
    package.save(folder, estimator or Stub(), sample=SAMPLE, task="regression", target="y", **more)
    return folder


def test_the_signature_names_the_type_of_each_input_and_output(tmp_path):
    described = package.signature(save(tmp_path / "p"))
    assert [item["type"] for item in described["inputs"]] == ["int64", "float64", "string", "bool"]
    assert described["outputs"] == [{"name": "prediction", "type": "float64"}]
    assert described["target"] == "y"


def test_the_sample_is_at_most_200_rows(tmp_path):
    frame = pd.DataFrame({"x": range(1000)})
    package.save(tmp_path / "p", Stub(), sample=frame, task="regression", target="y")
    assert len(package.sample(tmp_path / "p")) == 200


def test_an_estimator_that_cannot_be_pickled_leaves_no_folder(tmp_path):
    stub = Stub()
    stub.lock = __import__("threading").Lock()
    with pytest.raises(InvalidInput, match="cannot be saved"):
        save(tmp_path / "p", stub)
    assert list(tmp_path.iterdir()) == []


def test_an_estimator_that_cannot_answer_its_sample_is_refused(tmp_path):
    class Broken(Stub):
        def predict(self, rows):
            raise ValueError("not fitted yet")

    with pytest.raises(InvalidInput, match="not fitted yet"):
        save(tmp_path / "p", Broken())


def test_a_class_of_the_training_script_loads_in_another_process(tmp_path):
    script = f"""
import numpy as np, pandas as pd, pathlib
from mlops_tui.domains.registry import package
class Mine:
    def predict(self, rows): return np.ones(len(rows))
package.save(pathlib.Path({str(tmp_path / "p")!r}), Mine(), sample=pd.DataFrame({{"x": [1.0]}}), task="regression", target="y")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert package.load(tmp_path / "p").predict([0, 0]).tolist() == [1.0, 1.0]


def test_a_model_file_that_is_cut_short_says_so(tmp_path):
    folder = save(tmp_path / "p")
    path = folder / package.MODEL
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        package.load(folder)


def test_a_missing_library_is_named(tmp_path):
    folder = save(tmp_path / "p")
    (folder / package.MODEL).write_bytes(b"cno_such_library.forest\nTree\n.")
    with pytest.raises(Unavailable, match="no_such_library") as caught:
        package.load(folder)
    assert "pip install no_such_library" in caught.value.hint


def test_another_scikit_learn_is_named_at_load_and_in_the_hint_of_a_failure(tmp_path):
    folder = save(tmp_path / "p")
    saved = json.loads((folder / package.ENVIRONMENT).read_text())
    saved["libraries"]["scikit-learn"] = "1.2.0"
    (folder / package.ENVIRONMENT).write_text(json.dumps(saved))
    with pytest.warns(package.EnvironmentMismatch, match=r"scikit-learn 1\.2\.0 then"):
        package.load(folder)
    (folder / package.MODEL).write_bytes(pickle.dumps(Stub())[:10])
    with pytest.raises(InvalidInput) as caught:
        package.load(folder)
    assert "scikit-learn 1.2.0 then" in caught.value.hint


def test_a_patch_release_is_no_mismatch():
    running = package.current_environment()
    newer = {"python": running["python"].rpartition(".")[0] + ".99", "libraries": running["libraries"]}
    assert package.mismatches(newer) == []


def test_a_folder_without_a_model_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no model package"):
        package.load(tmp_path)


def test_prepare_gives_the_columns_in_order_and_bare_values_to_an_estimator_fitted_on_them(tmp_path):
    shuffled = SAMPLE[["b", "s", "x", "n"]]
    described = package.signature(save(tmp_path / "p"))
    assert list(package.prepare(described, shuffled).columns) == ["n", "x", "s", "b"]
    stub = Stub()
    stub.n_features_in_ = 4
    described = package.signature(save(tmp_path / "q", stub))
    assert package.prepare(described, shuffled)[0].tolist() == [1, 0.5, "a", True]
