"""Uploads in parts, and the listings beside the artifact proxy."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

import pytest

from .client import API, FILES

PARTS = "/api/2.0/mlflow-artifacts/mpu/"


async def call(client, verb, folder, **fields):
    status, body, _ = await client.raw("POST", f"{PARTS}{verb}/{folder}", json.dumps(fields).encode())
    return status, json.loads(body)


async def begun(client, parts=3):
    """(folder of a run, the answer to create)"""
    folder = f"0/{await client.run()}/artifacts/big"
    status, made = await call(client, "create", folder, path="/home/ann/model.bin", num_parts=parts)
    assert status == 200, made
    return folder, made


async def send(client, made, contents):
    """Put the parts; what complete wants to know of them."""
    done = []
    for one, content in zip(made["credentials"], contents, strict=False):
        status, _, headers = await client.raw("PUT", urlsplit(one["url"]).path, content)
        assert status == 200
        done.append({"part_number": one["part_number"], "etag": headers[b"etag"].decode(), "url": one["url"]})
    return done


async def test_parts_become_one_file_in_their_order(client, workspace):
    folder, made = await begun(client)
    assert [one["part_number"] for one in made["credentials"]] == [1, 2, 3]
    assert made["credentials"][0]["url"].startswith("http://127.0.0.1:5000/api/2.0/mlflow-artifacts/mpu/part/")
    parts = await send(client, made, [b"one", b"two", b"three"])
    status, answer = await call(
        client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=parts[::-1]
    )
    assert (status, answer) == (200, {})
    status, body, _ = await client.raw("GET", f"{FILES}/{folder}/model.bin")
    assert (status, body) == (200, b"onetwothree")
    assert not list(workspace.tmp.glob("mpu-*"))
    status, answer = await call(client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=parts)
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


async def test_an_incomplete_upload_makes_no_file(client):
    folder, made = await begun(client)
    parts = await send(client, made, [b"one", b"two"])
    for said in (parts, [*parts, {"part_number": 3, "etag": "x"}]):
        status, answer = await call(
            client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=said
        )
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, _, _ = await client.raw("GET", f"{FILES}/{folder}/model.bin")
    assert status == 404


async def test_a_part_that_is_not_what_was_sent_is_refused(client):
    folder, made = await begun(client, parts=1)
    (part,) = await send(client, made, [b"one"])
    said = [{**part, "etag": "0" * 64}]
    status, answer = await call(client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=said)
    assert (status, "is not the one" in answer["message"]) == (400, True)
    status, _ = await call(client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=[part])
    assert status == 200


async def test_an_aborted_upload_is_gone(client, workspace):
    folder, made = await begun(client)
    await send(client, made, [b"one"])
    assert await call(client, "abort", folder, path="model.bin", upload_id=made["upload_id"]) == (200, {})
    assert not list(workspace.tmp.glob("mpu-*"))
    status, _, _ = await client.raw("PUT", urlsplit(made["credentials"][0]["url"]).path, b"late")
    assert status == 404


async def test_a_part_that_is_sent_again_counts_as_it_was_sent_last(client):
    folder, made = await begun(client, parts=1)
    await send(client, made, [b"first"])
    parts = await send(client, made, [b"second"])
    await call(client, "complete", folder, path="model.bin", upload_id=made["upload_id"], parts=parts)
    assert (await client.raw("GET", f"{FILES}/{folder}/model.bin"))[1] == b"second"


async def test_an_upload_that_nobody_completed_in_a_day_is_removed(client, workspace):
    await begun(client)
    (old,) = workspace.tmp.glob("mpu-*")
    os.utime(old, (1, 1))
    await begun(client)
    assert old not in list(workspace.tmp.glob("mpu-*"))


@pytest.mark.parametrize("path", ["../../x", "..", "/", "a/%2e%2e", "x\n"])
async def test_a_file_s_name_cannot_lead_elsewhere(client, workspace, path):
    folder = f"0/{await client.run()}/artifacts"
    status, made = await call(client, "create", folder, path=path, num_parts=1)
    if status == 200:  # only the last part of the client's path is a name
        parts = await send(client, made, [b"x"])
        await call(client, "complete", folder, path=path, upload_id=made["upload_id"], parts=parts)
        listed = json.loads((await client.raw("GET", FILES, query=f"path={folder}"))[1])
        assert [one["path"] for one in listed["files"]] == ["x"]
    assert status in (200, 400, 404)
    assert not (workspace.root.parent / "x").exists()


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("create", {"path": "x", "num_parts": 0}),
        ("create", {"path": "x", "num_parts": 10_001}),
        ("create", {"num_parts": 1}),
        ("complete", {"path": "x", "upload_id": "../../etc", "parts": []}),
        ("complete", {"path": "x", "upload_id": "0" * 32, "parts": []}),
        ("abort", {"upload_id": ""}),
        ("steal", {}),
    ],
)
async def test_what_is_no_upload_is_refused(client, verb, fields):
    status, answer = await call(client, verb, f"0/{await client.run()}/artifacts", **fields)
    assert status in (400, 404), answer
    for path in ("part/../x/1", "part/x/1", "part/" + "0" * 32 + "/1"):
        assert (await client.raw("PUT", PARTS + path, b"x"))[0] in (400, 404)


async def test_parts_of_another_number_are_refused(client):
    _, made = await begun(client, parts=2)
    address = urlsplit(made["credentials"][0]["url"]).path.rpartition("/")[0]
    for number in ("0", "3", "x", "1/2", "٣"):
        assert (await client.raw("PUT", f"{address}/{number}", b"x"))[0] == 404


async def test_direct_downloads_are_answered_as_the_client_expects(client):
    status, body, _ = await client.raw("GET", "/api/2.0/mlflow-artifacts/presigned/0/x/artifacts/a")
    assert (status, json.loads(body)["error_code"]) == (501, "NOT_IMPLEMENTED")


async def test_files_are_listed_by_run_too(client):
    run = await client.run()
    await client.raw("PUT", f"{FILES}/0/{run}/artifacts/plots/a.png", b"12")
    top = await client.good("GET", "artifacts/list", run_id=run)
    assert top["files"] == [{"path": "plots", "is_dir": True}]
    _, inside, _ = await client.raw("GET", API + "artifacts/list", query=f"run_id={run}&path=plots")
    assert json.loads(inside)["files"] == [{"path": "plots/a.png", "is_dir": False, "file_size": 2}]
    status, _, _ = await client.raw("GET", API + "artifacts/list", query=f"run_id={run}&path=../x")
    assert status == 400


async def test_data_sets_of_experiments_are_listed_once(client):
    for _ in range(2):
        run = await client.run()
        data = {"name": "t", "digest": "1", "source_type": "x", "source": "y"}
        await client.good(
            "POST",
            "runs/log-inputs",
            run_id=run,
            datasets=[{"dataset": data, "tags": [{"key": "mlflow.data.context", "value": "train"}]}],
        )
    found = await client.good("POST", "experiments/search-datasets", experiment_ids=["0"])
    assert found == {"dataset_summaries": [{"experiment_id": "0", "name": "t", "digest": "1", "context": "train"}]}
    await client.refused("POST", "experiments/search-datasets", "INVALID_PARAMETER_VALUE", experiment_ids=[])


async def test_logged_models_are_found_by_the_data_set_of_their_metrics(client):
    run = await client.run()
    ids = {}
    for name, value, digest in (("good", 0.9, "1"), ("poor", 0.1, "1"), ("other", 0.95, "2")):
        made = await client.good("POST", "logged-models", experiment_id="0", name=name, source_run_id=run)
        ids[name] = made["model"]["info"]["model_id"]
        about = {"model_id": ids[name], "dataset_name": "test", "dataset_digest": digest}
        await client.good(
            "POST", "runs/log-metric", run_id=run, key=f"acc-{name}", value=value, timestamp=1, step=0, **about
        )
        await client.good(
            "POST",
            "runs/log-metric",
            run_id=run,
            key="acc",
            value=value,
            timestamp=2 + len(ids),
            step=len(ids),
            **about,
        )

    async def names(**fields):
        found = await client.good("POST", "logged-models/search", experiment_ids=["0"], **fields)
        return {one["info"]["name"] for one in found["models"]}

    first = [{"dataset_name": "test", "dataset_digest": "1"}]
    assert await names(datasets=first) == {"good", "poor"}
    assert await names(datasets=[{"dataset_name": "test"}]) == {"good", "poor", "other"}
    assert await names(datasets=first, filter="metrics.acc > 0.5") == {"good"}
    assert await names(filter="metrics.acc > 0.5") == {"good", "other"}
    ordered = await client.good(
        "POST",
        "logged-models/search",
        experiment_ids=["0"],
        datasets=first,
        order_by=[{"field_name": "metrics.acc", "ascending": True}],
    )
    assert [one["info"]["name"] for one in ordered["models"]] == ["poor", "good"]
