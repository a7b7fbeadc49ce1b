"""Live traffic for the demo: real HTTP to the gateway in the Open Inference Protocol, one request an hour of data."""

from __future__ import annotations

import http.client
import json
import math
import threading
from typing import TYPE_CHECKING, Any
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
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._counts = (0, 0)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and decoded answer; status 0 when the connection failed."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
            self._connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, {"error": str(error)}

    def infer(self, inputs: list[dict[str, Any]]) -> tuple[int, Any]:
        return self.post(f"/v2/models/{self.deployment}/infer", {"inputs": inputs})

    def in_background(self, rows: pd.DataFrame, signature: dict[str, Any]) -> None:
        """Keep asking, on a connection of its own, until `stop_background`."""
        bodies = requests(rows.head(200), signature)
        client = Client(f"http://{self.host}:{self.port}", self.deployment)
        self._stop.clear()

        def ask() -> None:
            sent = failed = 0
            while not self._stop.wait(0.01):
                status, _ = client.infer(bodies[sent % len(bodies)])
                sent += 1
                failed += status != 200
            self._counts = (sent, failed)

        self._thread = threading.Thread(target=ask, daemon=True)
        self._thread.start()

    def stop_background(self) -> tuple[int, int]:
        """Requests sent and failed in the background."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        return self._counts


class Traffic:
    """Rows sent one by one, their answers, and later the labels."""

    def __init__(self, client: Client, signature: dict[str, Any], rows: pd.DataFrame) -> None:
        self._client = client
        self._rows = rows
        self._bodies = requests(rows, signature)
        self._answers: list[tuple[int, str, float]] = []  # row number, prediction id, answer
        self.sent = 0
        self.failed = 0

    @property
    def ids(self) -> list[str]:
        return [prediction_id for _, prediction_id, _ in self._answers]

    def send(self) -> None:
        """Ask for every row."""
        for number, body in enumerate(self._bodies):
            status, answer = self._client.infer(body)
            self.sent += 1
            if status != 200:
                self.failed += 1
                continue
            self._answers.append(
                (number, answer["parameters"]["prediction_ids"][0], float(answer["outputs"][0]["data"][0]))
            )

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
