"""A client of the MLflow dialect that needs no socket."""

from __future__ import annotations

import json
from urllib.parse import quote

from mlops_tui.core.workspace import Workspace
from mlops_tui.web.mlflow import Desk, MlflowDialect

API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Client:
    """Speaks to the application without a socket, as a server would: paths come decoded once."""

    def __init__(self, workspace: Workspace) -> None:
        self.desk = Desk(workspace)
        self.app = MlflowDialect(workspace, self.desk)

    async def raw(self, method, path, body=b"", query="", headers=None):
        """(status, body, headers)"""
        given = {"host": "127.0.0.1:5000", "content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        sent = []

        async def receive():
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:]), dict(sent[0]["headers"])

    async def ask(self, method, path, **fields):
        """(status, JSON)"""
        if method == "GET":
            query = "&".join(
                f"{name}={quote(str(item))}"
                for name, value in fields.items()
                for item in (value if isinstance(value, list) else [value])
            )
            status, body, _ = await self.raw(method, API + path, query=query)
        else:
            status, body, _ = await self.raw(method, API + path, json.dumps(fields).encode())
        return status, json.loads(body)

    async def good(self, method, path, **fields):
        status, answer = await self.ask(method, path, **fields)
        assert status == 200, answer
        return answer

    async def refused(self, method, path, code, **fields):
        status, answer = await self.ask(method, path, **fields)
        assert (status < 500, answer["error_code"]) == (True, code), answer
        return answer["message"]

    async def run(self, **fields):
        made = await self.good("POST", "runs/create", **{"experiment_id": "0", "start_time": 1, **fields})
        return made["run"]["info"]["run_id"]

    async def history(self, run):
        """The points of the metric m of a run."""
        return (await self.good("GET", "metrics/get-history", run_id=run, metric_key="m"))["metrics"]

    async def upload(self, run, path, data=b"x", experiment="0"):
        """The status of putting a file into a run."""
        return (await self.raw("PUT", f"{FILES}/{experiment}/{run}/artifacts/{path}", data))[0]

    async def model(self, name="risk", **fields):
        """A run with a model in it, and the version that was made of it."""
        run = await self.run()
        await self.upload(run, "m/MLmodel", b"flavors: {}")
        if (await self.ask("GET", "registered-models/get", name=name))[0] == 404:
            await self.good("POST", "registered-models/create", name=name)
        fields = {"name": name, "source": f"runs:/{run}/m", "run_id": run, **fields}
        return run, (await self.good("POST", "model-versions/create", **fields))["model_version"]
