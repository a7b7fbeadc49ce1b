"""The MLflow dialect as plain HTTP: what is answered, and what is refused."""

from __future__ import annotations

import json
import math
import os
from urllib.parse import quote

import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.core.workspace import Workspace
from mlops_tui.web.mlflow import Desk, MlflowDialect
from mlops_tui.workbench import Workbench

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


@pytest.fixture
async def client(workspace):
    client = Client(workspace)
    yield client
    client.desk.close()


@pytest.fixture
def rooms(workspace):
    with Workbench(workspace, actor="reader") as bench:
        yield bench


async def history(client, run):
    return (await client.good("GET", "metrics/get-history", run_id=run, metric_key="m"))["metrics"]


async def test_experiment_0_is_there_and_a_run_in_it_is_an_ordinary_run(client, rooms):
    tags = [{"key": "mlflow.source.git.commit", "value": "abc"}, {"key": "mlflow.user", "value": "ana"}]
    run = await client.run(run_name="first", tags=tags)
    await client.good("POST", "runs/log-parameter", run_id=run, key="depth", value="6")
    await client.good("POST", "runs/update", run_id=run, status="FINISHED", end_time=5)
    found = rooms.experiments.run(run)
    assert (found.experiment, found.name, found.state, found.user) == ("Default", "first", "finished", "ana")
    assert (found.started_at, found.ended_at, found.git_commit) == (1, 5, "abc")
    assert rooms.experiments.params(run) == {"depth": "6"}
    assert [one.id for one in rooms.experiments.runs(query="params.depth=6")] == [run]


async def test_a_run_of_a_client_is_not_called_crashed_for_want_of_a_process(client, rooms):
    run = await client.run()
    assert rooms.experiments.sweep() == []
    assert rooms.experiments.run(run).state == "running"


async def test_a_run_of_our_sdk_is_seen_by_clients(client, rooms):
    parent = rooms.experiments.start("churn", name="mine")
    rooms.experiments.start("churn", parent=parent.id)
    experiment = (await client.good("GET", "experiments/get-by-name", experiment_name="churn"))["experiment"]
    text = f"tags.mlflow.parentRunId = '{parent.id}'"
    found = await client.good("POST", "runs/search", experiment_ids=[experiment["experiment_id"]], filter=text)
    assert [tag for tag in found["runs"][0]["data"]["tags"] if tag["key"] == "mlflow.parentRunId"]
    mine = await client.good("GET", "runs/get", run_id=parent.id)
    assert mine["run"]["info"]["run_name"] == "mine"


async def test_points_of_one_step_are_all_kept_and_repeating_a_call_adds_none(client, rooms):
    run = await client.run()
    for value in (1.0, 3.0, 2.0, 2.0):
        await client.good("POST", "runs/log-metric", run_id=run, key="m", value=value, timestamp=7, step=0)
    assert [point["value"] for point in await history(client, run)] == [1.0, 2.0, 3.0]
    data = (await client.good("GET", "runs/get", run_id=run))["run"]["data"]
    assert data["metrics"] == [{"key": "m", "value": 3.0, "timestamp": 7, "step": 0}]
    assert [point.value for point in rooms.experiments.history(run, "m")] == [3.0]


async def test_nan_and_infinities_travel_as_words(client):
    run = await client.run()
    for step, value in enumerate(["NaN", "Infinity", "-Infinity"]):
        await client.good("POST", "runs/log-metric", run_id=run, key="m", value=value, timestamp=step, step=step)
    assert [point["value"] for point in await history(client, run)] == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("backwards", [False, True])
