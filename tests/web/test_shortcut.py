"""The short way from a client's bytes to a prediction: the same answers as the ordinary way, whatever the bytes look like."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from mlops_tui.core.settings import Serving
from mlops_tui.domains.registry.engines.formula import Formula
from mlops_tui.domains.serving.access import Right, Token, hash_of
from mlops_tui.web.heads import MOST_BYTES
from mlops_tui.web.shortcut import Shortcut

INFER = "/v2/models/churn/infer"
PING = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"
TOKEN = Token("shop", hash_of("mlops_secret"), (Right.INFER,), (), None, 0, "ana")


class Wire(asyncio.Transport):
    """A client's end: what was written to it, and whether it was let go."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """A connection to a door; `replies` are the (status, headers, body) it got."""

    def __init__(self, door: Any) -> None:
        config = uvicorn.Config(door.gateway, lifespan="off", log_config=None, ws="none", http=Shortcut)
        config.load()
        self.state = ServerState()
        self.protocol = Shortcut(config=config, server_state=self.state, app_state={})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    @property
    def replies(self) -> list[tuple[int, dict[str, str], bytes]]:
        rest, found = self.wire.sent, []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            size = int(headers["content-length"])
            found.append((int(first.split()[1]), headers, rest[:size]))
            rest = rest[size:]
        return found

    async def get(self, count: int) -> list[tuple[int, dict[str, str], bytes]]:
        async with asyncio.timeout(5):
            while len(self.replies) < count:
                await asyncio.sleep(0)
        return self.replies


def post(x: float = 1.0, path: str = INFER, **headers: str) -> bytes:
    tensors = [
        {"name": "x", "shape": [1], "datatype": "FP64", "data": [x]},
        {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["a"]},
    ]
    body = json.dumps({"inputs": tensors} if path == INFER else {"dataframe_records": [{"x": x, "kind": "a"}]}).encode()
    own = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))}
    given = own | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def predicted(reply: tuple[int, dict[str, str], bytes]) -> Any:
    assert reply[0] == 200, reply
    return json.loads(reply[2])["outputs"][0]["data"]


@pytest.fixture
async def client(door: Any) -> Client:
    return Client(door)


async def test_a_head_is_read_once_and_every_prediction_is_in_the_log(client: Client, door: Any) -> None:
    for number, x in enumerate((1.0, 2.0, 3.0), 1):
        client.protocol.data_received(post(x))
        replies = await client.get(number)
    assert [predicted(reply) for reply in replies] == [[2], [4], [6]]
    assert [record["columns"]["x"] for record in door.logged()] == [[1.0], [2.0], [3.0]]
    assert len(door.gateway.heads._known) == 1
    assert client.protocol.cycle is None
    assert not client.wire.closed


@pytest.mark.parametrize("cut", [1, 20, -1, 150, -30])
async def test_a_request_may_come_in_pieces(client: Client, cut: int) -> None:
    for number in (1, 2):
        data = post(2.0)
        client.protocol.data_received(data[:cut])
        await asyncio.sleep(0)
        client.protocol.data_received(data[cut:])
        assert predicted((await client.get(number))[-1]) == [4]


async def test_requests_sent_ahead_are_answered_in_their_order(client: Client) -> None:
    client.protocol.data_received(post(1.0) + post(2.0) + PING + post(3.0))
    replies = await client.get(4)
    assert [predicted(replies[place]) for place in (0, 1, 3)] == [[2], [4], [6]]
    assert replies[2][2] == b"\n"
    assert client.wire.reading


async def test_both_ways_give_the_same_answer(client: Client, door: Any) -> None:
    for path in ("/invocations", "/deployments/churn/invocations", "/v2/models/churn/versions/1/infer"):
        body = post(4.0, INFER if path.endswith("infer") else path).replace(INFER.encode(), path.encode())
        short, long = Client(door), Client(door)
        short.protocol.data_received(body)
        long.protocol.data_received(body.replace(b"content-type", b"expect: nothing\r\ncontent-type"))
        (mine,), (other,) = await short.get(1), await long.get(1)
        assert (short.protocol.cycle is None, long.protocol.cycle is None) == (True, False)
        assert (mine[0], other[0], mine[1].keys()) == (200, 200, other[1].keys())
        answers = [json.loads(one[2]) for one in (mine, other)]
        for answer in answers:  # what names this one prediction
            for name in ("prediction_ids", "id", "parameters"):
                answer.pop(name, None)
        assert answers[0] == answers[1]


