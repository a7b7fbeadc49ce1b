from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlops_tui.core import extras
from mlops_tui.core.errors import Unavailable
from mlops_tui.domains.pipelines import shapley
from mlops_tui.domains.pipelines.answers import answer_of
from mlops_tui.domains.registry import judgement
from mlops_tui.domains.registry.evidence import Evidence


@pytest.fixture
def rows():
    chance = np.random.default_rng(0)
    return pd.DataFrame({"x": chance.normal(size=80), "city": chance.choice(["bern", "rome"], 80), "noise": 1.0})


def fitted(estimator, rows, target):
    encoded = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    return make_pipeline(encoded, estimator).fit(rows, target)


def test_without_the_library_the_hint_says_how_it_comes(rows, monkeypatch):
    monkeypatch.setattr(extras.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(Unavailable, match="needs shap") as missing:
        shapley.explain(None, rows, rows, "regression", 0)
    assert "mlops-tui[shap]" in missing.value.hint


def test_values_of_a_linear_model_are_what_each_column_adds(rows):
    pytest.importorskip("shap")
    model = fitted(LinearRegression(), rows, 3 * rows["x"] + (rows["city"] == "rome"))
    report, values = shapley.explain(model, rows, rows, "regression", 0)
    assert [one["column"] for one in report["columns"]] == ["x", "city", "noise"]
    assert (report["rows"], report["background"], report["label"]) == (80, 50, "")
    slopes = np.polyfit(rows["x"], values["shap x"], 1)
    assert slopes[0] == pytest.approx(3)
    assert np.allclose(values["shap noise"], 0)
    assert np.allclose(values["answer"], answer_of(model, rows, "regression")[0])


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_values_of_a_classifier_add_up_to_a_probability(rows, labels):
    pytest.importorskip("shap")
    target = np.array(labels)[np.digitize(rows["x"], [-0.4, 0.4][: len(labels) - 1])]
    model = fitted(LogisticRegression(), rows, target)
    report, values = shapley.explain(model, rows.head(10), rows, "classification", 0)
    asked = answer_of(model, rows.head(10), "classification")[0]
    assert np.allclose(values["answer"], asked[:, 1] if len(labels) == 2 else asked.max(axis=1))
    assert set(values["label"]) <= {"yes"} if len(labels) == 2 else set(labels)
    assert report["label"] == ("yes" if len(labels) == 2 else "the label said")


def test_the_card_has_what_each_column_adds():
    columns = [{"column": "x", "mean": 2.5, "low": -4.0, "high": 4.5}]
    said = {"rows": 80, "background": 50, "label": "yes", "base": 0.25, "columns": columns}
    words, table = judgement.effects(Evidence(explanation={"shap": said}))
    assert "adds to the probability of yes, which is 0.25 on average" in words
    assert table[1] == [("`x`", "2.5", "-4 to 4.5")]
    assert judgement.effects(Evidence()) == ("", None)
