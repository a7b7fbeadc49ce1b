"""Send a running gateway what no client should: 10,000 requests, and none may be answered with a 5xx, hang or end a worker.

    python bench/fuzz_gateway.py http://127.0.0.1:8080 [--requests 10000] [--seed 1]

Half are HTTP with bodies mutated from the examples in /openapi.json, half are bytes on a socket: torn heads, twins of headers,
smuggled bodies, escapes in paths. Before and after, a good request must be answered. Exit code 1 when something went wrong.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import http.client
import json
import random
import socket
import sys
import zlib
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 20.0
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 2**70, 10**400, 0.0, -0.0, 1e308, 1e-320, "", "a", "\x00", "é" * 50,
    "\ud800", "NaN", "../../etc/passwd", [], [[]], {}, {"a": 1}, [None], [[1, 2], [3]], float("nan"), float("inf"), "x" * 5000,
]  # fmt: skip
KEYS = [
    "inputs", "outputs", "parameters", "id", "name", "shape", "datatype", "data", "binary_data_size", "binary_data_output",
    "dataframe_split", "dataframe_records", "instances", "columns", "rows", "label", "key", "deployment", "at", "x",
]  # fmt: skip
DATATYPES = ["FP64", "FP32", "FP16", "BF16", "INT8", "INT64", "UINT8", "UINT64", "BOOL", "BYTES", "STRING", "fp64"]
KINDS = [
    "application/json",
    "text/csv",
    "application/octet-stream",
    "text/plain",
    "",
    "application/json; charset=utf-16",
    "\x7f",
]
NAMES = [
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "%ff",
    "%25",
    "a" * 3000,
    "{}",
    "-1",
    "1e9",
    "%F0%9F%92%A9",
    "..;",
    "*",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    place = urlsplit(given.url)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    status, text = ask(host, port, "GET", "/openapi.json", b"", {})
    assert status == 200, "the gateway does not answer"
    good = examples(json.loads(text))
    begin = restarts(host, port)
    chance = random.Random(given.seed)
    counted: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    for number in range(given.requests):
        try:
            word, sent = body(chance, good, host, port) if number % 2 else raw(chance, good, host, port)
        except TimeoutError:
            word, sent = "hang", f"request {number}"
        counted[word] += 1
        if word.startswith("5") or word == "hang":
            wrong.append(f"{word}: {sent[:400]}")
    for path, value in good:
        status, text = ask(host, port, "POST", path, json.dumps(value).encode(), {"content-type": "application/json"})
        if status != 200:
            wrong.append(f"after it all {path} answers {status} {text[:200]!r}")
    end = restarts(host, port)
    if begin != end:
        wrong.append(f"workers were started again: {begin} before, {end} after")
    print(f"{given.requests} requests: " + ", ".join(f"{word} {count}" for word, count in sorted(counted.items())))
    print("\n".join(wrong[:20]) or "No 5xx, no hang, no worker ended.")
    return 1 if wrong else 0


def examples(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Paths that predict, with a body that is answered."""
    return [
        (path, verbs["post"]["requestBody"]["content"]["application/json"]["example"])
        for path, verbs in document["paths"].items()
        if "post" in verbs and path != "/v1/feedback"
    ]


def restarts(host: str, port: int) -> list[str]:
    text = ask(host, port, "GET", "/metrics", b"", {})[1].decode()
    return [line for line in text.splitlines() if line.startswith("mlops_worker_restarts_total{")]


def ask(host: str, port: int, method: str, path: str, data: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**headers, "content-length": str(len(data))}.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def mutate(chance: random.Random, value: Any, depth: int = 0) -> Any:
    """A copy of a JSON value with something odd in it."""
    if chance.random() < 0.15 or depth > 6:
        return chance.choice(ODD)
    if isinstance(value, dict):
        found = {key: mutate(chance, item, depth + 1) if chance.random() < 0.4 else item for key, item in value.items()}
        if found and chance.random() < 0.1:
            found.pop(chance.choice(list(found)))
        if chance.random() < 0.15:
            found[chance.choice(KEYS)] = chance.choice([*ODD, *DATATYPES])
        return found
    if isinstance(value, list):
        found_list = [mutate(chance, item, depth + 1) if chance.random() < 0.5 else item for item in value]
        return found_list * chance.choice([0, 1, 1, 1, 2, 50])
    return chance.choice([*ODD, *DATATYPES, value])


