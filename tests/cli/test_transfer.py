"""`mlops import` and `mlops export` as typed."""

from __future__ import annotations

import json


def test_csv_comes_in_and_parquet_goes_out(mlops, tmp_path):
    (tmp_path / "r.csv").write_text("run,metric,value\na,loss,1\nb,loss,oops\n")
    code, out, err = mlops("import", "csv", str(tmp_path / "r.csv"))
    assert (code, out) == (1, "Runs: 1 added, 0 updated, 0 unchanged.\n")
    assert err == "Left out: b: line 3: could not convert string to float: 'oops'\n"
    code, out, _ = mlops("export", "parquet", str(tmp_path / "out"), "--json")
    assert (code, json.loads(out)["runs"]) == (0, 1)


def test_mlflow_out_and_in_again_doubles_nothing(mlops, tmp_path):
    (tmp_path / "r.csv").write_text("run,metric,value\na,loss,1\n")
    mlops("import", "csv", str(tmp_path / "r.csv"))
    assert mlops("export", "mlflow", str(tmp_path / "mlruns"))[:2] == (0, "Runs: 1 added, 0 updated, 0 unchanged.\n")
    code, out, _ = mlops("import", "mlflow", str(tmp_path / "mlruns"), "--json")
    assert (code, json.loads(out)) == (
        0,
        {"added": 0, "updated": 0, "unchanged": 1, "models": 0, "versions": 0, "skipped": [], "notes": []},
    )


def test_folders_without_runs_are_one_sentence_and_a_hint(mlops, tmp_path):
    for kind in ("tensorboard", "wandb"):
        code, out, err = mlops("import", kind, str(tmp_path))
        assert (code, out) == (5, "")
        assert "Hint:" in err
