"""MLflow's three forms, small: a folder as its file store writes it, the SQLite file, and a server in this process."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.transfer.mlflow_server import Server
from mlops_tui.web.mlflow import Desk, MlflowDialect

OUTER, INNER, MODEL = "a" * 32, "b" * 32, "m-" + "c" * 32


_RUNS = (
    "runs(run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time INTEGER, end_time INTEGER,"
    " lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER)"
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def folder(root: Path) -> Path:
    """Two runs, one below the other, a logged model and a registered one."""
    write(root / "0/meta.yaml", "experiment_id: '0'\nlifecycle_stage: active\nname: Default\n")
    home = root / "123"
    write(home / "meta.yaml", "experiment_id: '123'\nlifecycle_stage: active\nname: 'churn: old'\n")
    facts = "end_time: 2000\nlifecycle_stage: active\nrun_name: {}\nstart_time: 1000\nstatus: 3\nuser_id: ann\nartifact_uri: file:///gone/123/{}/artifacts\n"
    outer, inner = home / OUTER, home / INNER
    write(outer / "meta.yaml", facts.format("'outer: 1'", OUTER))
    write(outer / "params/lr", "0.1")
    write(outer / "params/opt/kind", "adam")
    write(outer / "metrics/loss", "1100 0.5 0\n1200 0.25 1\n1250 0.2 1\n1300 nan 2\n")
    write(outer / "tags/mlflow.note.content", "a note\nof two lines")
    write(outer / "tags/mlflow.source.git.commit", "c0ffee")
    write(outer / "artifacts/notes/a.txt", "hello")
    write(outer / "inputs/x/meta.yaml", "source_id: d1\nsource_type: DATASET\ntags:\n  mlflow.data.context: training\n")
    write(
        home / "datasets/d1/meta.yaml",
        "name: tbl\ndigest: '12'\nsource_type: local\nsource: here\nschema: null\nprofile: null\n",
    )
    write(outer / f"outputs/{MODEL}/meta.yaml", f"destination_id: {MODEL}\n")
    times = "creation_timestamp: 1500\nlast_updated_timestamp: 1600\n"
    write(home / f"models/{MODEL}/meta.yaml", f"{times}name: net\nstatus: 2\nmodel_type: null\n")
    write(home / f"models/{MODEL}/artifacts/MLmodel", "flavors: {}")
    write(home / f"models/{MODEL}/metrics/loss", f"1300 0.2 1 {OUTER}\n")
    write(
        inner / "meta.yaml",
        facts.format("inner", INNER).replace("status: 3", "status: 4").replace("start_time: 1000", "start_time: 1001"),
    )
    write(inner / "tags/mlflow.parentRunId", OUTER)
    write(root / "models/risk/meta.yaml", "name: risk\ndescription: text\naliases:\n  champion: '3'\n")
    version = "version: {}\ncurrent_stage: {}\nsource: {}\nrun_id: {}\nmodel_id: {}\n"
    write(root / "models/risk/version-1/meta.yaml", version.format(1, "None", f"runs:/{OUTER}/notes", OUTER, "null"))
    write(
        root / "models/risk/version-2/meta.yaml",
        version.format(2, "Deleted_Internal", f"runs:/{OUTER}/notes", OUTER, "null"),
    )
    write(root / "models/risk/version-3/meta.yaml", version.format(3, "Production", f"models:/{MODEL}", OUTER, MODEL))
    write(root / "models/risk/version-3/tags/k", "v")
    return root


def sqlite(path: Path) -> Path:
    """A file as MLflow 1.x had it: no data sets, no logged models, no aliases."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    for table in (
        "experiments(experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT)",
        _RUNS,
        "metrics(key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT, step INTEGER, is_nan INTEGER)",
        "params(key TEXT, value TEXT, run_uuid TEXT)",
        "tags(key TEXT, value TEXT, run_uuid TEXT)",
    ):
        db.execute(f"CREATE TABLE {table}")
    db.execute("INSERT INTO experiments VALUES (1, 'old', 'mlruns/1', 'active'), (2, 'gone', '', 'deleted')")
    uri = f"file:///elsewhere/mlruns/1/{OUTER}/artifacts"
    db.execute("INSERT INTO runs VALUES (?, 'one', 'ann', 'FINISHED', 1000, 2000, 'active', ?, 1)", (OUTER, uri))
    db.execute(
        "INSERT INTO runs VALUES (?, 'lost', 'ann', 'RUNNING', 1500, NULL, 'active', 's3://bucket/x', 1)", (INNER,)
    )
    points = [("m", 1.0, 1100, 0, 0), ("m", 1.7976931348623157e308, 1200, 1, 0), ("n", 0.0, 1300, 5, 1)]
    db.executemany(
        "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)",
        [(k, v, ts, OUTER, step, nan) for k, v, ts, step, nan in points],
    )
    db.execute("INSERT INTO metrics VALUES ('m', 3.0, 1700, ?, 0, 0)", (INNER,))
    db.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (OUTER,))
    db.execute("INSERT INTO tags VALUES ('team', 'x', ?), ('empty', NULL, ?)", (OUTER, OUTER))
    db.commit()
    db.close()
    write(path.parent / "mlruns" / "1" / OUTER / "artifacts" / "a.txt", "bytes")
    return path


class InProcess(Server):
    """A tracking server of a workspace, asked without a socket. `fails` counts down the requests until one goes wrong."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("http://127.0.0.1:5000")
        self.desk = Desk(workspace)
        self.app = MlflowDialect(workspace, self.desk)
        self.asked: list[tuple[str, str]] = []
        self.fails = -1

    def _once(self, method, address, body, headers, take):
        self.asked.append((method, address))
        self.fails -= 1
        if self.fails == 0:
            return 400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no more"}'
        content = body.read_bytes() if isinstance(body, Path) else body or b""
        status, data = asyncio.run(self._through(method, address, content, headers))
        if take is not None and status < 300:
            return status, take(io.BytesIO(data))
        return status, data

    async def _through(self, method, address, content, headers):
        from urllib.parse import unquote

        path, _, query = address.partition("?")
        given = {"host": "127.0.0.1:5000", **{name.lower(): value for name, value in headers.items()}}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        messages = [{"type": "http.request", "body": content, "more_body": False}]
        sent = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])
