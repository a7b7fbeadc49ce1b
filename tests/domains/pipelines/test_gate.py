from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from mlops_tui.domains.pipelines import bootstrap, fairness, gate
from mlops_tui.domains.pipelines.recipe import margin_of, parse_criterion
from mlops_tui.domains.pipelines.records import GateCheck, Outcome, decide


def rows(count, gain, seed=0):
    """Truth, a new and an old model's numbers; above zero `gain` makes the new one better."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=count)
    noise = generator.normal(size=count)
    return truth, truth + noise * (1 - gain), truth + noise + generator.normal(size=count) * 0.05


def judge(count, gain, rule, margin=0.0, seed=0):
    truth, new, old = rows(count, gain, seed)
    return gate.against_champion("rmse", truth, new, old, rule=rule, margin=margin, confidence=0.95)


def test_a_clear_gain_on_enough_rows_is_better():
    check = judge(2000, 0.2, "better")
    assert check.passed is True
    assert check.low > 0
    assert check.value == pytest.approx(0.2, abs=0.03)


def test_an_equal_model_is_never_better():
    truth, new, _ = rows(2000, 0.0)
    check = gate.against_champion("rmse", truth, new, new, rule="better", margin=0.0, confidence=0.95)
    assert (check.passed, check.value) == (False, 0.0)
    assert "-0" not in check.detail.replace("+0", "")


def test_an_equal_model_is_not_worse():
    truth, new, _ = rows(200, 0.0)
    assert gate.against_champion("rmse", truth, new, new, rule="not_worse", margin=0.0, confidence=0.95).passed is True


def test_a_worse_model_is_blocked_by_both_rules():
    assert judge(2000, -0.2, "not_worse").passed is False
    assert judge(2000, -0.2, "better").passed is False


def test_a_loss_within_the_margin_is_not_worse():
    assert judge(5000, -0.02, "not_worse", margin=0.1).passed is True
    assert judge(5000, -0.02, "not_worse", margin=0.001).passed is False


def test_too_few_rows_to_tell_says_how_many_it_would_take():
    truth, new, old = rows(40, 0.0, seed=3)
    new = old + np.random.default_rng(1).normal(size=40) * 0.3
    check = gate.against_champion("rmse", truth, new, old, rule="not_worse", margin=0.1, confidence=0.95)
    assert check.passed is None
    assert check.rows_needed > 40
    assert f"needs about {check.rows_needed:,}" in check.detail


def test_fewer_than_30_rows_never_pass():
    assert judge(20, 0.5, "better").passed is None


def test_a_higher_metric_counts_up_and_a_lower_one_down():
    truth = np.array([0.0, 1.0] * 100)
    good = np.column_stack([1 - truth, truth]) * 0.8 + 0.1
    bad = good[::-1]
    for name in ("roc_auc", "brier", "accuracy", "log_loss"):
        assert bootstrap.paired_interval(name, truth, good, bad)[0] > 0


@pytest.mark.slow
def test_an_equal_model_is_promoted_by_better_in_about_alpha_of_the_cases_and_by_a_naive_rule_half_of_the_time():
    """300 rows, two classifiers that are right 85 % of the time each by itself: the setting of the reference's 46 %."""
    naive = promoted = 0
    cases, rows = 600, 300
    for seed in range(cases):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, 2, rows).astype(float)
        new, old = (_right(truth, generator, 0.85) for _ in range(2))
        check = gate.against_champion(
            "accuracy", truth, new, old, rule="better", margin=0.0, confidence=0.9, resamples=200
        )
        naive += check.value > 0
        promoted += check.passed is True
    # One end of a two-sided interval at 90 %: 5 %, give or take three standard errors of 600 cases.
    assert 0.02 <= promoted / cases <= 0.08
    assert 0.4 <= naive / cases <= 0.6


def _right(truth, generator, share):
    said = np.where(generator.uniform(size=len(truth)) < share, truth, 1 - truth).astype(int)
    return np.eye(2)[said] * 0.8 + 0.1


def test_the_rows_needed_are_those_that_show_the_difference_found():
    """Against simulation: with as many rows as asked for, the rule `better` says yes in about the power asked for."""
    error = 1.0 / math.sqrt(100)
    needed = bootstrap.rows_for(error, 100, 0.2, confidence=0.95, power=0.8)
    assert needed == 197  # ((1.96 + 0.8416) * 1 / 0.2)^2 = 196.2
    generator = np.random.default_rng(0)
    means = generator.normal(0.2, 1.0, (4000, needed)).mean(axis=1)
    assert np.mean(means - 1.96 / math.sqrt(needed) > 0) == pytest.approx(0.8, abs=0.02)
    assert bootstrap.smallest_shown(1.0 / math.sqrt(needed), confidence=0.95, power=0.8) == pytest.approx(
        0.2, abs=0.001
    )


