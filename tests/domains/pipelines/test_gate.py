from __future__ import annotations

import numpy as np
import pytest

from mlops_tui.domains.pipelines import gate
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
        assert gate.paired_interval(name, truth, good, bad)[0] > 0


def test_an_equal_model_gets_through_better_about_never_and_a_naive_rule_half_of_the_time():
    naive = strict = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        truth = generator.normal(size=300)
        new, old = truth + generator.normal(size=300), truth + generator.normal(size=300)
        check = gate.against_champion(
            "rmse", truth, new, old, rule="better", margin=0.0, confidence=0.95, resamples=100
        )
        naive += check.value > 0
        strict += check.passed is True
    assert 18 <= naive <= 42
    assert strict <= 6


def test_a_metric_that_cannot_be_computed_stays_open():
    ones = np.ones(100)
    answer = np.column_stack([ones * 0.4, ones * 0.6])
    check = gate.against_champion("roc_auc", ones, answer, answer, rule="better", margin=0.0, confidence=0.95)
    assert check.passed is None
    assert check.value is None


def test_the_interval_covers_the_value():
    truth, new, _ = rows(400, 0.0)
    low, high = gate.interval("mae", truth, new)
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
