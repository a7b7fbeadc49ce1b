"""The last step of a pipeline: deployed and promoted, or left to a person."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from mlops_tui.domains.pipelines.steps import deploy
from mlops_tui.domains.pipelines.work import Skip
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving import staging

SIGNATURE = {
    "task": "regression",
    "target": "y",
    "inputs": [{"name": "x", "type": "float64"}],
    "outputs": [],
    "labels": None,
}


@pytest.fixture
def shown():
    """What m/1 shows before it gets traffic."""
    return [Health("metrics", True, "as recorded")]


@pytest.fixture
def work(workbench, tmp_path, shown, monkeypatch):
    """The end of a run whose gate blessed m/1; `wanted` changes [deploy]."""
    monkeypatch.setattr(staging, "prove", lambda folder, order: shown)
    folder = tmp_path / "package"
    folder.mkdir()
    for name, text in {
        "signature": json.dumps(SIGNATURE),
        "environment": '{"python": "3.11", "libraries": {}}',
    }.items():
        (folder / f"{name}.json").write_text(text)
    (folder / "model.joblib").write_bytes(b"never unpickled here")
    (folder / "sample.parquet").write_bytes(b"never read here")
    workbench.registry.register("m", folder)

    def make(**wanted):
        chosen = {
            "to": "production",
            "approval": False,
            "strategy": "replace",
            "steps": (),
            "bake": "",
            "min_requests": 0,
            "min_labels": 0,
            "margin": 0.0,
            **wanted,
        }
        recipe = SimpleNamespace(
            deploy=SimpleNamespace(**chosen), deployment_name="live", pipeline=SimpleNamespace(name="p")
        )
        results = {
            "register": {"version": "m/1"},
            "gate": {"verdict": {"outcome": "blessed", "reason": "better by 0.1"}},
        }
        rooms = {"registry": workbench.registry, "serving": workbench.serving}
        return SimpleNamespace(recipe=recipe, results=results, run_id="aaaa0000", say=lambda text: None, **rooms)

    return make


def test_a_blessed_version_serves_and_is_the_champion(work, workbench):
    deploy.run(work())
    assert workbench.registry.version("m@champion").version == 1
    assert [item.name for item in workbench.serving.list()] == ["live"]


def test_a_version_that_does_not_score_what_was_recorded_is_neither_deployed_nor_promoted(work, workbench, shown):
    shown[:] = [Health("metrics", False, "rmse 10 recorded, 30 served, on 100 test rows")]
    with pytest.raises(Skip, match="m/1 was refused before any traffic, metrics: rmse 10 recorded, 30 served"):
        deploy.run(work())
    assert workbench.serving.list() == []
    assert workbench.registry.version("m/1").aliases == []
    with pytest.raises(Skip, match="30 served"):
        deploy.run(work())


@pytest.mark.parametrize("by", ["definition", "model"])
def test_where_a_person_is_wanted_one_is_asked_and_nothing_moves(work, workbench, by):
    if by == "model":
        workbench.registry.approvals.require("m", 1)
    with pytest.raises(Skip, match="mlops models approve m/1, or mlops models refuse m/1"):
        deploy.run(work(approval=by == "definition"))
    (request,) = workbench.registry.approvals.list(open_only=True)
    assert (request.ref, request.why) == ("m/1", "pipeline p run aaaa0000: better by 0.1")
    assert workbench.serving.list() == []


def test_a_model_that_needs_approval_still_goes_to_staging(work, workbench):
    workbench.registry.approvals.require("m", 1)
    deploy.run(work(to="staging"))
    assert workbench.registry.version("m/1").stage == "Staging"


def test_a_canary_with_steps_goes_on_by_itself(work, workbench):
    deploy.run(work())
    workbench.registry.register("m", workbench.registry.checkout("m/1", workbench.workspace.tmp / "copy"))
    second = work(strategy="canary", steps=(10, 50), bake="30s", min_requests=20)
    second.results["register"]["version"] = "m/2"
    assert "10 % of live and goes on by itself" in deploy.run(second)["detail"]
    (one,) = workbench.serving.rollouts.list()
    assert (one.ref, one.steps, one.rules.bake_s, one.rules.min_requests) == ("m/2", (10.0, 50.0, 100.0), 30.0, 20)
    assert workbench.registry.version("m@champion").version == 1
    with pytest.raises(Skip, match="under way"):
        deploy.run(second)


def test_the_first_version_has_nobody_to_be_compared_with(work, workbench):
    deploy.run(work(strategy="canary", steps=(10,)))
    assert workbench.serving.rollouts.list() == []
    assert workbench.registry.version("m@champion").version == 1
