"""Whatever is sent, no 500: bodies by hypothesis, packed bodies, slow clients."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.settings import Serving
from mlops_tui.domains.serving import feedback, openapi, protocol, scoring
from mlops_tui.domains.serving.records import Column, Signature
from mlops_tui.web.asgi import Refusal, Request

SIGNATURE = Signature(
    "classification",
    (
        Column("x", "float64"),
        Column("n", "int64"),
        Column("on", "bool"),
        Column("kind", "string"),
        Column("at", "datetime"),
    ),
    (Column("prediction", "int64"), Column("probabilities", "float64")),
    (0, 1),
)
INFER = "/v2/models/churn/infer"
GOOD = {"inputs": [
    {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]},
    {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["a"]},
]}  # fmt: skip
LOOSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["x", "n", "on", "kind", "at", "m", ""])
TENSORS = st.fixed_dictionaries(
    {
        "name": NAMES | LOOSE,
        "shape": st.lists(st.integers(-2, 5) | st.just(2**70), max_size=3) | LOOSE,
        "datatype": st.sampled_from(["FP64", "FP16", "BF16", "INT8", "UINT64", "BOOL", "BYTES", "FP128"]) | LOOSE,
    },
    optional={
        "data": LOOSE | st.lists(LOOSE, max_size=5),
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "content_type"]), st.integers(-1, 20) | LOOSE, max_size=2
        )
        | LOOSE,
    },
)
BODIES = st.one_of(
    st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=5) | LOOSE}, optional={
        "id": LOOSE, "parameters": LOOSE, "outputs": LOOSE}),
    st.dictionaries(st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]),
        LOOSE | st.fixed_dictionaries({"columns": st.lists(NAMES, max_size=5), "data": st.lists(LOOSE, max_size=3)})
        | st.lists(st.dictionaries(NAMES, LOOSE, max_size=5), max_size=3), max_size=2),
)  # fmt: skip
few = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def request(body: bytes, headers: dict[str, str], *, more: bool = False) -> Request:
    async def receive() -> dict[str, Any]:
        if more and receive.calls:  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        receive.calls += 1  # type: ignore[attr-defined]
        return {"type": "http.request", "body": body, "more_body": more}

    receive.calls = 0  # type: ignore[attr-defined]
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request.of({"method": "POST", "path": "/", "raw_path": b"/", "headers": given}, receive)


@few
@given(BODIES, st.binary(max_size=30), st.none() | st.integers(0, 200).map(str) | st.text(max_size=4))
def test_any_body_is_read_or_refused_in_one_sentence(body: Any, rest: bytes, json_length: str | None) -> None:
    data = json.dumps(body).encode()
    if json_length == "0":
        json_length = str(len(data))
    for read in (
        lambda: protocol.parse_infer(data + rest if json_length else data, SIGNATURE, json_length),
        lambda: scoring.parse_invocation(data, "application/json", SIGNATURE),
        lambda: scoring.parse_invocation(rest, "text/csv", SIGNATURE),
    ):
        try:
            call = read()
        except InvalidInput as error:
            assert error.message.rstrip().endswith((".", "?"))  # noqa: PT017 - most bodies raise nothing
        else:
            assert {len(values) for values in call.columns.values()} == {call.rows}


@few
@given(st.dictionaries(st.sampled_from(["id", "prediction_id", "label", "at", "deployment", "key"]), LOOSE, max_size=4))
def test_any_label_is_taken_or_refused(row: dict[str, Any]) -> None:
    try:
        feedback.checked([row], 5)
    except InvalidInput as error:
        assert error.message.endswith(".")  # noqa: PT017


def binary(**blobs: bytes) -> tuple[bytes, str]:
    tensors = [
        {"name": "x", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": len(blobs["x"])}},
        {"name": "kind", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(blobs["kind"])}},
    ]
    text = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    return text + blobs["x"] + blobs["kind"], str(len(text))


async def test_binary_tensors_come_and_go(door: Any) -> None:
    body, length = binary(x=struct.pack("<2d", 1.0, 3.0), kind=b"\x01\0\0\0a\x02\0\0\0\xc3\xa4")
    headers = {"inference-header-content-length": length, "content-type": "application/octet-stream"}
    reply = await door.ask("POST", INFER, body, headers)
    assert reply.status == 200
    cut = int(reply.headers["inference-header-content-length"])
    outputs = json.loads(reply.body[:cut])["outputs"]
    assert [output["parameters"]["binary_data_size"] for output in outputs] == [16, 32]
    assert struct.unpack("<2q", reply.body[cut : cut + 16]) == (2, 6)
    assert struct.unpack("<4d", reply.body[cut + 16 :]) == (0.25, 0.75, 0.25, 0.75)
    assert door.logged()[0]["columns"] == {"x": [1.0, 3.0], "kind": ["a", "ä"]}


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (b"", b"\x01\0\0\0a\x01\0\0\0b"),
        (b"\0" * 15, b"\x01\0\0\0a\x01\0\0\0b"),
        (b"\0" * 16, b"\x01\0\0\0a\xff\xff\xff\xffb"),
        (b"\0" * 16, b"\x01\0\0\0a\x01\0\0\0\xff"),
        (struct.pack("<2d", 1.0, float("nan")), b"\x01\0\0\0a\x01\0\0\0b"),
    ],
)
async def test_binary_tensors_that_do_not_fit_are_refused(door: Any, x: bytes, kind: bytes) -> None:
    body, length = binary(x=x, kind=kind)
    reply = await door.ask("POST", INFER, body, {"inference-header-content-length": length})
    assert (reply.status, door.logged()) == (400, [])


@pytest.mark.parametrize(
    ("kind", "raw", "values"),
    [
        ("FP16", b"\x00\x3c\x00\xc0", [1.0, -2.0]),
        ("BF16", b"\x80\x3f\x00\xc0", [1.0, -2.0]),
        ("INT8", b"\x01\xff", [1, -1]),
        ("UINT16", b"\x01\0\xff\xff", [1, 65535]),
        ("FP32", b"\0\0\x80\x3f\0\0\0\xc0", [1.0, -2.0]),
    ],
)
def test_every_datatype_is_read_from_bytes(kind: str, raw: bytes, values: list[float]) -> None:
    one = Signature("regression", (Column("x", "float64"),), (Column("prediction", "float64"),))
    tensor = {"name": "x", "shape": [2], "datatype": kind, "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor]}).encode()
    assert protocol.parse_infer(text + raw, one, str(len(text))).columns == {"x": values}


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(json.dumps(GOOD).encode()), "gzip", 200),
        (zlib.compress(json.dumps(GOOD).encode()), "deflate", 200),
        (json.dumps(GOOD).encode(), "gzip", 400),
        (gzip.compress(json.dumps(GOOD).encode())[:-6], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (gzip.compress(b" " * 20_000_000), "gzip", 413),
        (b"{}", "br", 415),
    ],
    # What gzip writes holds the time, and every process of a run must know the test by the same name.
    ids=["gzip", "deflate", "plain", "cut", "followed", "huge", "unknown"],
)
async def test_packed_bodies(door: Any, body: bytes, encoding: str, status: int) -> None:
    reply = await door.ask("POST", INFER, body, {"content-encoding": encoding})
    assert reply.status == status


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(Refusal) as caught:
        await request(b"{", {}, more=True).body(100, 0.001)
    assert caught.value.status == 408


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc", "a%00b", "%ff%fe", "x" * 5000, "{}", "'; --"])
async def test_strange_names_are_not_found(door: Any, name: str) -> None:
    for path in (f"/v2/models/{name}", f"/v2/models/{name}/infer", f"/deployments/{name}/invocations"):
        reply = await door.ask("GET" if path.endswith(name) else "POST", path)
        assert reply.status == 404
        assert len(reply.body) < 6000


async def test_the_document_describes_the_model_and_its_example_is_answered(door: Any) -> None:
    document = (await door.ask("GET", "/openapi.json")).json
    assert document["openapi"] == "3.1.0"
    for path in (INFER, "/deployments/churn/invocations"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert (await door.ask("POST", path, content["example"])).status == 200
    row = document["paths"]["/deployments/churn/invocations"]["post"]["requestBody"]["content"]["application/json"]
    columns = row["schema"]["properties"]["dataframe_records"]["items"]["properties"]
    assert columns == {"x": {"type": ["number", "null"]}, "kind": {"type": ["string", "null"]}}


def test_an_example_exists_without_a_golden_row() -> None:
    served = openapi.Served("churn", (1,), SIGNATURE)
    assert (
        scoring.parse_invocation(
            json.dumps(openapi.records_example(served)).encode(), "application/json", SIGNATURE
        ).rows
        == 1
    )
    assert protocol.parse_infer(json.dumps(openapi.infer_example(served)).encode(), SIGNATURE).rows == 1


async def test_the_page_loads_nothing_from_elsewhere(door: Any) -> None:
    page = await door.ask("GET", "/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.body.decode()
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_limits_have_defaults() -> None:
    assert (Serving().max_body_mb, Serving().request_timeout_s, Serving().require_token) == (16, 30.0, False)
