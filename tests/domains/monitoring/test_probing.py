"""The pattern of one client: searches and sweeps are seen, ordinary and repeated rows are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.monitoring.odd_records import Pattern
from mlops_tui.domains.monitoring.probing import FEWEST, Asked, examine
from mlops_tui.domains.registry.oddness import Oddness, calibrate

COLUMNS = list("abcdef")


def ordinary(rows, seed=0):
    return np.random.default_rng(seed).normal([0, 10, 100, 5, 1, 3], [1, 2, 10, 1, 0.1, 3], (rows, 6))


@pytest.fixture(scope="module")
def known():
    return Oddness(calibrate(pd.DataFrame(ordinary(2000), columns=COLUMNS)))


def found(known, rows, answers=None, earlier=()):
    said = answers if answers is not None else ["yes"] * len(rows)
    looks = [Pattern("churn", "other", at, 300, 300, close=close) for at, close in enumerate(earlier)]
    return examine(Asked("shop", np.asarray(rows), said, 1), known, "churn", looks)


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_rows_are_nothing(known, seed):
    rows = ordinary(300, seed + 1)
    answers = ["yes" if row[0] > 0 else "no" for row in rows]
    assert found(known, rows, answers, [0.0] * 9).verdict == ""


def test_a_search_along_the_boundary_is_seen_by_its_flips(known):
    draw = np.random.default_rng(1)
    rows = ordinary(1, 3) + draw.normal(0, 0.02, (200, 6))
    rows[:, 0] = draw.normal(0, 0.02, 200)
    one = found(known, rows, ["yes" if row[0] > 0 else "no" for row in rows])
    assert one.verdict == "evasion"
    assert "answered otherwise" in one.words


def test_gradients_by_differences_are_seen_by_their_single_columns(known):
    rows = np.repeat(ordinary(1, 3), 120, axis=0)
    for place in range(120):
        rows[place, place % 6] += 0.001 * (place + 1)
    for place in range(1, 120, 2):
        rows[place] = rows[place - 1]
        rows[place, 2] += 0.01
    assert found(known, rows).verdict == "evasion"


def test_rows_close_together_count_against_what_others_ask(known):
    rows = ordinary(1, 3) + np.random.default_rng(1).normal(0, 0.05, (200, 6))
    assert found(known, rows).verdict == ""  # how close rows usually are here is not known yet
    assert found(known, rows, earlier=[0.9] * 9).verdict == ""  # as close as everybody's
    assert found(known, rows, earlier=[0.02] * 9).verdict == "evasion"
    looks = [Pattern("churn", "other", at, 300, 300, close=0.02) for at in range(9)]
    alone = examine(Asked("shop", rows, ["yes"] * len(rows), 1, asked=200, of=200), known, "churn", looks)
    assert (
        alone.verdict == "flood"
    )  # of a client that is all the traffic that says what the window is like, not who asks


def test_made_up_rows_over_the_whole_space_are_extraction(known):
    box = np.random.default_rng(2).uniform(ordinary(500).min(axis=0), ordinary(500).max(axis=0), (200, 6))
    one = found(known, box)
    assert one.verdict == "extraction"
    assert "outside" in one.words


def test_traffic_that_moved_is_not_taken_for_made_up_rows(known):
    moved = ordinary(300, 7) + np.array([0, 0, 0, 0, 0, 8.5])  # a new season, of everybody
    alone = examine(Asked("app", moved, ["yes"] * 300, 1, asked=300, of=300), known, "churn", [])
    assert alone.outside > 0.25
    assert alone.verdict == ""
    assert found(known, moved).verdict == "extraction"  # one client among others that asks so is another matter
    dense = ordinary(1, 3) + np.array([0, 0, 0, 0, 0, 30.0]) + np.random.default_rng(1).normal(0, 0.05, (200, 6))
    assert found(known, dense).outside == 1
    assert found(known, dense).verdict == ""


def test_the_same_rows_again_and_again_are_nothing(known):
    rows = np.tile(ordinary(50, 4), (20, 1))
    one = found(known, rows, earlier=[0.0] * 9)
    assert (one.rows, one.distinct, one.verdict) == (1000, 50, "")


def test_of_a_few_rows_nothing_is_said(known):
    rows = np.repeat(ordinary(1), FEWEST - 1, axis=0) + np.arange(FEWEST - 1)[:, None] * 1e-6
    assert found(known, rows, earlier=[0.0] * 9).verdict == ""


def test_missing_values_are_no_reason_to_stop(known):
    rows = ordinary(100, 5)
    rows[::3, 1] = np.nan
    assert found(known, rows, earlier=[0.0] * 9).distinct == 100


def test_a_client_that_takes_over_the_traffic_is_told_once_there_were_others(known):
    def flood(earlier):
        return examine(
            Asked("shop", ordinary(100, 6), ["yes"] * 100, 1, asked=9000, of=10_000), known, "churn", earlier
        )

    others = [Pattern("churn", "app", 0, 900, 900, share=0.9), Pattern("churn", "shop", 0, 100, 100, share=0.1)]
    one = flood(others)
    assert (one.verdict, one.rows, one.share) == ("flood", 9000, 0.9)
    assert "10% were usual" in one.words
    assert flood([]).verdict == ""
    assert flood([*others, *(Pattern("churn", "shop", 0, 900, 900, share=0.9) for _ in range(3))]).verdict == ""
