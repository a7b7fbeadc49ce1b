"""Weights over versions: shares are met closely, keys stick, nonsense is refused."""

from __future__ import annotations

from collections import Counter

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.routing import Router, normalise, place, sticky, with_share


@pytest.mark.parametrize("count", [20, 100, 1000])
@pytest.mark.parametrize("share", [2.0, 10.0, 33.0, 50.0])
def test_without_a_key_even_few_requests_meet_the_weights(count: int, share: float) -> None:
    router = Router({1: 100 - share, 2: share})
    seen = Counter(router.choose() for _ in range(count))
    assert abs(seen[2] - count * share / 100) <= 2


def test_a_key_always_meets_the_same_version_and_keys_spread_by_weight() -> None:
    router = Router({1: 80.0, 2: 20.0}, salt="churn")
    first = {key: router.choose(key) for key in map(str, range(4000))}
    assert first == {key: router.choose(key) for key in first}
    assert 700 <= Counter(first.values())[2] <= 900


def test_a_growing_canary_only_gains_keys() -> None:
    small, large = {1: 90.0, 2: 10.0}, {1: 50.0, 2: 50.0}
    for key in map(str, range(500)):
        if place(small, sticky(key)) == 2:
            assert place(large, sticky(key)) == 2


def test_endpoints_place_the_same_key_independently() -> None:
    both = [
        place({1: 50, 2: 50}, sticky(str(key), "a")) == place({1: 50, 2: 50}, sticky(str(key), "b"))
        for key in range(1000)
    ]
    assert 400 < sum(both) < 600


def test_the_whole_range_is_covered() -> None:
    assert place({1: 33.3, 2: 33.3, 3: 33.3}, 0.0) == 1
    assert place({1: 33.3, 2: 33.3, 3: 33.3}, 0.9999999999999999) == 3


def test_weights_of_any_scale_become_percent_in_order_of_version() -> None:
    assert normalise({3: 1, 1: 3, 2: 0}) == {1: 75.0, 3: 25.0}
    assert list(normalise({3: 1, 1: 3})) == [1, 3]


@pytest.mark.parametrize("weights", [{}, {1: 0}, {1: -1, 2: 2}, {1: float("nan")}, {1: float("inf")}])
def test_impossible_weights_are_refused(weights: dict[int, float]) -> None:
    with pytest.raises(InvalidInput):
        normalise(weights)


def test_a_canary_takes_its_share_from_all_others() -> None:
    assert with_share({1: 60, 2: 40}, 3, 10) == {1: 54.0, 2: 36.0, 3: 10.0}
    assert with_share({1: 90, 2: 10}, 2, 50) == {1: 50.0, 2: 50.0}
    assert with_share({2: 100}, 2, 10) == {2: 100.0}
    with pytest.raises(InvalidInput):
        with_share({1: 100}, 2, 0)