def body(chance: random.Random, good: list[tuple[str, Any]], host: str, port: int) -> tuple[str, str]:
    path, value = chance.choice([*good, ("/v1/feedback", {"rows": [{"id": "p19ad2f0c1b31a1b2c3d4e5f", "label": 1}]})])
    data = json.dumps(mutate(chance, value)).encode("utf-8", "surrogatepass")
    headers = {"content-type": "application/json"}
    dice = chance.random()
    if dice < 0.1:
        data = bytes(chance.choice([byte, chance.randrange(256)]) if chance.random() < 0.05 else byte for byte in data)
    elif dice < 0.15:
        data = data[: chance.randrange(len(data) + 1)]
    elif dice < 0.2:
        data = b"[" * chance.randrange(1, 100_000)
    elif dice < 0.3:
        headers["content-type"] = chance.choice(KINDS)
    elif dice < 0.4:
        headers["content-encoding"] = chance.choice(["gzip", "deflate", "br", "identity", "gzip, gzip", "x"])
        data = chance.choice([gzip.compress(data), zlib.compress(data), gzip.compress(data)[:-3], data])
    elif dice < 0.5:
        headers["inference-header-content-length"] = chance.choice(["0", str(len(data)), "-1", "9" * 30, "x", "1"])
        data += chance.randbytes(chance.randrange(40))
    elif dice < 0.53:
        data = b"x,y,age,visits,plan\n" + chance.randbytes(200)
        headers["content-type"] = "text/csv"
    status, _ = ask(host, port, chance.choice(["POST"] * 9 + ["PUT"]), path, data, headers)
    return str(status), f"POST {path} {headers} {data!r}"


def more(chance: random.Random, size: int) -> str:
    """A header line that quarrels with the others."""
    return chance.choice(
        [
            f"Content-Length: {chance.choice([0, -1, size + 1, 10**30])}",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding : chunked",
            "Host: evil.example",
            "Origin: http://evil.example",
            "Authorization: Bearer x\xff",
            "Authorization: Bearer mlops_wrong",
            "Expect: 100-continue",
            "Upgrade: websocket\r\nConnection: Upgrade",
            "Connection: close, keep-alive",
            "X-Routing-Key: " + "k" * chance.choice([1, 70_000]),
            " folded: x",
            "X\x00: y",
        ]
    )


def raw(chance: random.Random, good: list[tuple[str, Any]], host: str, port: int) -> tuple[str, str]:
    """Bytes on a socket, then end of sending; the status of the first answer, or "closed"."""
    path, value = chance.choice(good)
    data = json.dumps(value).encode()
    if chance.random() < 0.3:
        path = path.replace(path.split("/")[2], chance.choice(NAMES), 1)
    if chance.random() < 0.1:
        path = chance.choice(
            ["/", "*", "//", "/v2/models//infer", "/v2/models/\xff", "http://evil.example/v2", "/?a=b", "/v2/../v2"]
        )
    lines = [f"{chance.choice(['POST'] * 6 + ['GET', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PO ST'])} {path} HTTP/1.1"]
    heads = [f"Host: {host}:{port}", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    heads += [more(chance, len(data)) for _ in range(chance.randrange(3))]
    if chance.random() < 0.3:
        heads.remove(chance.choice(heads[:3]))
    chance.shuffle(heads)
    sent = "\r\n".join([*lines, *heads, "", ""]).encode("latin-1") + data
    if chance.random() < 0.2:
        sent = sent[: chance.randrange(len(sent))]
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as client:
        answer = b""
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                answer += part
        except TimeoutError:
            raise
        except OSError:  # it was answered and hung up on before all was sent
            pass
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    word = answer.split(b" ", 2)[1].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "closed"
    return word, repr(sent[:500])


if __name__ == "__main__":
    sys.exit(main())
