"""`mlops gc` beyond feature tables: files of removed runs, and what a registered model keeps."""

from __future__ import annotations

import json
import os

import pytest

from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench


@pytest.fixture
def bench(workspace):
    with Workbench(workspace) as made:
        yield made


@pytest.fixture
def removed(bench, workspace):
    """A run that kept the given text and was removed; the hash of the text, stored long ago."""

    def make(content):
        run = bench.experiments.start("churn")
        writer = RunWriter(workspace, run.id)
        RunFiles(workspace, writer).keep_bytes(content.encode(), "a.txt")
        bench.experiments.take_in()
        bench.experiments.finish(run.id)
        writer.close()
        bench.experiments.take_in()
        sha = bench.experiments.artifacts(run.id)[0].sha
        os.utime(bench.context.artifacts.path(sha), (0, 0))
        bench.experiments.remove_run(run.id)
        return sha

    return make


def package(folder):
    """A model package that nobody will load; its model is the text `held`."""
    folder.mkdir()
    (folder / "model.joblib").write_text("held")
    (folder / "sample.parquet").write_text("sample")
    signature = {"task": "regression", "target": "x", "labels": None, "frame": True, "inputs": [], "outputs": []}
    (folder / "signature.json").write_text(json.dumps(signature))
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "libraries": {}}))
    return folder


def test_files_of_removed_runs_go_and_those_of_registered_models_stay(mlops, bench, removed, tmp_path):
    free, held = removed("free!"), removed("held")
    store = bench.context.artifacts
    rehearsed = json.loads(mlops("gc", "--dry-run", "--json")[1])
    assert (rehearsed["artifacts"], rehearsed["dry_run"]) == ({"files": 2, "bytes": 9}, True)
    bench.registry.register("m", package(tmp_path / "package"))
    os.utime(store.path(held), (0, 0))  # registering it made it young
    done = json.loads(mlops("gc", "--json")[1])
    assert done["artifacts"] == {"files": 1, "bytes": 5}
    assert (store.has(free), store.has(held)) == (False, True)
    assert "0 versions, 0 files" in mlops("gc")[2]


def test_deleted_runs_go_for_good_only_when_it_is_said(mlops, bench):
    run = bench.experiments.start("churn")
    bench.experiments.finish(run.id)
    bench.experiments.delete_run(run.id)
    assert json.loads(mlops("gc", "--json")[1])["runs"] == []
    code, out, err = mlops("gc", "--deleted", "1d", "--dry-run")
    assert (code, run.id in out, "would go" in err) == (0, False, True)
    assert f"run {run.id}" in mlops("gc", "--deleted", "0s")[1]
    assert bench.experiments.runs(deleted=True) == []
    assert mlops("gc", "--deleted", "soon")[0] == 5
