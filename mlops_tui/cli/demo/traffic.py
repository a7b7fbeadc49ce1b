"""Live traffic for the demo: real HTTP to the gateway in the Open Inference Protocol, one request an hour of data."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pandas as pd

DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL", "string": "BYTES", "datetime": "BYTES"}


class Client:
    """A kept-alive connection to one deployment."""

    def __init__(self, url: str, deployment: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.deployment = deployment
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and decoded answer; status 0 when the connection failed."""
        return self.send(path, json.dumps(body).encode())

    def send(self, path: str, body: bytes) -> tuple[int, Any]:
        """The same with a body that is JSON already."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
            self._connection.request("POST", path, body, {"content-type": "application/json"})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return 0, {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def infer(self, inputs: list[dict[str, Any]]) -> tuple[int, Any]:
        return self.post(f"/v2/models/{self.deployment}/infer", {"inputs": inputs})

    def another(self) -> Client:
        """A second connection to the same deployment."""
        return Client(f"http://{self.host}:{self.port}", self.deployment)


class Background:
    """Asks the same rows again and again until it is left: the traffic that goes on while versions are swapped.

    `rate` requests a second over `connections`, each at its own time whatever became of the one before (a stall is made up
    for, up to a second of it), so that `latencies` count from when an answer was due to be asked for. Where `ask` is given
    the name of the target, what was true is reported for each answer a second later.
    """

    def __init__(
        self,
        client: Client,
        signature: dict[str, Any],
        rows: pd.DataFrame,
        *,
        rate: float = 40.0,
        connections: int = 1,
    ) -> None:
        self._client = client
        self._signature = signature
        self._gap = connections / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(number, number / rate), daemon=True)
            for number in range(connections)
        ]
        self._reporter = threading.Thread(target=self._report, daemon=True)
        self._known: deque[tuple[str, float]] = deque()
        self.sent = 0
        self.failed = 0
        self.labels = 0
        self.trouble: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.ask(rows)

    def ask(self, rows: pd.DataFrame, target: str = "") -> None:
        """From here on these rows; with the name of the target their labels are reported too."""
        asked = rows.head(200) if len(rows) <= 200 else rows.sample(200, random_state=7)
        truth = asked[target].tolist() if target else None
        self._asked = ([json.dumps({"inputs": body}).encode() for body in requests(asked, self._signature)], truth)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in (*self._threads, self._reporter):
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in (*self._threads, self._reporter):
            thread.join()
        self.seconds = time.monotonic() - self._began

    def figures(self) -> dict[str, float]:
        """Requests, failures, requests a second, and latencies in ms from when each was due."""
        times = sorted(self.latencies)
        share = {name: times[int(part * (len(times) - 1))] * 1000 if times else math.nan for name, part in _PARTS}
        rate = self.sent / self.seconds if self.seconds else math.nan
        return {"sent": self.sent, "failed": self.failed, "labels": self.labels, "rate": rate, **share}

    def _work(self, number: int, wait: float) -> None:
        client = self._client.another()
        due = time.monotonic() + wait
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            bodies, truth = self._asked
            number += len(self._threads)
            place = number % len(bodies)
            status, answer = client.send(f"/v2/models/{client.deployment}/infer", bodies[place])
            with self._lock:
                self._count(status, answer)
                self.latencies.append(time.monotonic() - due)
                if truth is not None and status == 200:
                    self._known.append((answer["parameters"]["prediction_ids"][0], float(truth[place])))
            due = max(due + self._gap, time.monotonic() - 1.0)

    def _report(self) -> None:
        while not self._stop.wait(1.0):
            client = self._client.another()  # one that was kept may have been closed by the other side meanwhile
            with self._lock:
                known = [self._known.popleft() for _ in range(len(self._known))]
            for start in range(0, len(known), 500):
                rows = [{"id": name, "label": label} for name, label in known[start : start + 500]]
                status, answer = client.post("/v1/feedback", {"rows": rows})
                with self._lock:
                    self._count(status, answer)
                    self.labels += len(rows) if status == 200 else 0
            client.close()

    def _count(self, status: int, answer: Any) -> None:
        self.sent += 1
        if status != 200:
            self.failed += 1
            self.trouble[f"{status} {str(answer)[:100]}"] += 1


_PARTS = (("p50_ms", 0.5), ("p99_ms", 0.99), ("worst_ms", 1.0))


class Traffic:
    """Rows sent one by one over a few connections, their answers, and later the labels."""

    def __init__(self, client: Client, signature: dict[str, Any], rows: pd.DataFrame, *, connections: int = 8) -> None:
        self._client = client
        self._rows = rows
        self._bodies = requests(rows, signature)
        self._connections = connections
        self._answers: list[tuple[int, str, float]] = []  # row number, prediction id, answer
        self.sent = 0
        self.failed = 0

    @property
    def ids(self) -> list[str]:
        return [prediction_id for _, prediction_id, _ in self._answers]

    def send(self) -> None:
        """Ask for every row."""
        with ThreadPoolExecutor(self._connections) as pool:
            for answers in pool.map(self._ask, range(self._connections)):
                self._answers += [answer for answer in answers if answer is not None]
                self.sent += len(answers)
                self.failed += answers.count(None)
        self._answers.sort()

    def _ask(self, first: int) -> list[tuple[int, str, float] | None]:
        client = self._client.another()
        answers: list[tuple[int, str, float] | None] = []
        for number in range(first, len(self._bodies), self._connections):
            status, answer = client.infer(self._bodies[number])
            ok = status == 200
            answers.append(
                (number, answer["parameters"]["prediction_ids"][0], float(answer["outputs"][0]["data"][0]))
                if ok
                else None
            )
        return answers

    def report_labels(self, target: str) -> float:
        """Report what was true, 500 a request; the RMSLE of the answers."""
        truth = self._rows[target].to_numpy(dtype=float)
        labels = [{"id": prediction_id, "label": float(truth[number])} for number, prediction_id, _ in self._answers]
        for start in range(0, len(labels), 500):
            status, answer = self._client.post("/v1/feedback", {"rows": labels[start : start + 500]})
            if status != 200:
                self.failed += 1
                self.sent += 1
                raise RuntimeError(f"feedback was refused: {answer}")
        errors = [
            (math.log1p(max(answer, 0.0)) - math.log1p(truth[number])) ** 2 for number, _, answer in self._answers
        ]
        return math.sqrt(sum(errors) / len(errors)) if errors else math.nan


def requests(rows: pd.DataFrame, signature: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """One Open Inference request per row: a named tensor of shape [1] per model input."""
    columns = [
        (item["name"], DATATYPES[item["type"]], _values(rows[item["name"]], item["type"]))
        for item in signature["inputs"]
    ]
    return [
        [{"name": name, "shape": [1], "datatype": datatype, "data": [values[i]]} for name, datatype, values in columns]
        for i in range(len(rows))
    ]


def _values(column: pd.Series[Any], kind: str) -> list[Any]:
    if kind == "datetime":
        return [moment.isoformat() for moment in column]
    if kind == "int64":
        return [int(value) for value in column]
    if kind == "float64":
        return [float(value) for value in column]
    return column.tolist()
