"""Levels of automation, from facts in a workspace."""

from __future__ import annotations

import json

import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.maturity import AZURE, GOOGLE, TITLES, level

PIPELINE = """
[pipeline]
name = "m"
[data]
spine = "t"
target = "y"
[model]
task = "regression"
estimator = "sklearn.linear_model.Ridge"
[register]
model = "m"
[deploy]
to = "production"
strategy = "canary"
[[triggers]]
kind = "performance"
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    signature = {"task": "regression", "inputs": [], "outputs": [], "labels": None}
    (folder / "signature.json").write_text(json.dumps(signature))
    (folder / "environment.json").write_text('{"python": "3.11", "libraries": {}}')
    (folder / "model.joblib").write_bytes(b"never unpickled here")
    (folder / "sample.parquet").write_bytes(b"never read here")
    return folder


def facts(found):
    return {fact.id for fact in found.facts if fact.ok}


def test_a_model_from_a_script_is_at_the_bottom_and_every_gap_has_a_command(workbench, package):
    workbench.registry.register("m", package)
    found = workbench.maturity("m")
    assert (found.google, found.azure, facts(found)) == (0, 0, set())
    assert all(fact.how for fact in found.facts)
    assert found.missing_azure == ("code_versioned", "tested")


def test_what_a_pipeline_file_says_counts_for_the_versions_it_made(workbench, package, tmp_path):
    source = tmp_path / "m.toml"
    source.write_text(PIPELINE)
    workbench.features.create("t", ["id"])
    workbench.features.ingest("t", [{"id": 1, "y": 2.0}])
    workbench.pipelines.add(source)
    workbench.schedules.sync()
    workbench.registry.register("m", package, run_id="aaaa", snapshots=["t@1"], git_commit="c0ffee", pipeline="m")
    workbench.serving.deploy("m", "m/1")
    workbench.monitoring.add("m")
    found = workbench.maturity("m")
    missing = set(TITLES) - facts(found)
    assert missing == {"tested", "labelled"}
    assert (found.google, found.azure) == (1, 0)
    assert found.missing_google == ("tested", "labelled")


def test_the_champion_is_judged_not_the_newest(workbench, package):
    workbench.registry.register("m", package, run_id="aaaa")
    workbench.registry.promote("m/1")
    workbench.registry.register("m", package)
    assert workbench.maturity("m").version == 1
    with pytest.raises(NotFound):
        workbench.maturity("other")


@pytest.mark.parametrize("ladder", [GOOGLE, AZURE])
def test_a_level_counts_only_with_all_below_it(ladder):
    everything = dict.fromkeys(TITLES, True)
    assert level(everything, ladder) == (len(ladder) - 1, ())
    first = ladder[1][0]
    assert level({**everything, first: False}, ladder) == (0, (first,))


@pytest.mark.parametrize("ladder", [GOOGLE, AZURE])
def test_every_fact_counts_somewhere_and_once(ladder):
    assert sorted(fact for step in ladder for fact in step) == sorted(TITLES)
