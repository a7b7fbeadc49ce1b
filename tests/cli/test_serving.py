"""The serving desk on the command line: words in, tables and JSON out, exit codes."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.identity import identity
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.records import GatewayState
from mlops_tui.workbench import Workbench

SIGNATURE = {
    "task": "regression",
    "inputs": [{"name": "x", "type": "float64"}],
    "outputs": [{"name": "prediction", "type": "float64"}],
    "frame": True,
}


@pytest.fixture
def mlops(workspace: Workspace) -> Callable[..., Result]:
    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["--workspace", str(workspace.root), *words])

    return run


@pytest.fixture
def churn(workspace: Workspace, tmp_path: Path) -> Iterator[Workbench]:
    bench = Workbench(workspace, actor="tester")
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "signature.json").write_text(json.dumps(SIGNATURE))
    (folder / "environment.json").write_text("{}")
    (folder / "model.joblib").write_bytes(b"never unpickled here")
    (folder / "sample.parquet").write_bytes(b"never read here")
    for _ in range(2):
        bench.registry.register("churn", folder)
    bench.serving.deploy("churn", "churn/1")
    yield bench
    bench.close()


class Stand:
    """A gateway that doubles x, and remembers what it was sent."""

    def __init__(self, bench: Workbench) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.status = 200
        stand = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                stand.bodies.append((self.headers["content-type"], body))
                text = json.dumps(stand.answer(self.headers["content-type"], body)).encode()
                self.send_response(stand.status)
                self.send_header("content-length", str(len(text)))
                self.send_header("x-model-version", "1")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        me = identity()
        port = self.server.server_address[1]
        bench.serving.report_gateway(GatewayState(me.pid, me.started, me.boot, "127.0.0.1", port, 0))

    def answer(self, kind: str, body: bytes) -> dict[str, Any]:
        if self.status != 200:
            return {"error": "The model has no input 'y'.", "hint": "Its inputs are x."}
        if kind == "text/csv":
            xs = [float(line.split(",")[0]) for line in body.decode().split()[1:]]
        else:
            xs = [row["x"] for row in json.loads(body)["dataframe_records"]]
        return {"predictions": [2 * x for x in xs], "prediction_ids": [new_prediction_id(1) for _ in xs]}


@pytest.fixture
def stand(churn: Workbench) -> Iterator[Stand]:
    found = Stand(churn)
    yield found
    found.server.shutdown()
    found.server.server_close()


def said(result: Result) -> str:
    assert isinstance(result.exception, WorkbenchError), result.output
    return f"{result.exception.message} {result.exception.hint}"


def test_a_deployment_is_created_shown_listed_and_removed(mlops: Callable[..., Result], churn: Workbench) -> None:
    created = mlops("deployments", "create", "second", "churn", "--why", "trying", "--json")
    assert created.exit_code == 0
    document = json.loads(created.stdout)
    assert (document["name"], document["versions"][0]["version"], document["state"]) == ("second", 2, "starting")
    assert document["created_at"].endswith("Z")
    listed = json.loads(mlops("deployments", "list", "--json").stdout)
    assert [item["name"] for item in listed] == ["churn", "second"]
    table = mlops("deployments", "list").stdout
    assert "churn" in table
    assert "1=100%" in table
    shown = json.loads(mlops("deployments", "show", "second", "--json").stdout)
    assert shown["traffic"]["requests"] == 0
    assert isinstance(mlops("deployments", "remove", "second").exception, WorkbenchError)
    assert mlops("deployments", "remove", "second", "--yes").exit_code == 0
    assert "no deployment 'second'" in said(mlops("deployments", "show", "second"))


def test_an_empty_list_says_what_to_do_next(mlops: Callable[..., Result]) -> None:
    result = mlops("deployments", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "mlops deployments create" in result.stderr
    assert json.loads(mlops("deployments", "list", "--json").stdout) == []


def test_traffic_is_split_promoted_and_rolled_back(mlops: Callable[..., Result], churn: Workbench) -> None:
    def weights(*words: str) -> dict[int, float]:
        result = mlops("deployments", *words, "--json")
        assert result.exit_code == 0, result.output
        return {route["version"]: route["weight"] for route in json.loads(result.stdout)["versions"]}

    assert weights("canary", "churn", "churn/2", "--weight", "5") == {1: 95.0, 2: 5.0}
    assert weights("split", "churn", "1=1", "2=1") == {1: 50.0, 2: 50.0}
    assert weights("promote", "churn") == {2: 100.0}
    assert weights("rollback", "churn") == {1: 50.0, 2: 50.0}
    assert json.loads(mlops("deployments", "stop", "churn", "--json").stdout)["state"] == "stopped"
    assert json.loads(mlops("deployments", "start", "churn", "--json").stdout)["state"] == "starting"


@pytest.mark.parametrize("share", ["1", "1=x", "x=1", "1=-1", "1=0"])
def test_a_share_that_cannot_be_is_said_so(mlops: Callable[..., Result], churn: Workbench, share: str) -> None:
    said(mlops("deployments", "split", "churn", share))


def test_waiting_for_what_nobody_serves_ends_with_code_1(mlops: Callable[..., Result], churn: Workbench) -> None:
    result = mlops("deployments", "start", "churn", "--wait", "0.2")
    assert result.exit_code == 1
    assert "no gateway runs" in result.stdout


def test_predictions_come_from_rows_or_a_file(
    mlops: Callable[..., Result], stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tui.cli.asking.PIECE", 2)
    one = mlops("predict", "churn", "--json", '{"x": 3}')
    assert json.loads(one.stdout)["predictions"] == [6]
    (tmp_path / "rows.json").write_text('[{"x": 1}, {"x": 2}, {"x": 3}]')
    (tmp_path / "rows.csv").write_text("x,note\n1,\n2,\n3,\n")
    for name in ("rows.json", "rows.csv"):
        stand.bodies.clear()
        document = json.loads(mlops("predict", "churn", "--file", str(tmp_path / name)).stdout)
        assert document["predictions"] == [2, 4, 6]
        assert (len(document["prediction_ids"]), document["versions"], len(stand.bodies)) == (3, [1], 2)


def test_what_the_gateway_refuses_is_told_in_its_words(mlops: Callable[..., Result], stand: Stand) -> None:
    stand.status = 400
    assert "no input 'y'" in said(mlops("predict", "churn", "--json", '{"y": 3}'))
    stand.status = 503
    assert type(mlops("predict", "churn", "--json", '{"x": 3}').exception).__name__ == "Unavailable"


def test_without_a_gateway_the_next_step_is_named(
    mlops: Callable[..., Result], churn: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SERVING_PORT", "1")
    assert "mlops daemon start" in said(mlops("predict", "churn", "--json", '{"x": 3}'))


@pytest.mark.parametrize("data", ["{", "[]", "3", "[1]"])
def test_rows_that_are_none_are_said_so(mlops: Callable[..., Result], churn: Workbench, data: str) -> None:
    said(mlops("predict", "churn", "--json", data))


def test_predict_and_feedback_want_one_source(mlops: Callable[..., Result], churn: Workbench) -> None:
    assert mlops("predict", "churn").exit_code == 2
    assert mlops("feedback", "p1").exit_code == 2
    assert mlops("feedback").exit_code == 2
    said(mlops("predict", "churn", "--file", "/nowhere.json"))
    said(mlops("predict", "churn", "--file", "/nowhere.csv"))


def test_feedback_of_one_and_of_a_file(mlops: Callable[..., Result], churn: Workbench, tmp_path: Path) -> None:
    one, two = new_prediction_id(1), new_prediction_id(2)
    assert json.loads(mlops("feedback", one, "0.5", "--at", "2h", "--json").stdout) == {"accepted": 1}
    (tmp_path / "labels.csv").write_text(f"id,label,at\n{one},1,\n{two},yes,2026-01-01T00:00:00Z\n")
    assert json.loads(mlops("feedback", "--file", str(tmp_path / "labels.csv"), "--json").stdout) == {"accepted": 2}
    labels = churn.serving._predictions.labels(None, None, None)
    assert (labels[one][2], labels[two][2]) == (1, "yes")
    assert "no prediction id" in said(mlops("feedback", "zzz", "1"))


def test_every_command_has_help_with_an_example() -> None:
    def commands(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        yield path, group
        if isinstance(group, click.Group):
            for name in group.list_commands(click.Context(group)):
                yield from commands(group.commands[name], f"{path} {name}")

    for noun in ("deployments", "predict", "feedback", "serve"):
        command = cli.get_command(click.Context(cli), noun)
        for path, found in commands(command, noun):
            assert "Example: mlops " in (found.help or ""), path


def test_a_rollout_is_started_seen_and_ended(mlops, churn, workbench) -> None:
    started = mlops("deployments", "canary", "churn", "churn/2", "--steps", "5,25%", "--bake", "10s", "--why", "better")
    assert started.stdout == "churn/2 has 5 % of churn, then 25, 100.\n"
    shown = mlops("deployments", "rollout", "churn")
    assert "waits for 200 more requests at 5 %" in shown.stdout
    assert "0 of 0 (0.00%)" in shown.stdout
    assert json.loads(mlops("deployments", "rollout", "churn", "--json").stdout)["rules"]["bake_s"] == 10.0
    assert "paused" in mlops("deployments", "rollout", "churn", "--pause").stdout
    assert "rolled back" in mlops("deployments", "rollout", "churn", "--abort", "--why", "no").stdout
    assert json.loads(mlops("deployments", "rollouts", "--json").stdout)[0]["reason"] == "no"
    assert "is under way" in said(mlops("deployments", "rollout", "churn", "--abort"))


@pytest.mark.parametrize("words", [["--bake", "10s"], ["--steps", "5", "--weight", "3"]])
def test_options_that_do_not_go_together_are_refused(mlops, churn, words) -> None:
    assert mlops("deployments", "canary", "churn", "churn/2", *words).exit_code == 2


@pytest.mark.parametrize("words", [["--steps", "5,x"], ["--steps", "50,5"], ["--steps", "5", "--alpha", "2"]])
def test_what_makes_no_rollout_is_refused_with_a_hint(mlops, churn, words) -> None:
    assert "Give" in said(mlops("deployments", "canary", "churn", "churn/2", *words))
