"""Evidence against a canary: how often it is wrong, how soon it is right, and how many requests are missing."""

from __future__ import annotations

import random

import pytest

from mlops_tui.domains.serving.evidence import MOST, RATIOS, Counts, difference, lower, missing, upper, weigh
from mlops_tui.domains.serving.rollout import Rules

ALPHA = Rules().alpha


def stretches(rng, base, rate, *, share=0.1, looks=80, size=50):
    """Looks of `size` canary requests each."""
    others = round(size * (1 - share) / share)

    def failed(requests, chance):
        # Binomial by the geometric gaps between failures: far fewer draws than one per request.
        count, at = 0, -1
        while chance:
            at += 1 + int(_log(1 - rng.random()) / _log(1 - chance))
            if at >= requests:
                break
            count += 1
        return count

    return [Counts(size, failed(size, rate), others, failed(others, base)) for _ in range(looks)]


def _log(value):
    import math

    return math.log(value)


def share_found(base, rate, rollouts=400, seed=1):
    rng = random.Random(seed)
    found = [
        weigh("errors", stretches(rng, base, rate), alpha=ALPHA, margin=0.02).e_value > 1 / ALPHA
        for _ in range(rollouts)
    ]
    return sum(found) / rollouts


@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_a_version_that_is_no_worse_is_rolled_back_at_most_twice_in_a_hundred(rate):
    assert share_found(rate, rate) <= 0.02


def test_twice_the_errors_are_found_in_95_of_100_rollouts():
    assert share_found(0.01, 0.02) >= 0.95


def test_a_better_version_is_never_suspected():
    assert share_found(0.02, 0.005, rollouts=100) == 0


def test_changing_the_share_keeps_the_promise():
    rng = random.Random(2)
    wrong = 0
    for _ in range(400):
        seen = [*stretches(rng, 0.01, 0.01, looks=20), *stretches(rng, 0.01, 0.01, share=0.5, looks=40)]
        wrong += weigh("errors", seen, alpha=ALPHA, margin=0.02).e_value > 1 / ALPHA
    assert wrong <= 8


def test_what_is_tolerated_is_no_evidence_and_more_than_that_is():
    rng = random.Random(3)
    twice, six = stretches(rng, 0.01, 0.02, looks=200), stretches(rng, 0.01, 0.06, looks=200)
    limits = {"alpha": ALPHA, "margin": 0.02}
    assert weigh("slow", twice, **limits).e_value > 1 / ALPHA > weigh("slow", twice, **limits, tolerated=2.0).e_value
    assert weigh("slow", six, **limits, tolerated=2.0).e_value > 1 / ALPHA


def test_what_was_once_seen_stays_seen():
    bad, good = Counts(100, 30, 900, 9), Counts(100, 0, 900, 9)
    assert weigh("errors", [bad, *[good] * 50], alpha=0.05, margin=0.02).e_value > 20


def test_without_failures_or_one_side_nothing_is_said_against_it():
    for counts in (Counts(500, 0, 500, 0), Counts(0, 0, 500, 5), Counts(500, 5, 0, 0)):
        assert weigh("errors", [counts], alpha=0.05, margin=0.02).e_value == pytest.approx(1.0)
    assert weigh("errors", [], alpha=0.05, margin=0.02).difference is None
    assert len(RATIOS) > 1


def test_rates_lie_in_their_sequences_at_all_times():
    rng = random.Random(3)
    missed = 0
    for _ in range(200):
        requests = failed = 0
        out = False
        for _ in range(30):
            requests += 50
            failed += sum(rng.random() < 0.05 for _ in range(50))
            out = out or not lower(requests, failed, 0.05) <= 0.05 <= upper(requests, failed, 0.05)
        missed += out
    assert missed / 200 <= 0.1  # 0.05 on either side


def test_missing_requests_are_enough_when_they_have_come():
    for canary, failed in ((50, 0), (200, 0), (300, 3)):
        more = missing(canary, failed, canary * 9, failed * 9, alpha=0.05, margin=0.02)
        scale = (canary + more) / canary
        later = difference(
            canary + more, round(failed * scale), round(canary * 9 * scale), round(failed * 9 * scale), 0.05
        )
        assert later < 0.021
        assert more > 0


def test_no_number_of_requests_clears_a_version_that_fails_more_by_the_margin():
    assert missing(1000, 100, 9000, 90, alpha=0.05, margin=0.02) == MOST
