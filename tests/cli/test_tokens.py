"""Tokens, promises and labels by key on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def churn(workspace: Workspace, tmp_path: Path) -> None:
    bench = Workbench(workspace, actor="tester")
    folder = tmp_path / "package"
    folder.mkdir()
    inputs = [{"name": "x", "type": "float64"}]
    described = {"task": "regression", "inputs": inputs, "outputs": [{"name": "prediction", "type": "float64"}]}
    (folder / "signature.json").write_text(json.dumps({**described, "frame": True}))
    (folder / "environment.json").write_text("{}")
    (folder / "model.joblib").write_bytes(b"never unpickled here")
    (folder / "sample.parquet").write_bytes(b"never read here")
    bench.registry.register("churn", folder)
    bench.serving.deploy("churn", "churn/1")
    bench.close()


@pytest.mark.usefixtures("churn")
def test_a_secret_goes_to_stdout_alone_and_no_list_shows_it(mlops: Call) -> None:
    code, out, err = mlops("tokens", "create", "shop", "--deployment", "churn", "--expires", "90d", "--rate", "5")
    assert (code, out.startswith("mlops_"), out.count("\n")) == (0, True, 1)
    assert "not shown again" in err
    code, listed, _ = mlops("tokens", "list", "--json")
    found = json.loads(listed)[0]
    assert (found["name"], found["state"], found["rights"], found["deployments"]) == (
        "shop",
        "active",
        ["infer"],
        ["churn"],
    )
    assert "hash" not in found
    assert out.strip() not in listed
    assert mlops("tokens", "revoke", "shop", "--yes")[0] == 0
    assert "revoked" in mlops("tokens", "list")[1]
    assert mlops("tokens", "usage")[0] == 0
    assert mlops("tokens", "create", "shop")[0] == 4
    assert mlops("tokens", "create", "other", "--expires", "soon")[0] == 5
    assert mlops("tokens", "revoke", "nobody", "--yes")[0] == 3


@pytest.mark.usefixtures("churn")
def test_promises_are_made_in_percent_and_milliseconds(mlops: Call) -> None:
    assert mlops("deployments", "objective", "churn")[0] == 3
    code, out, _ = mlops("deployments", "objective", "churn", "--availability", "99.9", "--latency", "0.05s")
    assert code == 0
    assert "99.9 % available" in out
    assert "95 % within 50 ms" in out
    found = json.loads(mlops("deployments", "budgets", "--json")[1])[0]["objective"]
    assert (found["availability"], found["latency_ms"], found["latency_share"]) == (0.999, 50.0, 0.95)
    for wrong in (["--availability", "100"], ["--latency", "fast"], ["--latency", "5ms", "--percentile", "9"]):
        assert mlops("deployments", "objective", "churn", *wrong)[0] == 5
    assert mlops("deployments", "objective", "churn", "--remove")[0] == 0
    assert "Nothing is promised" in mlops("deployments", "budgets")[2]


@pytest.mark.usefixtures("churn")
def test_labels_by_key_from_options_and_from_a_file(mlops: Call, tmp_path: Path) -> None:
    code, out, _ = mlops("feedback", "1", "--deployment", "churn", "--key", "x=3", "--time", "2h", "--json")
    assert (code, json.loads(out)) == (0, {"accepted": 1})
    path = tmp_path / "labels.csv"
    path.write_text("deployment,key.request_id,label,time\nchurn,order-7,0,\nchurn,order-8,1,2026-01-01\n")
    assert json.loads(mlops("feedback", "--file", str(path), "--json")[1]) == {"accepted": 2}
    assert mlops("feedback", "1", "--deployment", "churn", "--key", "y=3")[0] == 5
    assert mlops("feedback", "1", "--key", "x=3")[0] == 2
    assert mlops("feedback", "1", "--deployment", "churn", "--key", "x")[0] == 5
    assert mlops("deployments", "labels", "churn", "--into", "truth")[0] == 3
