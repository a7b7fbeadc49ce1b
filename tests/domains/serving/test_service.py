"""Deployments as wanted, their states, and traffic figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.core.identity import identity
from mlops_tui.domains.serving.records import (
    BOUNDS_MS,
    Deployment,
    GatewayState,
    Interval,
    RouteState,
    State,
    WorkerState,
    bucket_of,
    quantile,
)
from mlops_tui.workbench import Workbench

Register = Callable[..., int]


def weights(deployment: Deployment) -> dict[int, float]:
    return {route.version: route.weight for route in deployment.versions}


@pytest.fixture
def churn(workbench: Workbench, register: Register) -> Workbench:
    for _ in range(3):
        register("churn")
    workbench.serving.deploy("churn", "churn/1", why="first")
    return workbench


def gateway_runs(workbench: Workbench) -> None:
    me = identity()
    workbench.serving.report_gateway(GatewayState(me.pid, me.started, me.boot, "127.0.0.1", 9999, 0))


def test_deploying_makes_replaces_and_remembers(churn: Workbench) -> None:
    assert weights(churn.serving.get("churn")) == {1: 100.0}
    after = churn.serving.deploy("churn", "churn")
    assert weights(after) == {3: 100.0}
    assert after.previous == {1: 100.0}
    assert after.revision == 2
    assert [item.name for item in churn.serving.list()] == ["churn"]


def test_deploying_what_runs_changes_nothing(churn: Workbench) -> None:
    entries = len(churn.audit.list())
    assert churn.serving.deploy("churn", "churn/1").revision == 1
    assert len(churn.audit.list()) == entries


def test_a_canary_joins_and_a_promotion_gives_it_everything(churn: Workbench) -> None:
    canary = churn.serving.deploy("churn", "churn/2", strategy="canary", weight=5)
    assert weights(canary) == {1: 95.0, 2: 5.0}
    assert weights(churn.serving.promote("churn")) == {2: 100.0}
    assert weights(churn.serving.rollback("churn")) == {1: 95.0, 2: 5.0}
    assert weights(churn.serving.promote("churn", 1)) == {1: 100.0}


def test_split_takes_any_scale_and_drops_zeros(churn: Workbench) -> None:
    assert weights(churn.serving.split("churn", {1: 3, 2: 1, 3: 0})) == {1: 75.0, 2: 25.0}


def test_rollback_twice_returns(churn: Workbench) -> None:
    churn.serving.deploy("churn", "churn/2")
    assert weights(churn.serving.rollback("churn")) == {1: 100.0}
    assert weights(churn.serving.rollback("churn")) == {2: 100.0}


def test_every_change_is_audited_with_its_reason(churn: Workbench) -> None:
    churn.serving.split("churn", {1: 1, 2: 1}, why="trying")
    churn.serving.stop("churn", why="night")
    entries = [entry for entry in churn.audit.list() if entry.kind == "deployment"]
    assert [(entry.verb, entry.why) for entry in entries] == [
        ("stop", "night"),
        ("split", "trying"),
        ("deploy", "first"),
    ]
    assert churn.audit.verify().ok


def test_stop_start_and_remove(churn: Workbench) -> None:
    assert churn.serving.stop("churn").state is State.STOPPED
    with pytest.raises(AlreadyExists):
        churn.serving.stop("churn")
    assert churn.serving.targets() == {}
    assert churn.serving.start("churn").state is State.STARTING
    assert set(churn.serving.targets()) == {("churn", 1)}
    churn.serving.remove("churn")
    with pytest.raises(NotFound):
        churn.serving.get("churn")


def test_what_cannot_be_is_refused_and_changes_nothing(churn: Workbench, register: Register) -> None:
    register("other")
    serving = churn.serving
    with pytest.raises(NotFound):
        serving.deploy("churn", "churn/9")
    with pytest.raises(NotFound):
        serving.split("churn", {1: 50, 9: 50})
    with pytest.raises(InvalidInput, match="serves the model churn, not other"):
        serving.deploy("churn", "other")
    with pytest.raises(InvalidInput, match="strategy"):
        serving.deploy("churn", "churn/2", strategy="shadow")
    with pytest.raises(InvalidInput, match="canary"):
        serving.deploy("churn", "churn/2", strategy="canary", weight=101)
    with pytest.raises(InvalidInput):
        serving.deploy("../x", "churn/2")
    with pytest.raises(NotAllowed):
        serving.rollback("churn")
    with pytest.raises(NotFound) as caught:
        serving.get("chrun")
    assert "churn" in caught.value.hint
    assert weights(serving.get("churn")) == {1: 100.0}
    assert serving.get("churn").revision == 1


def test_the_state_is_what_the_gateway_reports_of_this_revision(churn: Workbench) -> None:
    serving = churn.serving
    assert (serving.get("churn").state, serving.gateway()) == (State.STARTING, None)
    assert "no gateway" in serving.get("churn").detail
    gateway_runs(churn)
    assert serving.get("churn").state is State.STARTING
    serving.report([WorkerState("churn", 1, State.READY, 4242)], [RouteState("churn", 1, State.READY)])
    found = serving.get("churn")
    assert (found.state, found.versions[0].state, found.versions[0].pid) == (State.READY, State.READY, 4242)
    assert found.url == "http://127.0.0.1:9999/v2/models/churn/infer"
    serving.deploy("churn", "churn/2")
    assert serving.get("churn").state is State.STARTING
    serving.report_gateway(None)
    assert "no gateway" in serving.get("churn").detail


def test_a_gateway_of_an_earlier_boot_or_process_does_not_count(churn: Workbench) -> None:
    me = identity()
    churn.serving.report_gateway(GatewayState(me.pid, me.started + 1, me.boot, "127.0.0.1", 9999, 0))
    assert churn.serving.gateway() is None


def interval(at: int, latencies: list[float], client: int = 0, server: int = 0) -> Interval:
    histogram = [0] * (len(BOUNDS_MS) + 1)
    for latency in latencies:
        histogram[bucket_of(latency)] += 1
    count = len(latencies)
    return Interval("churn", 1, at, 5000, count, count, client, server, sum(latencies), tuple(histogram))


def test_stats_and_series_sum_up_intervals(churn: Workbench) -> None:
    now = churn.context.now()
    serving = churn.serving
    serving.record_traffic([interval(now - 10_000, [1.0] * 90 + [50.0] * 10, client=3, server=2)])
    serving.record_traffic([interval(now - 200_000, [1.0] * 10)])
    stats = serving.stats("churn", now - 60_000)
    assert (stats.requests, stats.errors, stats.client_errors, stats.rate) == (100, 5, 3, pytest.approx(100 / 60))
    assert stats.p50_ms == pytest.approx(1.0, rel=0.35)
    assert stats.p95_ms == pytest.approx(50.0, rel=0.35)
    series = serving.series("churn", now - 240_000, 60_000)
    assert len(series) == 5
    assert sum(point.requests for point in series) == 110
    assert [point.at for point in series] == sorted(point.at for point in series)
    empty = serving.stats("nobody", now - 60_000)
    assert (empty.requests, empty.p95_ms) == (0, None)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_quantiles_of_a_histogram_are_near_those_of_the_values(share: float) -> None:
    values = [0.3 * 1.01**place for place in range(1000)]
    histogram = [0] * (len(BOUNDS_MS) + 1)
    for value in values:
        histogram[bucket_of(value)] += 1
    assert quantile(histogram, share) == pytest.approx(values[int(share * 1000)], rel=0.05)
    assert quantile([0, 0], share) is None
