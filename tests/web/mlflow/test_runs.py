"""The MLflow dialect as plain HTTP: runs, their metrics and experiments."""

from __future__ import annotations

import pytest


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


async def test_points_of_one_step_are_all_kept_and_repeating_a_call_adds_none(client, rooms):
    run = await client.run()
    for value in (1.0, 3.0, 2.0, 2.0):
        await client.good("POST", "runs/log-metric", run_id=run, key="m", value=value, timestamp=7, step=0)
    assert [point["value"] for point in await client.history(run)] == [1.0, 2.0, 3.0]
    data = (await client.good("GET", "runs/get", run_id=run))["run"]["data"]
    assert data["metrics"] == [{"key": "m", "value": 3.0, "timestamp": 7, "step": 0}]
    assert [point.value for point in rooms.experiments.history(run, "m")] == [3.0]


async def test_nan_and_infinities_travel_as_words(client):
    run = await client.run()
    for step, value in enumerate(["NaN", "Infinity", "-Infinity"]):
        await client.good("POST", "runs/log-metric", run_id=run, key="m", value=value, timestamp=step, step=step)
    assert [point["value"] for point in await client.history(run)] == ["NaN", "Infinity", "-Infinity"]


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
