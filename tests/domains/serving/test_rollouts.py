"""Rollouts carried out over a real catalog; the gateway is played by the test."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, State, WorkerState, bucket_of, weights_of
from mlops_tui.domains.serving.rollout import RolloutState, Rules

RULES = Rules(bake_s=10, min_requests=100)


@pytest.fixture
def bench(workbench, register):
    for _ in range(3):
        register("churn")
    workbench.serving.deploy("live", "churn/1")
    workbench.registry.promote("churn/1")
    return workbench


@pytest.fixture
def traffic(bench, clock):
    """Let time pass and requests come: version -> (requests, errors)."""

    def come(**counts):
        clock.advance(11_000)
        histogram = [0] * (len(BOUNDS_MS) + 1)
        found = []
        for name, (requests, errors) in counts.items():
            histogram[bucket_of(4.0)] = requests
            version = int(name[1:])
            found.append(
                Interval("live", version, clock.now - 5000, 5000, requests, requests, 0, errors, 4.0, tuple(histogram))
            )
        bench.serving.record_traffic(found)
        return bench.serving.rollouts.step()

    return come


def shares(bench):
    return weights_of(bench.serving.get("live"))


def test_a_good_version_gets_everything_step_by_step_and_is_the_champion(bench, traffic):
    bench.serving.rollouts.start("live", "churn/2", [10, 50], rules=RULES, why="better")
    assert shares(bench) == {1: 90.0, 2: 10.0}
    assert [one.share for one in traffic(v1=(900, 0), v2=(100, 0))] == [50.0]
    assert shares(bench) == {1: 50.0, 2: 50.0}
    (done,) = traffic(v1=(500, 0), v2=(500, 0))
    assert (done.state, shares(bench)) == (RolloutState.PROMOTED, {2: 100.0})
    assert bench.registry.version("churn@champion").version == 2
    assert weights_of(bench.serving.rollback("live")) == {1: 100.0}


def test_a_bad_version_is_taken_back_with_an_alert_and_the_numbers_in_the_trail(bench, traffic):
    bench.serving.rollouts.start("live", "churn/2", [10, 50], rules=RULES)
    (done,) = traffic(v1=(900, 5), v2=(100, 20))
    assert (done.state, shares(bench)) == (RolloutState.ROLLED_BACK, {1: 100.0})
    assert bench.registry.version("churn@champion").version == 1
    (alert,) = bench.alerts.list()
    assert (alert.rule, alert.subject) == ("rollout", "live")
    entry = bench.audit.list(kind="rollout")[0]
    assert entry.verb == "roll back"
    assert "20 of 100 (20.00%) against 5 of 900" in entry.why
    assert bench.serving.rollouts.step() == []


def test_the_next_version_that_gets_through_ends_the_alert(bench, traffic):
    bench.serving.rollouts.start("live", "churn/2", [50], rules=RULES)
    traffic(v1=(500, 0), v2=(100, 100))
    bench.serving.rollouts.start("live", "churn/3", [50], rules=RULES)
    traffic(v1=(500, 0), v3=(500, 0))
    assert bench.alerts.open_count() == 0


def test_with_little_traffic_it_holds_and_says_what_is_missing(bench, traffic):
    bench.serving.rollouts.start("live", "churn/2", [10], rules=RULES)
    assert traffic(v1=(90, 0), v2=(10, 0)) == []
    _, judgement = bench.serving.rollouts.current("live")
    assert judgement.reason == "waits for 90 more requests at 10 %"


def test_a_failed_worker_ends_it_at_once(bench):
    bench.serving.rollouts.start("live", "churn/2", [10], rules=RULES)
    bench.serving.report([WorkerState("churn", 2, State.FAILED, detail="no module x")], [])
    (done,) = bench.serving.rollouts.step()
    assert done.reason == "its worker failed: no module x"


@pytest.mark.parametrize("change", ["split", "remove"])
def test_a_change_by_hand_ends_it_and_stays(bench, change):
    bench.serving.rollouts.start("live", "churn/2", [10], rules=RULES)
    if change == "split":
        bench.serving.split("live", {1: 50, 2: 50})
    else:
        bench.serving.remove("live")
    (done,) = bench.serving.rollouts.step()
    assert done.state is RolloutState.CANCELLED
    if change == "split":
        assert shares(bench) == {1: 50.0, 2: 50.0}


def test_paused_it_goes_no_further_but_is_still_rolled_back(bench, traffic):
    bench.serving.rollouts.start("live", "churn/2", [10, 50], rules=RULES)
    bench.serving.rollouts.pause("live", "lunch")
    assert traffic(v1=(900, 0), v2=(100, 0)) == []
    bench.serving.rollouts.resume("live")
    assert traffic() == []
    assert [one.share for one in traffic(v1=(900, 0), v2=(100, 0))] == [50.0]
    bench.serving.rollouts.pause("live")
    assert [one.state for one in traffic(v1=(500, 0), v2=(500, 300))] == ["rolled back"]


def test_a_person_may_end_it_either_way(bench):
    bench.serving.rollouts.start("live", "churn/2", [10], rules=RULES)
    assert bench.serving.rollouts.abort("live", "no").reason == "no"
    assert bench.alerts.list() == []
    assert shares(bench) == {1: 100.0}
    bench.serving.rollouts.start("live", "churn/2", [10], rules=RULES)
    assert bench.serving.rollouts.promote("live").state is RolloutState.PROMOTED
    with pytest.raises(NotFound):
        bench.serving.rollouts.abort("live")


def test_what_cannot_begin_changes_nothing(bench, register):
    rollouts = bench.serving.rollouts
    register("other")
    for name, ref, steps, kind in (
        ("live", "churn/1", [10], NotAllowed),
        ("live", "other/1", [10], InvalidInput),
        ("live", "churn/2", [60, 20], InvalidInput),
        ("none", "churn/2", [10], NotFound),
    ):
        with pytest.raises(kind):
            rollouts.start(name, ref, steps)
    bench.registry.approvals.require("churn", 1)
    with pytest.raises(NotAllowed, match="approved"):
        rollouts.start("live", "churn/2", [10])
    bench.registry.approvals.require("churn", 0)
    rollouts.start("live", "churn/2", [10])
    with pytest.raises(NotAllowed, match="under way"):
        rollouts.start("live", "churn/3", [10])
    bench.serving.rollouts.abort("live")
    bench.serving.stop("live")
    with pytest.raises(NotAllowed, match="stopped"):
        rollouts.start("live", "churn/2", [10])
    assert shares(bench) == {1: 100.0}
