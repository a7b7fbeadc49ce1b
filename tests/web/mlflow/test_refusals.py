"""What the MLflow dialect refuses, and in which words."""

from __future__ import annotations

import json
import math

import pytest

from .client import API


@pytest.mark.parametrize(
    "place", ["/etc", "file:///etc#x", "mlflow-artifacts:/../..", "s3://b", "dbfs:/x", "http://x?y;z"]
)
async def test_an_experiment_cannot_put_its_artifacts_elsewhere(client, place):
    await client.refused("POST", "experiments/create", "INVALID_PARAMETER_VALUE", name="x", artifact_location=place)


NAMES = ["", " ", "x" * 10_000, "a\x00b", "a\nb", "\u202ea", "\ud83d", 5, None, ["a"], {"a": 1}]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
async def test_names_of_every_shape_are_refused_in_words(client, name):
    run = await client.run()
    for path, fields in [
        ("experiments/create", {"name": name}),
        ("registered-models/create", {"name": name}),
        ("runs/log-metric", {"run_id": run, "key": name, "value": 1, "timestamp": 1}),
        ("runs/log-parameter", {"run_id": run, "key": name, "value": "x"}),
        ("runs/set-tag", {"run_id": run, "key": name, "value": "x"}),
    ]:
        message = await client.refused("POST", path, "INVALID_PARAMETER_VALUE", **fields)
        assert len(message) < 500


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "a//b", "./a"])
async def test_keys_that_would_climb_as_file_names_are_refused(client, name):
    run = await client.run()
    await client.refused(
        "POST", "runs/log-metric", "INVALID_PARAMETER_VALUE", run_id=run, key=name, value=1, timestamp=1
    )


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "..", "%2e%2e/x"])
async def test_model_names_that_a_reference_cannot_hold_are_refused(client, name):
    await client.refused("POST", "registered-models/create", "INVALID_PARAMETER_VALUE", name=name)


@pytest.mark.parametrize("value", ["high", None, True, [1], {"a": 1}, "1e", ""])
async def test_a_metric_that_is_no_number_is_refused(client, value):
    run = await client.run()
    await client.refused(
        "POST", "runs/log-metric", "INVALID_PARAMETER_VALUE", run_id=run, key="m", value=value, timestamp=1
    )


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"[]", {}),
        (b"null", {}),
        (b'"x"', {}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {}),
        (b'{"a":' * 50_000, {}),
        (b"{}", {"content-type": "text/plain"}),
        (b'{"run_id": 1e400}', {}),
        (b'{"run_id": {"run_id": []}}', {}),
        (b'{"experiment_id": 99999999999999999999999}', {}),
        (b'{"experiment_id": "\\ud800"}', {}),
    ],
)
async def test_bodies_that_cannot_be_read_are_refused(client, body, headers):
    for path in ("runs/create", "runs/update", "runs/log-metric"):
        status, answer, _ = await client.raw("POST", API + path, body, headers=headers)
        if (path, status) == ("runs/create", 200):
            assert body == b'{"run_id": 1e400}' or b"run_id" in body  # fields it does not know are ignored
            continue
        assert 400 <= status < 500
        assert json.loads(answer)["error_code"] != "INTERNAL_ERROR", answer


async def test_a_body_beyond_the_limit_is_refused(client):
    status, _, _ = await client.raw("POST", API + "runs/create", b"", headers={"content-length": "999999999"})
    assert status == 413


@pytest.mark.parametrize("run", ["", "nobody", "0" * 32, "../x", "x" * 5000, "%00", "' OR 1=1 --"])
async def test_runs_that_do_not_exist_are_said_to_be_missing(client, run):
    for method, path in (("GET", "runs/get"), ("POST", "runs/delete"), ("POST", "runs/update")):
        status, answer = await client.ask(method, path, run_id=run)
        assert (status, answer["error_code"]) in {(404, "RESOURCE_DOES_NOT_EXIST"), (400, "INVALID_PARAMETER_VALUE")}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:5000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
async def test_web_pages_of_others_are_not_answered(client, headers):
    for method, path in (("GET", API + "experiments/get"), ("POST", API + "runs/create"), ("GET", "/health")):
        status, _, _ = await client.raw(method, path, b"{}", headers=headers)
        assert status in {403, 421}


@pytest.mark.parametrize(
    "path",
    [
        "/ajax-api/2.0/mlflow/runs/search",
        "/api/2.0/mlflow/gateway-proxy",
        "/api/2.0/mlflow/users/create",
        "/api/2.0/mlflow/webhooks",
        "/api/3.0/mlflow/jobs",
        "/graphql",
        "/get-artifact",
        "/model-versions/get-artifact",
        "/v1/traces",
        "/signup",
        "/api/2.0/mlflow-artifacts/mpu/steal/x",
        "/api/2.0/mlflow//runs/search",
        "/api/2.0/mlflow/runs/search/",
        "//etc/passwd",
    ],
)
async def test_what_is_not_served_is_not_there(client, path):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        status, body, _ = await client.raw(method, path, b"{}", query="path=/etc/passwd")
        assert (status, json.loads(body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/traces", "keeps no traces"),
        ("/api/3.0/mlflow/traces/search", "keeps no traces"),
        ("/api/2.0/mlflow/webhooks", "keeps no webhooks"),
        ("/api/2.0/mlflow/gateway-proxy", "keeps no gateway"),
        ("/api/2.0/mlflow/experiments/none", "There is no POST /api/2.0/mlflow/experiments/none here"),
    ],
)
async def test_what_is_not_kept_is_said_by_its_name(client, path, said):
    _, body, _ = await client.raw("POST", path, b"{}")
    message = json.loads(body)["message"]
    assert said in message
    assert "docs/mlflow.md" in message


def test_the_smallest_and_largest_numbers_stay_themselves():
    from mlops_tui.web.mlflow_ask import real

    assert real(5e-324) == 5e-324
    assert real(1.7976931348623157e308) == 1.7976931348623157e308
    assert [real(math.inf), real(-math.inf), real(math.nan)] == ["Infinity", "-Infinity", "NaN"]
