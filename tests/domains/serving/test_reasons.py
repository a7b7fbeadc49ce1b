"""Why an answer is what it is: contributions that sum up, words, neighbours, and a row answered again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.registry import package
from mlops_tui.domains.serving.reasons import contributions, neighbours
from mlops_tui.domains.serving.records import Prediction
from mlops_tui.workbench import Workbench


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    return pd.DataFrame(
        {"a": generator.normal(size=120), "b": generator.normal(size=120) * 10, "c": generator.choice(["x", "y"], 120)}
    )


def explained(model: Any, rows: pd.DataFrame, task: str) -> tuple[str, str, float, float, dict[str, float]]:
    described = package.describe(model, rows, task=task, target="y")
    return contributions.explain(model, described, rows.iloc[[3]].reset_index(drop=True), rows)


def encoded(final: Any) -> Any:
    parts = [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["c"])]
    return make_pipeline(ColumnTransformer(parts), final)


# -- contributions


def test_terms_of_a_linear_model_are_its_coefficients_times_the_distance_from_the_mean(rows: pd.DataFrame) -> None:
    model = LinearRegression().fit(rows[["a", "b"]], 3 * rows["a"] - 2 * rows["b"])
    of, method, base, answer, parts = explained(model, rows[["a", "b"]], "regression")
    assert (of, method.partition(":")[0]) == ("the predicted y", "exact")
    some = rows.iloc[np.unique(np.linspace(0, 119, 100).astype(int))]
    assert parts["a"] == pytest.approx(3 * (rows["a"][3] - some["a"].mean()))
    assert parts["b"] == pytest.approx(-2 * (rows["b"][3] - some["b"].mean()))
    assert base + sum(parts.values()) == pytest.approx(answer)


@pytest.mark.parametrize(
    ("model", "unit"),
    [
        (LogisticRegression(), "log-odds"),
        (RandomForestClassifier(8, random_state=0), "probability"),
        (HistGradientBoostingClassifier(max_iter=8, random_state=0), "log-odds"),
    ],
    ids=["linear", "forest", "histogram boosting"],
)
def test_parts_of_classifiers_behind_encoders_sum_up_to_the_answer(rows: pd.DataFrame, model: Any, unit: str) -> None:
    truth = np.where(rows["a"] + (rows["c"] == "x") > 0.5, "yes", "no")
    fitted = encoded(model).fit(rows, truth)
    of, method, base, answer, parts = explained(fitted, rows, "classification")
    assert unit in of
    assert method.startswith("exact")
    assert base + sum(parts.values()) == pytest.approx(answer)
    assert abs(parts["b"]) < abs(parts["a"]) + abs(parts["c"])


def test_the_path_through_a_single_tree_is_what_each_split_changed(rows: pd.DataFrame) -> None:
    from sklearn.tree import DecisionTreeRegressor

    truth = np.where(rows["a"] > 0, 10.0, 0.0) + np.where(rows["b"] > 0, 1.0, 0.0)
    tree = DecisionTreeRegressor(max_depth=2).fit(rows[["a", "b"]], truth)
    _, _, base, answer, parts = explained(tree, rows[["a", "b"]], "regression")
    side = truth[(rows["a"] > 0) == (rows["a"][3] > 0)].mean()
    assert base == pytest.approx(truth.mean())
    assert parts == {"a": pytest.approx(side - truth.mean()), "b": pytest.approx(answer - side)}


def test_gradient_boosting_sums_its_trees(rows: pd.DataFrame) -> None:
    model = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(rows[["a", "b"]], rows["a"] * rows["b"])
    _, method, base, answer, parts = explained(model, rows[["a", "b"]], "regression")
    assert "path" in method
    assert base + sum(parts.values()) == pytest.approx(answer)


def test_of_a_transformed_target_the_transformed_answer_is_explained(rows: pd.DataFrame) -> None:
    inside = GradientBoostingRegressor(n_estimators=10, random_state=0)
    model = TransformedTargetRegressor(inside, func=np.log1p, inverse_func=np.expm1)
    model.fit(rows[["a", "b"]], rows["b"].abs())
    of, method, base, _, parts = explained(model, rows[["a", "b"]], "regression")
    assert of == "log1p of the predicted y"
    assert "path" in method
    assert np.expm1(base + sum(parts.values())) == pytest.approx(model.predict(rows[["a", "b"]].iloc[[3]])[0])


def test_other_models_are_explained_by_replacing_and_it_is_said(rows: pd.DataFrame) -> None:
    near = KNeighborsRegressor(3).fit(rows[["a", "b"]], rows["a"])
    assert explained(near, rows[["a", "b"]], "regression")[1].startswith("occlusion: each input alone")
    odd = IsolationForest(n_estimators=10, random_state=0).fit(rows[["a", "b"]])
    assert "ordinary" in explained(odd, rows[["a", "b"]], "anomaly")[0]


def test_words_of_a_text_are_left_out_one_by_one() -> None:
    texts = pd.DataFrame({"text": ["good day", "bad day", "good", "bad night"] * 5})
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts["text"], ["up", "down"] * 10)
    described = package.describe(model, texts, task="classification", target="y")
    _, method, _, _, parts = contributions.explain(model, described, pd.DataFrame({"text": ["good day"]}), texts)
    assert "word" in method
    assert parts["good"] > abs(parts["day"])


# -- neighbours


def test_nearest_rows_are_near_in_scaled_space_and_levels_count(rows: pd.DataFrame) -> None:
    wanted = rows.iloc[[7]].reset_index(drop=True)
    found, typical = neighbours.nearest(wanted, rows, 3)
    assert found[0] == (0.0, 7)
    assert typical is not None
    assert found[0][0] < found[1][0] <= found[2][0]
    other = wanted.assign(c="neither")
    assert neighbours.nearest(other, rows, 1)[0][0] == (pytest.approx(np.sqrt(1 / 3)), 7)
    gone = wanted.assign(b=np.nan)
    assert neighbours.nearest(gone, rows, 1)[0][0] == (pytest.approx(np.sqrt(1 / 3)), 7)


def test_rows_of_a_snapshot_come_with_their_truth_and_one_that_lacks_a_column_does_not_serve(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "part.parquet"
    rows.assign(y=range(120)).to_parquet(path)
    read = neighbours.read([path], ["a", "b"], "y")
    assert read is not None
    assert neighbours.records([(0.5, 2)], read, ["a", "b"], "y")[0].truth == 2
    assert neighbours.read([path], ["a", "z"], "y") is None


# -- of a version


@pytest.fixture
def bench(workbench: Workbench, rows: pd.DataFrame, tmp_path: Path, asked_here: None) -> Callable[[Any], Workbench]:
    """Registers a regression of a and b."""

    def add(model: Any, snapshots: list[str] | None = None) -> Workbench:
        folder = tmp_path / f"p{len(list(tmp_path.iterdir()))}"
        held_out = (rows[["a", "b"]], rows["a"])
        package.save(folder, model, sample=rows[["a", "b"]], task="regression", target="y", held_out=held_out)
        workbench.registry.register("m", folder, snapshots=snapshots)
        return workbench

    return add


def logged(workbench: Workbench, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    one = Prediction("p1", 0, "live", "m", 1, 1.0, 200, "", 2.0, None, {"a": 1.0, "b": 0.0})
    import dataclasses

    monkeypatch.setattr(workbench.serving, "prediction", lambda name: dataclasses.replace(one, **changes))


def test_an_answer_is_explained_with_snapshots_and_rows_near_it(
    bench: Callable[..., Workbench], rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = bench(LinearRegression().fit(rows[["a", "b"]], 2 * rows["a"]), ["t@1"])
    logged(workbench, monkeypatch)
    kept = workbench.serving.why("p1")
    assert kept.source == "120 test rows kept with the version"
    assert (kept.parts[0].name, kept.parts[0].snapshot, kept.rest) == ("a", "", 0.0)
    workbench.features.create("t", ["k"])
    workbench.features.ingest("t", rows[["a", "b"]].assign(k=range(120), y=rows["a"]))
    found = workbench.serving.why("p1")
    assert found.source == "the rows of t@1"
    assert {one.snapshot for one in found.parts} == {"t@1"}
    assert len(found.nearest) == 5
    assert found.nearest[0].truth == found.nearest[0].values["a"]


def test_a_row_is_answered_again_by_another_version(
    bench: Callable[..., Workbench], rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench(LinearRegression().fit(rows[["a", "b"]], 2 * rows["a"]))
    workbench = bench(LinearRegression().fit(rows[["a", "b"]], 5 * rows["a"]))
    logged(workbench, monkeypatch)
    found = workbench.serving.replay("p1", "2")
    assert (found.ref, found.other_ref, found.same) == ("m/1", "m/2", False)
    assert found.difference == pytest.approx(3.0)
    assert workbench.serving.replay("p1", "m/1").same
    logged(workbench, monkeypatch, inputs={"a": None, "b": 0.0})
    assert "NaN" in workbench.serving.replay("p1", "2").error


def test_what_was_not_answered_has_no_reasons_and_other_models_no_answer(
    bench: Callable[..., Workbench], rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, register: Callable[..., int]
) -> None:
    workbench = bench(LinearRegression().fit(rows[["a", "b"]], rows["a"]))
    logged(workbench, monkeypatch, error="a is missing", prediction=None)
    with pytest.raises(InvalidInput, match="was not answered"):
        workbench.serving.why("p1")
    register("churn")
    with pytest.raises(InvalidInput, match="answered by m, not by churn"):
        workbench.serving.replay("p1", "churn/1")