def test_holm_is_the_step_down_correction():
    assert gate.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert gate.holm([]) == []


def slices_of(gain, spoiled=0.0):
    """Ten slices of 200 rows, the first with a new model that is worse there by `spoiled`."""
    generator = np.random.default_rng(1)
    truth = generator.normal(size=2000)
    old = truth + generator.normal(size=2000)
    new = truth + generator.normal(size=2000) * (1 - gain)
    groups = np.arange(2000) // 200
    new[groups == 0] += generator.normal(size=200) * spoiled
    parts = [(f"city={group}", groups == group) for group in range(10)]
    return gate.slices_against("rmse", truth, new, old, parts, margin=0.0, confidence=0.95)


def test_a_slice_that_got_worse_stops_the_model_and_the_others_do_not():
    checks = slices_of(0.0, spoiled=2.0)
    assert [check.passed for check in checks] == [False] + [True] * 9
    assert "by Holm" in checks[0].detail
    assert checks[0].rows == 200


def test_equal_slices_stop_nothing_however_many_there_are():
    assert all(check.passed for check in slices_of(0.0))


def test_a_gap_between_groups_is_judged_by_its_interval():
    generator = np.random.default_rng(0)
    groups = np.array(["a", "b"] * 1000)
    even = generator.integers(0, 2, 2000).astype(float)
    uneven = np.where(groups == "a", generator.uniform(size=2000) < 0.7, generator.uniform(size=2000) < 0.3).astype(
        float
    )
    judge = functools.partial(fairness.gap_check, "parity", "sex", min_rows=30)
    assert judge(even, groups, 0.1).passed is True
    unfair = judge(uneven, groups, 0.1)
    assert (unfair.passed, unfair.value) == (False, pytest.approx(0.4, abs=0.06))
    assert "a 0.7" in unfair.detail
    few = judge(uneven[:70], groups[:70], 0.4)
    assert few.passed is None
    assert "too few rows" in few.detail


def test_one_group_alone_has_no_gap():
    check = fairness.gap_check("parity", "sex", np.ones(50), np.array(["a"] * 50), 0.1, min_rows=30)
    assert (check.passed, check.value) == (None, None)


def test_a_metric_that_cannot_be_computed_stays_open():
    ones = np.ones(100)
    answer = np.column_stack([ones * 0.4, ones * 0.6])
    check = gate.against_champion("roc_auc", ones, answer, answer, rule="better", margin=0.0, confidence=0.95)
    assert check.passed is None
    assert check.value is None


def test_the_interval_covers_the_value():
    truth, new, _ = rows(400, 0.0)
    low, high = bootstrap.interval("mae", truth, new)
    assert low < np.mean(np.abs(truth - new)) < high


def test_limits_fail_for_a_value_that_was_not_measured():
    checks = gate.limits("minimum", {"roc_auc": 0.8, "f1": 0.5}, {"roc_auc": 0.81})
    assert [check.passed for check in checks] == [True, False]
    assert "not measured" in checks[1].detail
    assert gate.limits("maximum", {"rmse": 3}, {"rmse": 3.1})[0].passed is False


def test_a_charter_criterion_is_checked_when_it_is_a_number_and_left_open_when_it_is_a_sentence():
    checks = gate.charter(["recall >= 0.80", "customers are happy", "latency_p95_ms <= 20"], {"recall": 0.7})
    assert [check.passed for check in checks] == [False, None, None]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("recall >= 0.80", ("recall", ">=", 0.8)),
        (" rmse<12 ", ("rmse", "<", 12.0)),
        ("profit > 3", None),
        ("recall is high", None),
    ],
)
def test_criteria_are_parsed(text, parsed):
    assert parse_criterion(text) == parsed


def test_a_margin_in_percent_is_a_share_of_the_champions_score():
    assert margin_of("2%", 50.0) == pytest.approx(1.0)
    assert margin_of(0.5, 50.0) == 0.5
    assert margin_of("much", 1.0) is None


def test_the_verdict_is_blocked_by_one_failure_and_open_by_one_open_check():
    yes, no, open_ = (
        GateCheck("a", True),
        GateCheck("b", False, detail="too low"),
        GateCheck("c", None, detail="few rows"),
    )
    assert decide([yes, GateCheck("charter: happy", None)])[0] is Outcome.BLESSED
    assert decide([yes, open_]) == (Outcome.NEEDS_PERSON, "few rows")
    assert decide([yes, open_, no]) == (Outcome.BLOCKED, "too low")
