"""What follows for a rollout from its traffic."""

from __future__ import annotations

import dataclasses

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.evidence import Counts
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, State, WorkerState, bucket_of
from mlops_tui.domains.serving.rollout import (
    Action,
    Rollout,
    RolloutState,
    Rules,
    check_rules,
    check_steps,
    judge,
    slow_bound,
    weights,
)

RULES = Rules(bake_s=60, min_requests=100)
FIRST = Rollout(
    1, "live", "churn", 2, {1: 100.0}, (10.0, 50.0, 100.0), 0, RolloutState.RUNNING, RULES, "production", 20.0, None, 1,
    "ana", "", "", began_at=0, step_at=0,
)  # fmt: skip
LAST = dataclasses.replace(FIRST, step=1)


def interval(version, requests, *, errors=0, slow=0, at=1000):
    histogram = [0] * (len(BOUNDS_MS) + 1)
    histogram[bucket_of(4.0)] += requests - slow
    histogram[bucket_of(200.0)] += slow
    return Interval("live", version, at, 5000, requests, requests, 0, errors, 4.0 * requests, tuple(histogram))


def fine(requests=1000):
    return [interval(1, requests * 9), interval(2, requests)]


def action(rollout=FIRST, now=61_000, traffic=None, labels=(), worker=None):
    return judge(rollout, now, fine() if traffic is None else traffic, labels, worker)


def test_it_waits_for_time_and_for_requests_and_says_how_many():
    assert action(now=30_000).reason == "waits 30 s more at 10 %"
    found = action(traffic=[interval(1, 500), interval(2, 40)])
    assert (found.action, found.reason) == (Action.HOLD, "waits for 60 more requests at 10 %")


def test_requests_of_the_step_before_do_not_count():
    later = dataclasses.replace(LAST, step_at=50_000)
    assert action(later, now=200_000).reason == "waits for 100 more requests at 50 %"


def test_a_step_goes_on_when_nothing_speaks_against_it():
    assert action().action is Action.ADVANCE


def test_the_last_step_wants_the_difference_to_be_small():
    found = action(LAST)
    assert found.action is Action.PROMOTE
    assert "errors 0.00% against 0.00%" in found.reason
    few = action(LAST, traffic=fine(150))
    assert few.action is Action.HOLD
    assert "more requests are needed" in few.reason


def test_more_errors_are_rolled_back_with_their_numbers():
    found = action(traffic=[interval(1, 900, errors=9), interval(2, 100, errors=12)])
    assert found.action is Action.ROLL_BACK
    assert found.reason.startswith("errors: 12 of 100 (12.00%) against 9 of 900 (1.00%), evidence ")


def test_slow_answers_are_rolled_back():
    assert action(traffic=[interval(1, 900, slow=9), interval(2, 100, slow=30)]).reason.startswith("slow answers")
    unknown = dataclasses.replace(FIRST, slow_ms=None)
    assert action(unknown, traffic=[interval(1, 900, slow=9), interval(2, 100, slow=30)]).action is Action.ADVANCE


def test_wrong_answers_are_rolled_back_once_labels_come():
    assert action(labels=[Counts(100, 40, 900, 90)]).reason.startswith("wrong answers")


def test_mistakes_of_callers_meet_both_sides_and_say_nothing():
    wrong = [dataclasses.replace(one, client_errors=one.requests // 2) for one in fine()]
    assert action(traffic=wrong).action is Action.ADVANCE


def test_a_version_that_refuses_rows_the_others_take_is_rolled_back():
    refusing = dataclasses.replace(interval(2, 100), client_errors=20)
    assert action(traffic=[interval(1, 900), refusing]).reason.startswith("errors: 20 of 100")


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (WorkerState("churn", 2, State.FAILED, detail="no module x"), "its worker failed: no module x"),
        (WorkerState("churn", 2, State.READY, restarts=3), "its worker had to be started 4 times"),
    ],
)
def test_a_broken_worker_needs_no_statistics(worker, said):
    found = action(traffic=[], worker=worker)
    assert (found.action, found.reason) == (Action.ROLL_BACK, said)


def test_nothing_but_errors_needs_no_statistics():
    assert "last 5 answers" in action(traffic=[interval(1, 50, errors=5), interval(2, 5, errors=5)]).reason


def test_slow_is_twice_the_p95_from_before():
    assert slow_bound([interval(1, 99)]) is None
    assert slow_bound([interval(1, 1000)]) == pytest.approx(8.0, rel=0.4)


def test_weights_keep_the_others_in_proportion():
    two = dataclasses.replace(FIRST, stable={1: 75.0, 3: 25.0})
    assert weights(two, 0) == {1: 67.5, 3: 22.5, 2: 10.0}
    assert weights(two, 2) == {2: 100.0}


@pytest.mark.parametrize("steps", [[], [100], [50, 25], [0, 50], [10, 110], [10, 10]])
def test_steps_that_are_no_rollout_are_refused(steps):
    with pytest.raises(InvalidInput):
        check_steps(steps)


def test_the_last_step_is_everything():
    assert check_steps([5, 25]) == (5.0, 25.0, 100.0)


@pytest.mark.parametrize("change", [{"alpha": 0}, {"error_margin": 0}, {"bake_s": -1}, {"min_requests": 0}])
def test_rules_that_cannot_be_are_refused(change):
    with pytest.raises(InvalidInput):
        check_rules(Rules(**change))


def test_it_is_not_promoted_before_enough_of_its_answers_are_labelled():
    waits = dataclasses.replace(LAST, rules=dataclasses.replace(RULES, min_labels=500))
    plenty = [interval(1, 90_000), interval(2, 10_000)]
    assert action(LAST, traffic=plenty).action is Action.PROMOTE
    found = action(waits, traffic=plenty, labels=[Counts(120, 0, 900, 0)])
    assert (found.action, found.reason) == (Action.HOLD, "waits for labels of 380 more of its answers")
    assert action(waits, traffic=plenty, labels=[Counts(5000, 0, 45_000, 0)]).action is Action.PROMOTE
    assert action(waits, traffic=plenty, labels=[Counts(120, 90, 900, 9)]).action is Action.ROLL_BACK
    assert action(dataclasses.replace(waits, step=0), traffic=plenty).action is Action.ADVANCE
