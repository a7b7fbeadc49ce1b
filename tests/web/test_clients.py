"""Clients that other people wrote, over a socket: tritonclient and the KServe SDK. Neither is in the lock: skipped without them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from mlops_tui.web.shortcut import Shortcut


@contextlib.asynccontextmanager
async def listening(door: Any) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(door.gateway, http=Shortcut, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def talk(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_what_is_no_http_is_refused_in_our_words_and_the_next_client_is_answered(door: Any) -> None:
    async with listening(door) as port:
        smuggled = (
            b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        for sent in (b"nonsense\r\n\r\n", smuggled):
            answer = await talk(port, sent)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert answer.endswith(b'{"error":"Invalid HTTP request received."}')
        good = b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await talk(port, good)).startswith(b"HTTP/1.1 200 ")


async def test_a_head_that_is_too_long_or_never_whole_ends_the_connection(
    door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(door) as port:
        long = b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000
        with contextlib.suppress(ConnectionError):
            assert b"200 OK" not in await talk(port, long)
        monkeypatch.setattr("mlops_tui.web.connection.HEAD_SECONDS", 0.01)
        assert await talk(port, b"GET /v2 HT") == b""


async def test_tritonclient_finds_its_way(door: Any) -> None:
    http = pytest.importorskip("tritonclient.http")
    np = pytest.importorskip("numpy")

    def converse(port: int) -> None:
        client = http.InferenceServerClient(f"127.0.0.1:{port}")
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("churn", "1")
        assert not client.is_model_ready("nobody")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        assert [item["name"] for item in client.get_model_metadata("churn")["inputs"]] == ["x", "kind"]
        for binary in (True, False):
            x, kind = http.InferInput("x", [2], "FP64"), http.InferInput("kind", [2], "BYTES")
            x.set_data_from_numpy(np.array([1.0, 2.0]), binary_data=binary)
            kind.set_data_from_numpy(np.array(["a", "b"], dtype=object), binary_data=binary)
            for packing in (None, "gzip", "deflate"):
                found = client.infer("churn", [x, kind], request_id="r7", request_compression_algorithm=packing)
                assert found.as_numpy("prediction").tolist() == [2, 4]
                assert found.as_numpy("probabilities").shape == (2, 2)
                assert found.get_response()["id"] == "r7"
            wanted = [http.InferRequestedOutput("prediction", binary_data=binary)]
            found = client.infer("churn", [x, kind], outputs=wanted)
            assert found.as_numpy("probabilities") is None
        with pytest.raises(Exception, match="input 'kind' is missing"):
            client.infer("churn", [x])
        client.close()

    async with listening(door) as port:
        await asyncio.to_thread(converse, port)


async def test_the_kserve_sdk_finds_its_way(door: Any) -> None:
    kserve = pytest.importorskip("kserve")
    np = pytest.importorskip("numpy")
    async with listening(door) as port:
        base = f"http://127.0.0.1:{port}"
        client = kserve.InferenceRESTClient(kserve.inference_client.RESTConfig(protocol="v2"))
        assert await client.is_server_live(base)
        assert await client.is_server_ready(base)
        assert await client.is_model_ready(base, "churn")
        for binary in (True, False):
            x, kind = kserve.InferInput("x", [2], "FP64"), kserve.InferInput("kind", [2], "BYTES")
            x.set_data_from_numpy(np.array([1.0, 2.0]), binary_data=binary)
            kind.set_data_from_numpy(np.array(["a", "b"], dtype=object), binary_data=binary)
            asked = kserve.InferRequest(model_name="churn", infer_inputs=[x, kind], request_id="k1")
            found = await client.infer(base, asked, model_name="churn")
            assert (found.id, found.outputs[0].as_numpy().tolist()) == ("k1", [2, 4])
        await client.close()