async def test_history_comes_in_pages_by_time(client, backwards):
    run = await client.run()
    points = [{"key": "m", "value": i, "timestamp": i, "step": 9 - i if backwards else i} for i in range(10)]
    await client.good("POST", "runs/log-batch", run_id=run, metrics=points)
    seen, token = [], ""
    while True:
        page = await client.good(
            "GET", "metrics/get-history", run_id=run, metric_key="m", max_results=4, page_token=token
        )
        seen += [point["timestamp"] for point in page["metrics"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == list(range(10))
    some = await client.good("GET", "metrics/get-history-bulk-interval", run_ids=[run], metric_key="m", max_results=3)
    assert [point["timestamp"] for point in some["metrics"]] == [0, 4, 9]


async def test_a_batch_is_kept_whole_or_not_at_all(client):
    run = await client.run()
    await client.good("POST", "runs/log-parameter", run_id=run, key="p", value="1")
    metrics = [{"key": "m", "value": 1, "timestamp": 1, "step": 1}]
    await client.refused(
        *("POST", "runs/log-batch", "INVALID_PARAMETER_VALUE"),
        run_id=run,
        metrics=metrics,
        params=[{"key": "p", "value": "2"}],
        tags=[{"key": "t", "value": "1"}],
    )
    run_now = (await client.good("GET", "runs/get", run_id=run))["run"]
    assert run_now["data"]["metrics"] == []
    assert "t" not in {tag["key"] for tag in run_now["data"]["tags"]}
    many = [{"key": "m", "value": 1, "timestamp": i, "step": i} for i in range(1001)]
    await client.refused("POST", "runs/log-batch", "INVALID_PARAMETER_VALUE", run_id=run, metrics=many)


async def test_long_values_are_cut_as_mlflow_cuts_them(client):
    run = await client.run()
    await client.good("POST", "runs/log-parameter", run_id=run, key="p", value="x" * 7000)
    data = (await client.good("GET", "runs/get", run_id=run))["run"]["data"]
    assert len(data["params"][0]["value"]) == 6000


@pytest.fixture
async def three(client):
    """Runs a, b, c with metric m of 1, 3 and NaN; d without it; parameter p of x for a and b."""
    found = {}
    for name, value in {"a": 1.0, "b": 3.0, "c": "NaN", "d": None}.items():
        found[name] = await client.run(run_name=name, start_time=ord(name))
        if value is not None:
            point = {"key": "m", "value": value, "timestamp": 1, "step": 0}
            await client.good("POST", "runs/log-metric", run_id=found[name], **point)
    for name in "ab":
        await client.good("POST", "runs/log-parameter", run_id=found[name], key="p", value="Xy")
    await client.good("POST", "runs/set-tag", run_id=found["a"], key="a b", value="50%_")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "dcba"),
        ("metrics.m > 0", "ba"),
        ("metric.m != 1", "cb"),
        ("metrics.m >= 1.0 AND params.p = 'Xy' and attributes.run_name != 'b'", "a"),
        ("params.p LIKE 'x%'", ""),
        ("params.p ILIKE 'x%'", "ba"),
        ("parameter.`p` IS NULL", "dc"),
        ("tags.`a b` = '50%_'", "a"),
        ('tags."a b" LIKE "50%"', "a"),
        ("tags.none != 'x'", ""),
        ("run_name = 'c'", "c"),
        ("attr.start_time >= 99", "dc"),
        ("status = 'RUNNING'", "dcba"),
        ("status != 'running'", ""),
        ("user_id = ''", "dcba"),
        ("artifact_uri LIKE '%/artifacts'", "dcba"),
        ("created > 99", "d"),
    ],
)
async def test_filters_find(client, three, text, expected):
    found = await client.good("POST", "runs/search", experiment_ids=["0"], filter=text)
    assert "".join(run["info"]["run_name"] for run in found["runs"]) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["metrics.m ASC"], "abcd"),
        (["metrics.m DESC"], "bacd"),
        (["params.p DESC", "run_name ASC"], "abcd"),
        (["attributes.start_time"], "abcd"),
        (["tags.`a b`"], "adcb"),
    ],
)
async def test_orders_put_nan_and_missing_last(client, three, order, expected):
    found = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order)
    assert "".join(run["info"]["run_name"] for run in found["runs"]) == expected
    for limit in (1, 2):  # the shorter page goes another way through the tables
        page = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order, max_results=limit)
        assert "".join(run["info"]["run_name"] for run in page["runs"]) == expected[:limit]
        rest = {"max_results": 10, "page_token": page["next_page_token"]}
        more = await client.good("POST", "runs/search", experiment_ids=["0"], order_by=order, **rest)
        assert "".join(run["info"]["run_name"] for run in more["runs"]) == expected[limit:]


@pytest.mark.parametrize(
    "text",
    [
        "metrics.m >",
        "metrics.m > 'x'",
        "params.p = 1",
        "foo.a = 'x'",
        "attributes.nothing = 'x'",
        "metrics.m > 1 OR metrics.m < 0",
        "(metrics.m > 1)",
        "metrics.m LIKE 'x'",
        "run_id IN 'x'",
        "run_id IN ('x'",
        "params.p IS 1",
        "metrics.m > 1 AND",
        "'x' = 'x'",
        "params.p = 'x",
        "params.p = 'x'; DROP TABLE run",
        "\x00",
        "x" * 30_000,
        "a.b.c = " + "(" * 5000,
    ],
)
async def test_filters_that_cannot_be_read_are_refused_with_the_place(client, text):
    message = await client.refused("POST", "runs/search", "INVALID_PARAMETER_VALUE", experiment_ids=["0"], filter=text)
    assert "^" in message or "at most" in message


