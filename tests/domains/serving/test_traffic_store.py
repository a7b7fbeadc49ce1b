"""Traffic counts that grow coarser with age: nothing counted twice, nothing lost, quantiles as over the first rows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.domains.serving import traffic
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval
from mlops_tui.domains.serving.store import ServingStore
from mlops_tui.domains.serving.traffic_store import TIERS, packed, unpacked
from mlops_tui.workbench import Workbench

SPAN = 30_000
BUCKETS = len(BOUNDS_MS) + 1


@pytest.fixture
def store(workbench: Workbench) -> ServingStore:
    return ServingStore(workbench.context)


def interval(at: int, requests: int, version: int = 1, deployment: str = "churn") -> Interval:
    histogram = [0] * BUCKETS
    histogram[10 + requests % 7] = requests
    return Interval(
        deployment,
        version,
        at,
        SPAN,
        requests,
        2 * requests,
        requests % 2,
        requests % 3,
        1.5 * requests,
        tuple(histogram),
    )


def fill(store: ServingStore, clock: Any, span: int) -> list[Interval]:
    """Traffic of two versions over a span up to the clock, rolled up hour by hour as the daemon does."""
    chance = random.Random(7)
    clock.now = clock.now // HOUR * HOUR
    start, end = clock.now - span, clock.now
    made = [interval(at, chance.randint(1, 50), 1 + at // SPAN % 2) for at in range(start, end, SPAN)]
    store.add_intervals([interval(at, 3, deployment="other") for at in range(start, end, 10 * MINUTE)])
    for at in range(start, end, HOUR):
        store.add_intervals([one for one in made if at <= one.at < at + HOUR])
        clock.now = at + HOUR
        while store.roll_up():
            pass
    return made


def test_a_histogram_loses_only_its_empty_ends() -> None:
    for used in ({}, {0: 3}, {49: 1}, {12: 9, 14: 1}):
        whole = tuple(used.get(place, 0) for place in range(BUCKETS))
        assert unpacked(packed(whole)) == whole
    assert packed((0, 0, 7, *[0] * (BUCKETS - 3))) == "2:[7]"
    assert unpacked(str([1] * BUCKETS)) == (1,) * BUCKETS  # as earlier releases wrote it


def test_every_tier_answers_for_its_age_and_nothing_is_counted_twice(store: ServingStore, clock: Any) -> None:
    made = fill(store, clock, 3 * DAY)
    now = clock.now
    whole = traffic.stats(made, 3 * DAY)
    for step in (0, MINUTE, 10 * MINUTE, HOUR, DAY):
        found = store.intervals("churn", now - 3 * DAY, step=step)
        assert traffic.stats(found, 3 * DAY) == whole
        assert sum(one.latency_sum_ms for one in found) == sum(one.latency_sum_ms for one in made)
        assert [one.at for one in found] == sorted(one.at for one in found)
    finest = store.intervals("churn", now - 3 * DAY)
    assert {one.span_ms for one in finest if one.at >= now - 3 * HOUR} == {SPAN}
    assert {one.span_ms for one in finest if now - 2 * DAY <= one.at < now - 3 * HOUR} == {MINUTE}
    assert {one.span_ms for one in finest if one.at < now - 2 * DAY} == {10 * MINUTE}
    assert len(store.intervals("churn", now - 3 * DAY, step=HOUR)) <= 2 * 72 + 2 * 120


def test_a_window_inside_is_what_was_counted_there(store: ServingStore, clock: Any) -> None:
    made = fill(store, clock, DAY)
    since, until = clock.now - 20 * HOUR, clock.now - 2 * HOUR
    inside = [one for one in made if since <= one.at < until]
    for step in (0, HOUR):
        assert traffic.stats(store.intervals("churn", since, until, step), 1) == traffic.stats(inside, 1)


def test_what_is_too_old_leaves_each_tier_but_never_before_it_was_added_up(
    store: ServingStore, workbench: Workbench, clock: Any
) -> None:
    made = fill(store, clock, 6 * HOUR)
    more = [interval(at, 7) for at in range(clock.now, clock.now + 5 * HOUR, SPAN)]
    store.add_intervals(more)
    clock.advance(5 * HOUR + 10 * DAY)  # nobody rolls up for ten days
    while store.roll_up():
        pass
    clock.advance(HOUR)
    store.roll_up()
    counts = [workbench.context.telemetry.value(f"SELECT count(*) FROM {tier.table}") for tier in TIERS]
    assert counts[:2] == [0, 0]
    assert traffic.stats(store.intervals("churn", 0), 1) == traffic.stats([*made, *more], 1)
    clock.advance(90 * DAY)
    store.roll_up()
    assert store.intervals("churn", 0) == store.intervals("other", 0) == []


def test_counts_written_late_are_in_what_is_added_up(store: ServingStore, clock: Any) -> None:
    clock.now = clock.now // HOUR * HOUR
    store.roll_up()
    begun = clock.now
    clock.advance(MINUTE)
    store.roll_up()  # the interval of 30 s before is still being counted
    store.add_intervals([interval(begun + MINUTE - SPAN, 5)])
    clock.advance(3 * HOUR + 2 * MINUTE)
    store.roll_up()
    assert [one.requests for one in store.intervals("churn", begun, step=MINUTE)] == [5]


def test_a_removed_span_can_be_dropped_from_every_tier(store: ServingStore, clock: Any) -> None:
    fill(store, clock, 6 * HOUR)
    store.drop_intervals(clock.now - HOUR)
    assert {one.at >= clock.now - HOUR for one in store.intervals("churn", 0)} == {True}


def test_a_series_finer_than_what_is_kept_spreads_the_requests(store: ServingStore, clock: Any) -> None:
    fill(store, clock, 6 * HOUR)
    since = clock.now - 5 * HOUR
    points = traffic.series(store.intervals("churn", since, since + HOUR), since, since + HOUR - 1, 15_000)
    counted = sum(one.requests for one in store.intervals("churn", since, since + HOUR))
    assert sum(point.requests for point in points) == counted
    assert min(point.requests for point in points) > 0
    assert all(point.p95_ms for point in points)
