"""Feast's path and shape: `POST /get-online-features`, and on-demand transformations through the gateway."""

from __future__ import annotations

import json

import pytest

from mlops_tui.web import feast
from mlops_tui.web.lookups import Lookups

PATH = "/get-online-features"

# An answer of `feast serve` 0.67 to {"features": ["u:u_f1"], "entities": {"user_id": [1]}}, word for word.
RECORDED = (
    '{"metadata":{"feature_names":["user_id","u_f1"]},"results":[{"values":[1],"statuses":["PRESENT"],'
    '"event_timestamps":["1970-01-01T00:00:00Z"]},{"values":[0.88],"statuses":["PRESENT"],'
    '"event_timestamps":["2026-11-20T22:18:12Z"]}]}'
)


@pytest.fixture
def door(workbench, workspace, make_door):
    """A gateway over a workspace with tables and an on-demand transformation."""
    features = workbench.features
    features.create("u", ["user_id"], time="event_timestamp")
    rows = [{"user_id": 1, "event_timestamp": "2026-11-20T22:18:12Z", "u_f1": 0.88, "n": None}]
    rows.append({"user_id": 2, "event_timestamp": "2026-11-20T22:18:12.250Z", "u_f1": 1.0, "n": 5})
    features.ingest("u", rows)
    features.create("old", ["user_id"], time="at", ttl="1d")
    features.ingest("old", [{"user_id": 1, "at": "2020-01-01", "u_f1": 3.0}])
    features.add_aggregates("u", ["count(*) over 1h as seen"])
    features.add_view("scaled", sql="u_f1 * factor AS x", inputs=["u:u_f1"], request={"factor": "DOUBLE"})
    for name in ("u", "old"):
        features.materialize(name)
    (workspace.project / "slow_code.py").write_text(
        "import time\n\n\ndef slow(frame):\n    time.sleep(frame['s'].max())\n    return frame.assign(done=True)\n"
    )
    features.add_view("slow", python="slow_code:slow", request={"s": "DOUBLE"}, outputs={"done": "BOOLEAN"})
    made = make_door()
    lookups = Lookups(workspace, code_seconds=0.3)
    made.gateway._lookups = lookups
    yield made
    lookups.close()


async def test_the_answer_is_the_one_that_feast_gave(door):
    reply = await door.ask("POST", PATH, {"features": ["u:u_f1"], "entities": {"user_id": [1]}})
    assert (reply.status, reply.json) == (200, json.loads(RECORDED))


async def test_statuses_names_and_times_are_feasts(door):
    body = {"features": ["u:n", "old:u_f1", "u:seen"], "entities": {"user_id": [1, 2, 9]}, "full_feature_names": True}
    reply = await door.ask("POST", PATH, body)
    assert reply.json["metadata"] == {"feature_names": ["user_id", "u__n", "u__seen", "old__u_f1"]}
    ids, n, seen, old = reply.json["results"]
    assert (ids["values"], ids["statuses"]) == ([1, 2, 9], ["PRESENT"] * 3)
    assert n == {
        "values": [None, 5, None],
        "statuses": ["NULL_VALUE", "PRESENT", "NOT_FOUND"],
        "event_timestamps": ["2026-11-20T22:18:12Z", "2026-11-20T22:18:12.250Z", "1970-01-01T00:00:00Z"],
    }
    assert seen["statuses"] == ["PRESENT"] * 3
    assert (old["values"], old["statuses"]) == ([None] * 3, ["OUTSIDE_MAX_AGE", "NOT_FOUND", "NOT_FOUND"])


async def test_request_data_reaches_on_demand_transformations_as_in_feast(door):
    body = {"features": ["scaled:x", "u:u_f1"], "entities": {"user_id": [1, 2], "factor": [2.0, 3.0]}}
    reply = await door.ask("POST", PATH, body)
    assert reply.json["metadata"]["feature_names"] == ["user_id", "factor", "x", "u_f1"]
    assert [result["values"] for result in reply.json["results"]] == [[1, 2], [2.0, 3.0], [1.76, 3.0], [0.88, 1.0]]


REFUSED = [
    ({"feature_service": "model_v1", "entities": {"user_id": [1]}}, 400, "feature service 'model_v1'"),
    ({"features": [], "entities": {"user_id": [1]}}, 400, "No features"),
    ({"features": ["u_f1"], "entities": {"user_id": [1]}}, 400, "names no feature"),
    ({"features": ["u:u_f1", "u:u_f1"], "entities": {"user_id": [1]}}, 400, "twice"),
    ({"features": ["u:u_f1", "old:u_f1"], "entities": {"user_id": [1]}}, 400, "two columns"),
    ({"features": ["u:u_f1"], "entities": {"user_id": [1], "x": []}}, 400, "one length"),
    ({"features": ["u:u_f1"], "entities": {}}, 400, "none are given"),
    ({"features": ["u:u_f1"], "entities": {"id": [1]}}, 400, "lacks the key"),
    ({"features": ["u:u_f2"], "entities": {"user_id": [1]}}, 400, "no column 'u_f2'"),
    ({"features": ["v:u_f1"], "entities": {"user_id": [1]}}, 404, "'v' is not online"),
    ({"features": ["scaled:x"], "entities": {"user_id": [1]}}, 400, "lacks 'factor'"),
    ({"features": ["u:u_f1"]}, 400, "wrong form"),
    ({"features": ["u:u_f1"], "entities": {"user_id": [1] * 10_001}}, 400, "too many"),
    (b"{", 400, "not JSON"),
]


async def test_what_cannot_be_answered_is_told(door):
    for body, status, word in REFUSED:
        reply = await door.ask("POST", PATH, body)
        assert (reply.status, word in reply.json["error"]) == (status, True), reply.json


async def test_only_posts_of_json_are_read(door):
    assert (await door.ask("GET", PATH)).status == 405
    assert (await door.ask("POST", PATH, b"<x/>", {"content-type": "text/xml"})).status == 415


async def test_rows_of_an_on_demand_transformation_can_be_looked_up(door):
    body = {"rows": [{"user_id": 1, "factor": 2}, {"user_id": 9, "factor": 2}]}
    reply = await door.ask("POST", "/v1/features/scaled/lookup", body)
    first, second = reply.json["rows"]
    assert (first["values"], first["status"]) == ({"x": 1.76}, "ok")
    assert (second["values"], second["status"]) == ({"x": None}, "missing")
    refused = await door.ask("POST", "/v1/features/scaled/lookup", {"rows": [{"user_id": 1, "factor": "two"}]})
    assert (refused.status, "'factor'" in refused.json["error"]) == (400, True)


async def test_code_that_takes_too_long_is_given_up_and_the_next_request_answered(door):
    slow = await door.ask("POST", "/v1/features/slow/lookup", {"rows": [{"s": 0.6}]})
    assert (slow.status, "took longer" in slow.json["error"]) == (503, True)
    reply = await door.ask("POST", "/v1/features/slow/lookup", {"rows": [{"s": 0.0}]})
    assert reply.json["rows"][0]["values"] == {"done": True}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00.250000Z", "2025-01-01T00:00:00.250Z"),
        ("2025-01-01T00:00:00.250001Z", "2025-01-01T00:00:00.250001Z"),
        (None, "1970-01-01T00:00:00Z"),
    ],
)
def test_times_have_the_digits_that_protobuf_gives_them(ours, theirs):
    assert feast._moment(ours) == theirs