@pytest.mark.parametrize("token", ["x", "AAAA", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAxZTk5OX0=", "💥", "W10="])
async def test_page_tokens_made_up_are_refused(client, token):
    for path, fields in {
        "runs/search": {"experiment_ids": ["0"]},
        "experiments/search": {},
        "logged-models/search": {"experiment_ids": ["0"]},
    }.items():
        await client.refused("POST", path, "INVALID_PARAMETER_VALUE", page_token=token, **fields)


async def test_a_deleted_run_is_hidden_everywhere_refuses_changes_and_comes_back(client, rooms):
    run = await client.run()
    await client.good("POST", "runs/delete", run_id=run)
    assert rooms.experiments.runs("Default") == []
    assert [one.runs for one in rooms.experiments.list()] == [0]
    message = await client.refused("POST", "runs/set-tag", "INVALID_PARAMETER_VALUE", run_id=run, key="a", value="b")
    assert "'active' state" in message
    found = await client.good("POST", "runs/search", experiment_ids=["0"], run_view_type="DELETED_ONLY")
    assert [one["info"]["run_id"] for one in found["runs"]] == [run]
    await client.good("POST", "runs/restore", run_id=run)
    assert [one.id for one in rooms.experiments.runs("Default")] == [run]


async def test_deleting_an_experiment_takes_its_runs_and_restoring_brings_them(client, rooms):
    made = await client.good("POST", "experiments/create", name="a / b", tags=[{"key": "k", "value": "v"}])
    number = made["experiment_id"]
    gone, run = await client.run(experiment_id=number), await client.run(experiment_id=number)
    await client.good("POST", "runs/delete", run_id=gone)
    await client.good("POST", "experiments/delete", experiment_id=number)
    assert "a / b" not in [one.name for one in rooms.experiments.list()]
    await client.refused("POST", "experiments/create", "RESOURCE_ALREADY_EXISTS", name="a / b")
    await client.refused("POST", "runs/create", "INVALID_PARAMETER_VALUE", experiment_id=number)
    await client.good("POST", "experiments/restore", experiment_id=number)
    assert [one.id for one in rooms.experiments.runs("a / b")] == [run]
    rooms.experiments.finish(run)
    rooms.experiments.finish(gone)
    assert rooms.experiments.remove("a / b") == 2


# -- artifacts and models -------------------------------------------------------------------------------------------------


async def upload(client, run, path, data=b"x", experiment="0"):
    return (await client.raw("PUT", f"{FILES}/{experiment}/{run}/artifacts/{path}", data))[0]


async def test_files_go_in_and_out_whole_and_are_never_shown_by_a_browser(client, rooms):
    run, data = await client.run(), os.urandom(3_000_000)
    assert await upload(client, run, "a/b c.html", data) == 200
    status, body, headers = await client.raw("GET", f"{FILES}/0/{run}/artifacts/a/b c.html")
    assert (status, body) == (200, data)
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert rooms.experiments.artifact_file(run, "a/b c.html").read_bytes() == data
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts")
    assert json.loads(body) == {"files": [{"path": "a", "is_dir": True}]}
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts/a")
    assert json.loads(body)["files"] == [{"path": "b c.html", "is_dir": False, "file_size": len(data)}]
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts/a/b%20c.html")
    assert json.loads(body) == {}
    assert (await client.raw("DELETE", f"{FILES}/0/{run}/artifacts/a"))[0] == 200
    assert (await client.raw("GET", f"{FILES}/0/{run}/artifacts/a/b c.html"))[0] == 404


async def model(client, name="risk", **fields):
    run = await client.run()
    await upload(client, run, "m/MLmodel", b"flavors: {}")
    if (await client.ask("GET", "registered-models/get", name=name))[0] == 404:
        await client.good("POST", "registered-models/create", name=name)
    made = await client.good("POST", "model-versions/create", name=name, source=f"runs:/{run}/m", run_id=run, **fields)
    return run, made["model_version"]


async def test_a_version_keeps_its_files_whatever_becomes_of_the_run(client, rooms):
    run, version = await model(client)
    assert (version["version"], version["status"], version["current_stage"]) == ("1", "READY", "None")
    assert (await client.raw("DELETE", f"{FILES}/0/{run}/artifacts/m"))[0] == 200
    answer = await client.good("GET", "model-versions/get-download-uri", name="risk", version="1")
    place = answer["artifact_uri"].removeprefix("mlflow-artifacts:/")
    status, body, _ = await client.raw("GET", f"{FILES}/{place}/MLmodel")
    assert (status, body) == (200, b"flavors: {}")
    assert (await client.raw("PUT", f"{FILES}/{place}/MLmodel", b"other"))[0] == 400
    assert (await client.raw("DELETE", f"{FILES}/{place}"))[0] == 400
    assert rooms.registry.lineage("risk/1")[0].name == run
    with pytest.raises(NotFound, match="risk/1 is no model package"):  # of ours; MLflow loads it
        rooms.registry.load("risk/1")


async def test_the_number_of_a_removed_version_is_not_given_again(client, rooms):
    await model(client)
    await model(client)
    await client.good("POST", "registered-models/alias", name="risk", alias="best", version="2")
    await client.good("DELETE", "model-versions/delete", name="risk", version="2")
    await client.refused("GET", "registered-models/alias", "INVALID_PARAMETER_VALUE", name="risk", alias="best")
    assert (await model(client))[1]["version"] == "3"
    assert [one.version for one in rooms.registry.versions("risk")] == [3, 1]
    assert rooms.registry.promotions("risk")[0].verb == "remove"


async def test_a_stage_set_by_a_client_moves_the_champion(client, rooms):
    await model(client)
    await model(client)
    for version in ("1", "2"):
        await client.good("POST", "model-versions/transition-stage", name="risk", version=version, stage="production")
    assert rooms.registry.version("risk@champion").version == 2
    assert rooms.registry.version("risk/1").stage == "Archived"
    await client.refused(
        *("POST", "model-versions/transition-stage", "INVALID_PARAMETER_VALUE"), name="risk", version="1", stage="Moon"
    )


async def test_the_filter_that_clients_add_for_prompts_finds_models_without_the_tag(client):
    await model(client)
    text = "name LIKE 'ri%' AND tag.`mlflow.prompt.is_prompt` != 'true'"
    found = await client.good("GET", "registered-models/search", filter=text)
    assert [one["name"] for one in found["registered_models"]] == ["risk"]
    other = await client.good("GET", "registered-models/search", filter="tags.other != 'true'")
    assert other["registered_models"] == []


@pytest.mark.parametrize("alias", ["latest", "v3", "12", "", "a b", "../x", "x" * 300])
async def test_aliases_that_read_as_something_else_are_refused(client, alias):
    await model(client)
    await client.refused(
        *("POST", "registered-models/alias", "INVALID_PARAMETER_VALUE"), name="risk", alias=alias, version="1"
    )


async def test_a_logged_model_has_a_life_of_its_own_and_is_a_file_of_its_run(client, rooms):
    run = await client.run()
    made = await client.good("POST", "logged-models", experiment_id="0", name="clf", source_run_id=run)
    info = made["model"]["info"]
    assert info["status"] == "LOGGED_MODEL_PENDING"
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert (await client.raw("PUT", f"{FILES}/{place}/MLmodel", b"x"))[0] == 200
    here = f"logged-models/{info['model_id']}"
    await client.good("PATCH", here, status="LOGGED_MODEL_READY")
    assert [item.path for item in rooms.experiments.artifacts(run)] == ["clf/MLmodel"]
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts")
    assert json.loads(body) == {}  # a client asks for these by the model
    point = {"key": "auc", "value": 0.9, "timestamp": 1, "step": 0, "model_id": info["model_id"]}
    await client.good("POST", "runs/log-metric", run_id=run, **point)
    await client.good("PATCH", f"{here}/tags", tags=[{"key": "a b", "value": "1"}])
    found = await client.good(
        *("POST", "logged-models/search"),
        experiment_ids=["0"],
        filter="metrics.auc > 0.8 AND tags.`a b` = '1' AND source_run_id = '" + run + "'",
        order_by=[{"field_name": "metrics.auc", "ascending": False}],
    )
    assert [one["info"]["model_id"] for one in found["models"]] == [info["model_id"]]
    await client.good("DELETE", f"{here}/tags/a%20b")
    await client.good("DELETE", here)
    await client.refused("GET", here, "RESOURCE_DOES_NOT_EXIST")


# -- what must be refused -------------------------------------------------------------------------------------------------

CLIMBING = [
    "../../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "%2e%2e/%2e%2e/x",
    "a/../../x",
    "a/%252e%252e/x",
    "..\\..\\x",
    "C:\\windows\\x",
    "a\x00b",
    "x" * 600,
    "./x",
    "a//../b",
    "a\nb",
]


def everything(workspace: Workspace) -> set[str]:
    """All files under and beside the workspace, but for the databases and what is stored by its hash."""
    root = workspace.root.parent.parent
    inside = {str(path) for path in root.rglob("*") if path.is_file()}
    return {path for path in inside if ".db" not in path and str(workspace.artifacts) not in path}


@pytest.mark.parametrize("path", CLIMBING)
async def test_no_artifact_path_leads_out(client, workspace, path):
    run = await client.run()
    before = everything(workspace)
    for method in ("PUT", "GET", "DELETE"):
        status, _, _ = await client.raw(method, f"{FILES}/0/{run}/artifacts/{path}", b"evil")
        assert 400 <= status < 500, method
    for place in (f"0/{run}/artifacts/{path}", path):
        status, body, _ = await client.raw("GET", FILES, query=f"path={quote(place, safe='')}")
        assert (400 <= status < 500) or json.loads(body) == {}
    assert everything(workspace) == before


@pytest.mark.parametrize(
    "path", ["", "/", "0", "x/y/z", "models/x", "packages/../x", "packages/" + "0" * 64, "0/x/artifacts"]
)
async def test_places_that_are_none_are_refused(client, path):
    for method in ("PUT", "DELETE"):
        status, _, _ = await client.raw(method, f"{FILES}/{path}", b"x")
        assert 400 <= status < 500


@pytest.mark.parametrize(
    "source",
    [
        *("/etc/passwd", "file:///etc/passwd", "file:/etc", "..", "../../etc", "http://127.0.0.1:22/x", "https://x/y"),
        *("s3://bucket/x", "dbfs:/../../etc", "mlflow-artifacts://evil.example/0/x/artifacts", "C:\\x", "ftp://x"),
        *(
            "mlflow-artifacts:/0/{run}/artifacts/../../x",
            "runs:/{run}/../../etc",
            "runs:/{run}/m?x=/etc#y",
            "runs:/{run}/m;x",
        ),
        *(
            "runs:/{run}/%2e%2e/x",
            "models:/m-../../x",
            "models:/nobody/1",
            "models:/risk/999",
            "models:/x@y",
            "runs:/",
            "x:",
        ),
        "mlflow-artifacts:/packages/" + "0" * 64,
    ],
)
async def test_no_source_of_a_version_is_read_but_our_own_files(client, source):
    run, _ = await model(client)
    fields = {"name": "risk", "source": source.replace("{run}", run)}
    status, answer = await client.ask("POST", "model-versions/create", **fields)
    assert 400 <= status < 500, answer
    assert len((await client.good("GET", "model-versions/search"))["model_versions"]) == 1


@pytest.mark.parametrize(
    "place", ["/etc", "file:///etc#x", "mlflow-artifacts:/../..", "s3://b", "dbfs:/x", "http://x?y;z"]
)
async def test_an_experiment_cannot_put_its_artifacts_elsewhere(client, place):
    await client.refused("POST", "experiments/create", "INVALID_PARAMETER_VALUE", name="x", artifact_location=place)


NAMES = ["", " ", "x" * 10_000, "a\x00b", "a\nb", "\u202ea", "\ud83d", 5, None, ["a"], {"a": 1}]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
async def test_names_of_every_shape_are_refused_in_words(client, name):
    run = await client.run()
    for path, fields in [
        ("experiments/create", {"name": name}),
        ("registered-models/create", {"name": name}),
        ("runs/log-metric", {"run_id": run, "key": name, "value": 1, "timestamp": 1}),
        ("runs/log-parameter", {"run_id": run, "key": name, "value": "x"}),
        ("runs/set-tag", {"run_id": run, "key": name, "value": "x"}),
    ]:
        message = await client.refused("POST", path, "INVALID_PARAMETER_VALUE", **fields)
        assert len(message) < 500


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "a//b", "./a"])
async def test_keys_that_would_climb_as_file_names_are_refused(client, name):
    run = await client.run()
    await client.refused(
        "POST", "runs/log-metric", "INVALID_PARAMETER_VALUE", run_id=run, key=name, value=1, timestamp=1
    )


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "..", "%2e%2e/x"])
async def test_model_names_that_a_reference_cannot_hold_are_refused(client, name):
    await client.refused("POST", "registered-models/create", "INVALID_PARAMETER_VALUE", name=name)