async def test_a_long_answer_to_a_short_request_is_packed_for_who_asks(client: Client) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["x", "kind"], "data": [[1, "a"]] * 500}}).encode()
    data = post(path="/invocations", content_length=str(len(body)), accept_encoding="gzip, deflate")
    client.protocol.data_received(data[: data.index(b"\r\n\r\n") + 4] + body)
    (reply,) = await client.get(1)
    assert json.loads(gzip.decompress(reply[2]))["predictions"] == [2] * 500
    assert client.protocol.cycle is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (post(path="/v2/models/nobody/infer"), 404),
        (post(path="/v2/models/churn/versions/7/infer"), 404),
        (post(path="/v2/models/churn/versions/x/infer"), 404),
        (post(content_length="2"), 400),
        (post(content_type="text/plain"), 415),
        (post(13.0), 400),
        (post(99.0), 500),
        (post(host="evil.example"), 421),
        (post(origin="http://evil.example"), 403),
        (post(authorization="Bearer mlops_wrong"), 401),
        (post().replace(b"host: ", b"host: localhost\r\nhost: "), 400),
        (post().replace(b"host: ", b"content-length: 7\r\nhost: "), 400),
        (post().replace(b"content-length", b"transfer-encoding: chunked\r\ncontent-length"), 400),
        (post(content_encoding="gzip"), 400),
        (post().replace(b"\r\n", b"\n"), 400),
        (b"POST /invocations HTTP/1.1\r\n\x00: y\r\n\r\n", 400),
    ],
)
async def test_what_is_wrong_is_told_as_ever(client: Client, data: bytes, status: int) -> None:
    client.protocol.data_received(data)
    assert (await client.get(1))[0][0] == status


@pytest.mark.parametrize(
    "data",
    [
        post(connection="close"),
        post().replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(expect="100-continue"),
        post(upgrade="websocket"),
        post().replace(b"POST", b"PUT"),
        post(x_more="y" * 5000),
        post(content_length=str(MOST_BYTES + 1)),
        post(content_length="0"),
        PING,
    ],
)
async def test_odd_heads_take_the_ordinary_way(door: Any, data: bytes) -> None:
    assert door.gateway.heads.find(data[: data.index(b"\r\n\r\n") + 4]) is None


async def test_what_was_known_of_a_caller_ends_with_the_token_and_with_new_settings(door: Any, client: Client) -> None:
    door.gateway.configure(Serving(require_token=True))
    door.gateway.doorman.know([TOKEN])
    data = post(authorization="Bearer mlops_secret")
    client.protocol.data_received(data)
    assert (await client.get(1))[0][0] == 200
    door.gateway.doorman.know([])
    client.protocol.data_received(data)
    assert (await client.get(2))[1][0] == 401
    used = [(one.token, one.requests) for one in door.gateway.doorman.take()]
    assert used == [("shop", 1)]


async def test_a_token_that_expires_meanwhile_is_refused(door: Any, client: Client) -> None:
    now = [0]
    door.gateway.doorman._now = lambda: now[0]
    door.gateway.doorman.know([dataclasses.replace(TOKEN, expires_at=5)])
    data = post(authorization="Bearer mlops_secret")
    client.protocol.data_received(data)
    assert (await client.get(1))[0][0] == 200
    now[0] = 5
    client.protocol.data_received(data)
    assert (await client.get(2))[1][0] == 401


async def test_a_body_that_stays_away_is_not_waited_for(door: Any, client: Client) -> None:
    door.gateway.patience_s = 0.01
    client.protocol.data_received(post()[:-3])
    (reply,) = await client.get(1)
    assert (reply[0], reply[1]["connection"], client.wire.closed) == (408, "close", True)


async def test_a_gateway_that_ends_answers_what_is_under_way_and_lets_go(door: Any, client: Client) -> None:
    link = door.nursery.links[0]
    link.held = asyncio.Event()
    client.protocol.data_received(post())
    client.protocol.shutdown()
    assert not client.wire.closed
    link.held.set()
    (reply,) = await client.get(1)
    assert (reply[0], reply[1]["connection"], client.wire.closed) == (200, "close", True)
    idle = Client(door)
    idle.protocol.shutdown()
    assert idle.wire.closed


async def test_a_client_that_does_not_read_is_not_read_from(client: Client) -> None:
    client.protocol.pause_writing()
    client.protocol.data_received(post())
    await asyncio.sleep(0)
    assert (client.wire.sent, client.wire.reading) == (b"", False)
    client.protocol.resume_writing()
    assert predicted((await client.get(1))[0]) == [2]
    assert client.wire.reading


async def test_a_client_that_leaves_gets_nothing_and_its_prediction_is_logged(client: Client, door: Any) -> None:
    client.protocol.data_received(post())
    client.wire.close()
    client.protocol.connection_lost(None)
    async with asyncio.timeout(5):
        while not door.logged():
            await asyncio.sleep(0)
    assert client.wire.sent == b""


async def test_a_connection_at_rest_is_closed_by_a_timer_that_requests_do_not_move(client: Client) -> None:
    client.protocol.data_received(post())
    await client.get(1)
    timer = client.protocol._watch
    client.protocol._look()
    assert not client.wire.closed
    client.protocol.data_received(post())
    await client.get(2)
    client.protocol._rested_at -= client.protocol.timeout_keep_alive + 1
    client.protocol._look()
    assert client.wire.closed
    assert timer is not None
    timer.cancel()


async def test_a_formula_answers_small_requests_and_the_worker_all_others(
    make_door: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = make_door()
    door.want(v1=100)
    await door.ready()
    link = door.nursery.links[0]
    link.formula = Formula([], [[3.0, 0.0]], [0.5])
    before = len(link.asked)
    monkeypatch.setattr(Formula, "answer", lambda self, columns, rows: ([7], [[0.5, 0.5]]) if rows == 1 else None)
    assert (await door.predict(1.0)).json["predictions"] == [7]
    assert len(link.asked) == before
    assert (await door.predict(1.0, 2.0)).json["predictions"] == [2, 4]
    assert len(door.logged()) == 2
