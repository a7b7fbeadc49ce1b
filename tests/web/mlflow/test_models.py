"""Models of the MLflow dialect: versions, aliases, stages, logged models."""

from __future__ import annotations

import json

import pytest

from mlops_tui.core.errors import NotFound

from .client import FILES


async def test_a_version_keeps_its_files_whatever_becomes_of_the_run(client, rooms):
    run, version = await client.model()
    assert (version["version"], version["status"], version["current_stage"]) == ("1", "READY", "None")
    assert (await client.raw("DELETE", f"{FILES}/0/{run}/artifacts/m"))[0] == 200
    answer = await client.good("GET", "model-versions/get-download-uri", name="risk", version="1")
    place = answer["artifact_uri"].removeprefix("mlflow-artifacts:/")
    status, body, _ = await client.raw("GET", f"{FILES}/{place}/MLmodel")
    assert (status, body) == (200, b"flavors: {}")
    assert (await client.raw("PUT", f"{FILES}/{place}/MLmodel", b"other"))[0] == 400
    assert (await client.raw("DELETE", f"{FILES}/{place}"))[0] == 400
    assert rooms.registry.lineage("risk/1")[0].name == run
    with pytest.raises(NotFound, match="risk/1 is no model package"):  # of ours; MLflow loads it
        rooms.registry.load("risk/1")


async def test_the_number_of_a_removed_version_is_not_given_again(client, rooms):
    await client.model()
    await client.model()
    await client.good("POST", "registered-models/alias", name="risk", alias="best", version="2")
    await client.good("DELETE", "model-versions/delete", name="risk", version="2")
    await client.refused("GET", "registered-models/alias", "INVALID_PARAMETER_VALUE", name="risk", alias="best")
    assert (await client.model())[1]["version"] == "3"
    assert [one.version for one in rooms.registry.versions("risk")] == [3, 1]
    assert rooms.registry.promotions("risk")[0].verb == "remove"


async def test_a_stage_set_by_a_client_moves_the_champion(client, rooms):
    await client.model()
    await client.model()
    for version in ("1", "2"):
        await client.good("POST", "model-versions/transition-stage", name="risk", version=version, stage="production")
    assert rooms.registry.version("risk@champion").version == 2
    assert rooms.registry.version("risk/1").stage == "Archived"
    await client.refused(
        *("POST", "model-versions/transition-stage", "INVALID_PARAMETER_VALUE"), name="risk", version="1", stage="Moon"
    )


async def test_the_filter_that_clients_add_for_prompts_finds_models_without_the_tag(client):
    await client.model()
    text = "name LIKE 'ri%' AND tag.`mlflow.prompt.is_prompt` != 'true'"
    found = await client.good("GET", "registered-models/search", filter=text)
    assert [one["name"] for one in found["registered_models"]] == ["risk"]
    other = await client.good("GET", "registered-models/search", filter="tags.other != 'true'")
    assert other["registered_models"] == []


@pytest.mark.parametrize("alias", ["latest", "v3", "12", "", "a b", "../x", "x" * 300])
async def test_aliases_that_read_as_something_else_are_refused(client, alias):
    await client.model()
    await client.refused(
        *("POST", "registered-models/alias", "INVALID_PARAMETER_VALUE"), name="risk", alias=alias, version="1"
    )


async def test_a_logged_model_has_a_life_of_its_own_and_is_a_file_of_its_run(client, rooms):
    run = await client.run()
    made = await client.good("POST", "logged-models", experiment_id="0", name="clf", source_run_id=run)
    info = made["model"]["info"]
    assert info["status"] == "LOGGED_MODEL_PENDING"
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert (await client.raw("PUT", f"{FILES}/{place}/MLmodel", b"x"))[0] == 200
    here = f"logged-models/{info['model_id']}"
    await client.good("PATCH", here, status="LOGGED_MODEL_READY")
    assert [item.path for item in rooms.experiments.artifacts(run)] == ["clf/MLmodel"]
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts")
    assert json.loads(body) == {}  # a client asks for these by the model
    point = {"key": "auc", "value": 0.9, "timestamp": 1, "step": 0, "model_id": info["model_id"]}
    await client.good("POST", "runs/log-metric", run_id=run, **point)
    await client.good("PATCH", f"{here}/tags", tags=[{"key": "a b", "value": "1"}])
    found = await client.good(
        *("POST", "logged-models/search"),
        experiment_ids=["0"],
        filter="metrics.auc > 0.8 AND tags.`a b` = '1' AND source_run_id = '" + run + "'",
        order_by=[{"field_name": "metrics.auc", "ascending": False}],
    )
    assert [one["info"]["model_id"] for one in found["models"]] == [info["model_id"]]
    await client.good("DELETE", f"{here}/tags/a%20b")
    await client.good("DELETE", here)
    await client.refused("GET", here, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "source",
    [
        *("/etc/passwd", "file:///etc/passwd", "file:/etc", "..", "../../etc", "http://127.0.0.1:22/x", "https://x/y"),
        *("s3://bucket/x", "dbfs:/../../etc", "mlflow-artifacts://evil.example/0/x/artifacts", "C:\\x", "ftp://x"),
        *(
            "mlflow-artifacts:/0/{run}/artifacts/../../x",
            "runs:/{run}/../../etc",
            "runs:/{run}/m?x=/etc#y",
            "runs:/{run}/m;x",
        ),
        *(
            "runs:/{run}/%2e%2e/x",
            "models:/m-../../x",
            "models:/nobody/1",
            "models:/risk/999",
            "models:/x@y",
            "runs:/",
            "x:",
        ),
        "mlflow-artifacts:/packages/" + "0" * 64,
    ],
)
async def test_no_source_of_a_version_is_read_but_our_own_files(client, source):
    run, _ = await client.model()
    fields = {"name": "risk", "source": source.replace("{run}", run)}
    status, answer = await client.ask("POST", "model-versions/create", **fields)
    assert 400 <= status < 500, answer
    assert len((await client.good("GET", "model-versions/search"))["model_versions"]) == 1