@pytest.mark.parametrize("value", ["high", None, True, [1], {"a": 1}, "1e", ""])
async def test_a_metric_that_is_no_number_is_refused(client, value):
    run = await client.run()
    await client.refused(
        "POST", "runs/log-metric", "INVALID_PARAMETER_VALUE", run_id=run, key="m", value=value, timestamp=1
    )


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"[]", {}),
        (b"null", {}),
        (b'"x"', {}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {}),
        (b'{"a":' * 50_000, {}),
        (b"{}", {"content-type": "text/plain"}),
        (b'{"run_id": 1e400}', {}),
        (b'{"run_id": {"run_id": []}}', {}),
        (b'{"experiment_id": 99999999999999999999999}', {}),
        (b'{"experiment_id": "\\ud800"}', {}),
    ],
)
async def test_bodies_that_cannot_be_read_are_refused(client, body, headers):
    for path in ("runs/create", "runs/update", "runs/log-metric"):
        status, answer, _ = await client.raw("POST", API + path, body, headers=headers)
        if (path, status) == ("runs/create", 200):
            assert body == b'{"run_id": 1e400}' or b"run_id" in body  # fields it does not know are ignored
            continue
        assert 400 <= status < 500
        assert json.loads(answer)["error_code"] != "INTERNAL_ERROR", answer


