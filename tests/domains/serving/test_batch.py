"""Batches: every row once, whoever dies when; rows a model refuses stand with their error; results say where they are from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.registry import package
from mlops_tui.workbench import Workbench

ROWS = pd.DataFrame(np.random.default_rng(3).normal(size=(25, 2)), columns=["a", "b"])


@pytest.fixture
def model(workbench: Workbench, tmp_path: Path) -> LogisticRegression:
    fitted = LogisticRegression().fit(ROWS, (ROWS["a"] > 0).astype(int))
    package.save(tmp_path / "package", fitted, sample=ROWS, task="classification", target="y")
    workbench.registry.register("m", tmp_path / "package")
    return fitted


def quiet(done: int, total: int | None, note: str) -> None:
    return None


def test_a_file_is_predicted_row_by_row_with_what_it_came_from(
    workbench: Workbench, model: Any, tmp_path: Path
) -> None:
    rows = ROWS.assign(who=range(len(ROWS)))
    rows.loc[3, "a"] = np.nan
    rows.to_csv(tmp_path / "rows.csv", index=False)
    done = workbench.serving.predict_all(
        "m/1", str(tmp_path / "rows.csv"), out=str(tmp_path / "out.parquet"), rows=10, report=quiet
    )
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert (done.rows, done.refused, done.partitions, done.resumed) == (25, 1, 3, 0)
    assert list(found["who"]) == list(range(25))
    good = found[found["error"] == ""]
    assert good["prediction"].tolist() == model.predict(ROWS.drop(3)).tolist()
    np.testing.assert_allclose(good["score"], model.predict_proba(ROWS.drop(3))[:, 1])
    assert "NaN" in found["error"][3]
    lineage = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"mlops"])
    assert (lineage["model"], lineage["rows"]) == ("m/1", 25)
    assert workbench.audit.list(kind="model", name="m/1")[0].verb == "predict"
    assert not list((workbench.workspace.root / "batches").iterdir())


def test_a_killed_batch_goes_on_where_it_was(workbench: Workbench, model: Any, tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "rows.parquet")
    order = {"out": str(tmp_path / "out.parquet"), "rows": 10}

    def die(done: int, total: int | None, note: str) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workbench.serving.predict_all("m/1", str(tmp_path / "rows.parquet"), report=die, **order)
    assert not (tmp_path / "out.parquet").exists()
    done = workbench.serving.predict_all("m/1", str(tmp_path / "rows.parquet"), report=quiet, **order)
    assert (done.resumed, done.partitions) == (2, 3)
    assert pd.read_parquet(tmp_path / "out.parquet")["prediction"].tolist() == model.predict(ROWS).tolist()


def test_a_snapshot_becomes_a_feature_table_once(workbench: Workbench, model: Any) -> None:
    workbench.features.create("people", ["who"])
    workbench.features.ingest("people", ROWS.assign(who=range(len(ROWS))))
    workbench.features.create("scored", ["who"])
    done = workbench.serving.predict_all("m/1", "people@1", into="scored", report=quiet)
    assert done.output == "scored@1"
    found = workbench.features.frame("scored@1").sort_values("who")
    assert found["prediction"].tolist() == model.predict(ROWS).tolist()
    assert "predictions of m/1 over people@1" in workbench.features.history("scored")[0].message
    workbench.serving.predict_all("m/1", "people@1", into="scored", report=quiet)
    assert len(workbench.features.history("scored")) == 1


def test_rows_that_do_not_fit_are_refused_by_name(workbench: Workbench, model: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "out.parquet")
    ROWS.rename(columns={"a": "aa"}).to_csv(tmp_path / "named.csv", index=False)
    with pytest.raises(InvalidInput, match="no column 'a'"):
        workbench.serving.predict_all("m/1", str(tmp_path / "named.csv"), out=out, report=quiet)
    ROWS.assign(a="x").to_csv(tmp_path / "typed.csv", index=False)
    with pytest.raises(InvalidInput, match="The column 'a' is not float64"):
        workbench.serving.predict_all("m/1", str(tmp_path / "typed.csv"), out=out, report=quiet)
    with pytest.raises(NotFound, match="no file"):
        workbench.serving.predict_all("m/1", str(tmp_path / "absent.csv"), out=out, report=quiet)
    assert not Path(out).exists()
