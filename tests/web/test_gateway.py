"""What the gateway answers: protocols, the right 4xx for bad requests, the log before the reply."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.records import Wanted

INFER = "/v2/models/churn/infer"
GOOD = {
    "inputs": [
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [1, 2]},
        {"name": "kind", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ]
}


async def test_v2_infer_answers_and_its_record_lies_in_the_log(door: Any) -> None:
    reply = await door.ask("POST", INFER, {**GOOD, "id": "r1"})
    assert (reply.status, reply.json["id"], reply.json["model_version"]) == (200, "r1", "1")
    ids = reply.json["parameters"]["prediction_ids"]
    assert reply.headers["x-prediction-id"] == ids[0]
    record = door.logged()[0]
    assert (record["ids"], record["prediction"], record["score"]) == (ids, [2, 4], [0.75, 0.75])
    assert (record["deployment"], record["version"], record["request_id"]) == ("churn", 1, "r1")
    assert record["columns"] == {"x": [1, 2], "kind": ["a", "b"]}


async def test_mlflow_scoring_by_name_and_without_when_there_is_one(door: Any) -> None:
    for path in ("/deployments/churn/invocations", "/invocations"):
        reply = await door.ask("POST", path, {"dataframe_records": [{"x": 3, "kind": "a"}]})
        assert (reply.status, reply.json["predictions"]) == (200, [6])
    csv = await door.ask("POST", "/invocations", b"x,kind\n4,b\n", {"content-type": "text/csv; charset=utf-8"})
    assert csv.json["predictions"] == [8]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2", 200),
        ("GET", "/v2/", 200),
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
        ("GET", "/health/live", 200),
        ("GET", "/health/ready", 200),
        ("GET", "/ping", 200),
        ("GET", "/version", 200),
        ("GET", "/metrics", 200),
        ("HEAD", "/v2/health/live", 200),
        ("GET", "/v2/models/churn", 200),
        ("GET", "/v2/models/churn/ready", 200),
        ("GET", "/v2/models/churn/versions/1", 200),
        ("GET", "/v2/models/churn/versions/1/ready", 200),
        ("GET", "/v2/models/churn/versions/2", 404),
        ("GET", "/v2/models/churn/versions/one", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/nobody/ready", 404),
        ("POST", "/v2/models/nobody/infer", 404),
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v2/models", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/models/churn", 405),
        ("DELETE", "/metrics", 405),
        ("POST", "/ping", 405),
        ("GET", "/deployments/churn/invocations", 405),
        ("POST", "/v2/models/churn/versions/7/infer", 404),
    ],
)
async def test_every_place_answers_with_its_status(door: Any, method: str, path: str, status: int) -> None:
    reply = await door.ask(method, path, GOOD if path.endswith("infer") and method == "POST" else None)
    assert reply.status == status
    if status >= 400:
        assert set(reply.json) <= {"error", "hint"}
    if status == 405:
        assert reply.headers["allow"] in {"GET", "POST"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"\xff", {}, 400),
        (b"null", {}, 400),
        ({"inputs": []}, {}, 400),
        ({"inputs": GOOD["inputs"][:1]}, {}, 400),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', {}, 400),
        (GOOD, {"content-type": "text/plain"}, 415),
        (GOOD, {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"x" * 1_000_001, {}, 413),
        (b"{}", {"content-length": "1000001"}, 413),
        (GOOD, {"host": "evil.example"}, 421),
        (GOOD, {"host": "evil.example:8080"}, 421),
        (GOOD, {"origin": "http://evil.example"}, 403),
        (GOOD, {"origin": "null"}, 403),
        (GOOD, {"host": "localhost:9", "origin": "http://localhost:3000"}, 200),
        (GOOD, {"host": "[::1]:9"}, 200),
        (GOOD, {"content-type": "Application/JSON; charset=utf-8"}, 200),
    ],
)
async def test_bad_requests_get_their_4xx_and_one_sentence(
    make_door: Callable[..., Any], body: Any, headers: dict[str, str], status: int
) -> None:
    door = make_door(max_body_mb=1)
    door.want(v1=100)
    await door.ready()
    reply = await door.ask("POST", INFER, body, headers, chunk=300_000)
    assert reply.status == status
    if status != 200:
        assert reply.json["error"].endswith((".", "?"))
        assert door.logged() == []


async def test_rows_the_model_refuses_are_400_and_a_broken_model_is_500_and_logged(door: Any) -> None:
    refused = await door.predict(13)
    assert (refused.status, refused.json["error_code"]) == (400, "BAD_REQUEST")
    assert "13 is unlucky" in refused.json["message"]
    broken = await door.predict(99)
    assert (broken.status, broken.json["error_code"]) == (500, "INTERNAL_ERROR")
    record = door.logged()[0]
    assert (len(door.logged()), record["status"], record["prediction"]) == (1, 500, None)
    assert "broken inside" in record["error"]


async def test_a_full_disk_rejects_and_the_next_request_after_it_is_logged(
    door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: SegmentWriter, frames: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(SegmentWriter, "append_frames", full)
        reply = await door.predict(1)
    assert reply.status == 503
    assert "No space left" in reply.json["error"]
    assert (await door.predict(1)).status == 200
    assert [record["status"] for record in door.logged()] == [200]


async def test_a_full_disk_may_serve_unlogged_when_the_settings_say_so(
    make_door: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = make_door(log_failure="serve_unlogged")
    door.want(v1=100)
    await door.ready()
    monkeypatch.setattr(SegmentWriter, "append_frames", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert (await door.predict(1)).status == 200
    assert "mlops_unlogged_total 1" in (await door.ask("GET", "/metrics")).body.decode()


async def test_with_durability_power_a_reply_waits_for_the_sync(make_door: Callable[..., Any]) -> None:
    door = make_door(durability="power")
    door.want(v1=100)
    await door.ready()
    assert (await door.predict(1)).status == 200
    assert not door.journal._dirty


async def test_feedback_is_checked_and_logged(door: Any) -> None:
    name = new_prediction_id(5)
    for body in ([{"id": name, "label": 1}], {"rows": [{"prediction_id": name, "label": 1}]}, {"id": name, "label": 1}):
        reply = await door.ask("POST", "/v1/feedback", body)
        assert (reply.status, reply.json) == (200, {"accepted": 1})
    assert [record["rows"][0]["id"] for record in door.logged("feedback")] == [name] * 3
    for wrong in ([], [{"id": "x", "label": 1}], {"rows": 3}, [3], {"rows": [{"id": name}]}):
        assert (await door.ask("POST", "/v1/feedback", wrong)).status == 400
    assert (await door.ask("POST", "/v1/feedback", b"id=1", {"content-type": "text/csv"})).status == 415
    assert len(door.logged("feedback")) == 3


async def test_metrics_count_requests_by_version_and_code(door: Any) -> None:
    await door.predict(1, 2)
    await door.predict(13)
    await door.ask("GET", "/nothing")
    text = (await door.ask("GET", "/metrics")).body.decode()
    assert 'mlops_requests_total{deployment="churn",version="1",code="200"} 1' in text
    assert 'mlops_requests_total{deployment="churn",version="1",code="400"} 1' in text
    assert 'mlops_rows_total{deployment="churn",version="1"} 3' in text
    assert 'mlops_request_duration_seconds_bucket{deployment="churn",version="1",le="+Inf"} 2' in text
    assert 'mlops_refused_total{code="404"} 1' in text
    assert 'mlops_worker_up{model="churn",version="1"} 1' in text


async def test_intervals_hold_what_came_since_the_last(door: Any) -> None:
    await door.predict(1)
    await door.predict(99)
    first = door.meter.take(5000)
    assert [(item.requests, item.server_errors, item.at, item.span_ms) for item in first] == [(2, 1, 0, 5000)]
    assert door.meter.take(10_000) == []
    await door.predict(1, 2, 3)
    assert [(item.requests, item.rows, sum(item.histogram)) for item in door.meter.take(15_000)] == [(1, 3, 1)]


async def test_stopped_and_starting_deployments_say_so(door: Any) -> None:
    door.want(wanted=Wanted.STOPPED, v1=100)
    reply = await door.predict(1)
    assert (reply.status, reply.json["error"]) == (503, "churn is stopped.")
    assert (await door.ask("GET", "/v2/models/churn/ready")).status == 503
    assert (await door.ask("GET", "/v2/health/ready")).status == 200


async def test_a_version_in_the_path_or_a_routing_key_chooses(door: Any) -> None:
    door.want(v1=50, v2=50)
    await door.ready()
    reply = await door.ask("POST", "/v2/models/churn/versions/2/infer", GOOD)
    assert reply.json["model_version"] == "2"
    seen = {(await door.predict(1, x_routing_key="ana")).headers["x-model-version"] for _ in range(8)}
    assert len(seen) == 1
    without = {(await door.predict(1)).headers["x-model-version"] for _ in range(8)}
    assert without == {"1", "2"}


async def test_a_mistake_of_ours_is_one_sentence_and_a_traceback_in_the_log(
    door: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mlops_tui.web.gateway.protocol.parse_infer", lambda *_: 1 / 0)
    reply = await door.ask("POST", INFER, GOOD)
    assert reply.status == 500
    assert "ZeroDivisionError" not in reply.body.decode()
    assert "ZeroDivisionError" in caplog.text


def test_the_gateway_imports_no_numeric_library() -> None:
    code = (
        "import sys, json, mlops_tui.web.inference, uvicorn, uvloop\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'duckdb', 'pyarrow', 'joblib', 'textual', 'sqlite_utils'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