async def test_a_body_beyond_the_limit_is_refused(client):
    status, _, _ = await client.raw("POST", API + "runs/create", b"", headers={"content-length": "999999999"})
    assert status == 413


@pytest.mark.parametrize("run", ["", "nobody", "0" * 32, "../x", "x" * 5000, "%00", "' OR 1=1 --"])
async def test_runs_that_do_not_exist_are_said_to_be_missing(client, run):
    for method, path in (("GET", "runs/get"), ("POST", "runs/delete"), ("POST", "runs/update")):
        status, answer = await client.ask(method, path, run_id=run)
        assert (status, answer["error_code"]) in {(404, "RESOURCE_DOES_NOT_EXIST"), (400, "INVALID_PARAMETER_VALUE")}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:5000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
async def test_web_pages_of_others_are_not_answered(client, headers):
    for method, path in (("GET", API + "experiments/get"), ("POST", API + "runs/create"), ("GET", "/health")):
        status, _, _ = await client.raw(method, path, b"{}", headers=headers)
        assert status in {403, 421}


@pytest.mark.parametrize(
    "path",
    [
        "/ajax-api/2.0/mlflow/runs/search",
        "/api/2.0/mlflow/gateway-proxy",
        "/api/2.0/mlflow/users/create",
        "/api/2.0/mlflow/webhooks",
        "/api/3.0/mlflow/jobs",
        "/graphql",
        "/get-artifact",
        "/model-versions/get-artifact",
        "/v1/traces",
        "/signup",
        "/api/2.0/mlflow-artifacts/mpu/steal/x",
        "/api/2.0/mlflow//runs/search",
        "/api/2.0/mlflow/runs/search/",
        "//etc/passwd",
    ],
)
async def test_what_is_not_served_is_not_there(client, path):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        status, body, _ = await client.raw(method, path, b"{}", query="path=/etc/passwd")
        assert (status, json.loads(body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/traces", "keeps no traces"),
        ("/api/3.0/mlflow/traces/search", "keeps no traces"),
        ("/api/2.0/mlflow/webhooks", "keeps no webhooks"),
        ("/api/2.0/mlflow/gateway-proxy", "keeps no gateway"),
        ("/api/2.0/mlflow/experiments/none", "There is no POST /api/2.0/mlflow/experiments/none here"),
    ],
)
async def test_what_is_not_kept_is_said_by_its_name(client, path, said):
    _, body, _ = await client.raw("POST", path, b"{}")
    message = json.loads(body)["message"]
    assert said in message
    assert "docs/mlflow.md" in message


async def test_limits_of_pages_are_kept(client):
    for most in (0, -1, 50_001, 10**30, "x"):
        await client.refused("POST", "runs/search", "INVALID_PARAMETER_VALUE", experiment_ids=["0"], max_results=most)


def test_the_smallest_and_largest_numbers_stay_themselves():
    from mlops_tui.web.mlflow_ask import real

    assert real(5e-324) == 5e-324
    assert real(1.7976931348623157e308) == 1.7976931348623157e308
    assert [real(math.inf), real(-math.inf), real(math.nan)] == ["Infinity", "-Infinity", "NaN"]
