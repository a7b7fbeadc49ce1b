"""Promises: what is left of a budget, how fast it goes, and when somebody is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.serving.objectives import Objective, Tally, slower, standing
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, bucket_of
from mlops_tui.workbench import Workbench

NOW = 100 * DAY
QUICK = bucket_of(5.0)


def histogram(**latencies: int) -> tuple[int, ...]:
    counts = [0] * (len(BOUNDS_MS) + 1)
    for name, count in latencies.items():
        counts[bucket_of(float(name[2:]))] += count
    return tuple(counts)


def promise(**changes: Any) -> Objective:
    given = {"availability": 0.99, "latency_ms": None, "latency_share": 0.95, "window_days": 30, "updated_at": 0}
    return Objective("churn", **{**given, **changes})


def tally(ago: int, requests: int, errors: int) -> Tally:
    return Tally(NOW - ago, requests, errors, histogram(ms5=requests))


def test_a_budget_is_what_may_fail_and_its_rest_what_has_not() -> None:
    found = standing(promise(), [tally(10 * DAY, 9_000, 20), tally(5 * DAY, 1_000, 30), tally(40 * DAY, 500, 500)], NOW)
    budget = found.budgets[0]
    assert (budget.total, budget.bad, budget.allowed) == (10_000, 50, pytest.approx(100))
    assert (budget.achieved, budget.left) == (pytest.approx(0.995), pytest.approx(0.5))
    assert (budget.burn_1h, budget.severity, found.severity) == (None, "", "")


@pytest.mark.parametrize(
    ("tallies", "severity"),
    [
        ([tally(MINUTE, 100, 20)], "critical"),  # a burn rate of 20 over an hour and over five minutes
        ([tally(MINUTE, 20, 4)], ""),  # as fast, but four failures are too few to tell
        ([tally(30 * MINUTE, 100, 20), tally(MINUTE, 100, 0)], "critical"),  # 10 times: over six hours and half an hour
        ([tally(7 * HOUR, 1000, 200), tally(MINUTE, 100, 0)], ""),  # it is over
        ([tally(2 * DAY, 1000, 0), tally(5 * HOUR, 1000, 40)], "warning"),  # 2 times over three days
    ],
)
def test_an_alert_needs_a_long_and_a_short_window(tallies: list[Tally], severity: str) -> None:
    assert standing(promise(), tallies, NOW).severity == severity


def test_slow_answers_are_counted_within_their_bucket() -> None:
    assert slower(histogram(ms5=10, ms500=3), 100) == 3
    low, high = BOUNDS_MS[QUICK - 1], BOUNDS_MS[QUICK]
    assert slower(histogram(ms5=10), (low + high) / 2) == pytest.approx(5)
    assert slower(histogram(ms1000000=2), 50) == 2
    found = standing(promise(availability=None, latency_ms=100.0), [Tally(NOW, 13, 0, histogram(ms5=10, ms500=3))], NOW)
    assert [(b.kind, b.bad, b.target) for b in found.budgets] == [("latency", 3, 0.95)]


@pytest.fixture
def churn(workbench: Workbench, register: Callable[..., int]) -> Workbench:
    register("churn")
    workbench.serving.deploy("churn", "churn")
    return workbench


def came(bench: Workbench, at: int, requests: int, errors: int) -> None:
    counted = Interval("churn", 1, at, 5000, requests, requests, 0, errors, 1.0, histogram(ms5=requests))
    bench.serving.record_traffic([counted])


def test_the_daemon_alerts_while_a_budget_burns_and_ends_the_alert(churn: Workbench, clock: Any) -> None:
    promises = churn.serving.promises
    promises.put("churn", availability=0.99, why="as agreed")
    assert churn.audit.list(kind="deployment")[0].verb == "promise"
    came(churn, clock.now - MINUTE, 100, 30)
    assert [one.severity for one in promises.check()] == ["critical"]
    alert = churn.alerts.list(state="open")[0]
    assert (alert.rule, alert.subject, alert.severity) == ("sla", "churn", "critical")
    clock.advance(DAY // 2)
    came(churn, clock.now - MINUTE, 10_000, 0)
    assert promises.check() == []
    assert churn.alerts.list(state="open") == []


def test_whole_hours_are_added_up_once_and_count_as_before(churn: Workbench, clock: Any) -> None:
    promises = churn.serving.promises
    promises.put("churn", availability=0.9)
    for place in range(5):
        came(churn, clock.now - place * HOUR - 2, 100, place)
    before = promises.get("churn")
    promises.check()
    assert promises.get("churn") == before
    assert before.budgets[0].total == 500
    promises.check()
    assert promises.get("churn") == before


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"availability": 99.9},
        {"availability": 1.0},
        {"latency_ms": 0},
        {"latency_ms": 5, "latency_share": 0.2},
        {"availability": 0.9, "window_days": 0},
    ],
)
def test_promises_that_cannot_be_are_refused(churn: Workbench, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        churn.serving.promises.put("churn", **wrong)
    assert churn.serving.promises.list() == []


def test_nothing_is_promised_of_nobody(churn: Workbench) -> None:
    for call in (churn.serving.promises.get, churn.serving.promises.remove):
        with pytest.raises(NotFound):
            call("churn")
    with pytest.raises(NotFound):
        churn.serving.promises.put("chrn", availability=0.9)
    churn.serving.promises.put("churn", availability=0.9)
    churn.serving.remove("churn")
    assert churn.serving.promises.list() == []
