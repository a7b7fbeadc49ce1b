"""Runs found and ordered as MLflow's filters say, page by page."""

from __future__ import annotations

import pytest


async def test_a_run_of_our_sdk_is_seen_by_clients(client, rooms):
    parent = rooms.experiments.start("churn", name="mine")
    rooms.experiments.start("churn", parent=parent.id)
    experiment = (await client.good("GET", "experiments/get-by-name", experiment_name="churn"))["experiment"]
    text = f"tags.mlflow.parentRunId = '{parent.id}'"
    found = await client.good("POST", "runs/search", experiment_ids=[experiment["experiment_id"]], filter=text)
    assert [tag for tag in found["runs"][0]["data"]["tags"] if tag["key"] == "mlflow.parentRunId"]
    mine = await client.good("GET", "runs/get", run_id=parent.id)
    assert mine["run"]["info"]["run_name"] == "mine"


@pytest.fixture
async def three(client):
    """Runs a, b, c with metric m of 1, 3 and NaN; d without it; parameter p of x for a and b."""
    found = {}
    for name, value in {"a": 1.0, "b": 3.0, "c": "NaN", "d": None}.items():
        found[name] = await client.run(run_name=name, start_time=ord(name))
        if value is not None:
            point = {"key": "m", "value": value, "timestamp": 1, "step": 0}
            await client.good("POST", "runs/log-metric", run_id=found[name], **point)
    for name in "ab":
        await client.good("POST", "runs/log-parameter", run_id=found[name], key="p", value="Xy")
    await client.good("POST", "runs/set-tag", run_id=found["a"], key="a b", value="50%_")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "dcba"),
        ("metrics.m > 0", "ba"),
        ("metric.m != 1", "cb"),
        ("metrics.m >= 1.0 AND params.p = 'Xy' and attributes.run_name != 'b'", "a"),
        ("params.p LIKE 'x%'", ""),
        ("params.p ILIKE 'x%'", "ba"),
        ("parameter.`p` IS NULL", "dc"),
        ("tags.`a b` = '50%_'", "a"),
        ('tags."a b" LIKE "50%"', "a"),
        ("tags.none != 'x'", ""),
        ("run_name = 'c'", "c"),
        ("attr.start_time >= 99", "dc"),
        ("status = 'RUNNING'", "dcba"),
        ("status != 'running'", ""),
        ("user_id = ''", "dcba"),
        ("artifact_uri LIKE '%/artifacts'", "dcba"),
        ("created > 99", "d"),
    ],
)
async def test_filters_find(client, three, text, expected):
    found = await client.good("POST", "runs/search", experiment_ids=["0"], filter=text)
    assert "".join(run["info"]["run_name"] for run in found["runs"]) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["metrics.m ASC"], "abcd"),
        (["metrics.m DESC"], "bacd"),
        (["params.p DESC", "run_name ASC"], "abcd"),
        (["attributes.start_time"], "abcd"),
        (["tags.`a b`"], "adcb"),
    ],
)
async def test_orders_put_nan_and_missing_last(client, three, order, expected):
    found = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order)
    assert "".join(run["info"]["run_name"] for run in found["runs"]) == expected
    for limit in (1, 2):  # the shorter page goes another way through the tables
        page = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order, max_results=limit)
        assert "".join(run["info"]["run_name"] for run in page["runs"]) == expected[:limit]
        rest = {"max_results": 10, "page_token": page["next_page_token"]}
        more = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order, **rest)
        assert "".join(run["info"]["run_name"] for run in more["runs"]) == expected[limit:]


@pytest.mark.parametrize(
    "text",
    [
        "metrics.m >",
        "metrics.m > 'x'",
        "params.p = 1",
        "foo.a = 'x'",
        "attributes.nothing = 'x'",
        "metrics.m > 1 OR metrics.m < 0",
        "(metrics.m > 1)",
        "metrics.m LIKE 'x'",
        "run_id IN 'x'",
        "run_id IN ('x'",
        "params.p IS 1",
        "metrics.m > 1 AND",
        "'x' = 'x'",
        "params.p = 'x",
        "params.p = 'x'; DROP TABLE run",
        "\x00",
        "x" * 30_000,
        "a.b.c = " + "(" * 5000,
    ],
)
async def test_filters_that_cannot_be_read_are_refused_with_the_place(client, text):
    message = await client.refused("POST", "runs/search", "INVALID_PARAMETER_VALUE", experiment_ids=["0"], filter=text)
    assert "^" in message or "at most" in message


@pytest.mark.parametrize("token", ["x", "AAAA", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAxZTk5OX0=", "💥", "W10="])
async def test_page_tokens_made_up_are_refused(client, token):
    for path, fields in {
        "runs/search": {"experiment_ids": ["0"]},
        "experiments/search": {},
        "logged-models/search": {"experiment_ids": ["0"]},
    }.items():
        await client.refused("POST", path, "INVALID_PARAMETER_VALUE", page_token=token, **fields)


async def test_limits_of_pages_are_kept(client):
    for most in (0, -1, 50_001, 10**30, "x"):
        await client.refused("POST", "runs/search", "INVALID_PARAMETER_VALUE", experiment_ids=["0"], max_results=most)
