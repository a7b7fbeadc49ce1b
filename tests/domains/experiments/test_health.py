"""Curves whose truth is known: which are called ill, and how often healthy ones are."""

from __future__ import annotations

import math
import random

import pytest

from mlops_tui.domains.experiments.health import judge, usual_interval
from mlops_tui.domains.experiments.metric_names import lower_is_better, pair_names
from mlops_tui.domains.experiments.records import MarkKind, Point, silent

SEEDS = 30


def curve(shape, count, noise=0.0, seed=0, kept=0.0):
    """Points of a shape over 0..1 with Gaussian noise, of which each point keeps a share of the one before."""
    rng, error, points = random.Random(seed), 0.0, []
    for step in range(count):
        error = kept * error + rng.gauss(0, noise) * math.sqrt(1 - kept * kept)
        points.append(Point(step, 1000 * step, shape(step / count) + error))
    return points


def falling(x):
    return 2 * math.exp(-5 * x) + 0.2


def early(x):
    return 2 * math.exp(-40 * x) + 0.3


def turning(x):
    return falling(x) + max(0.0, x - 0.4)


def kinds(**curves):
    return [mark.kind for mark in judge({name.replace("__", "/"): points for name, points in curves.items()}).marks]


@pytest.mark.parametrize("kept", [0.0, 0.6])
@pytest.mark.parametrize("noise", [0.005, 0.05])
@pytest.mark.parametrize("shape", [falling, early])
def test_healthy_curves_are_hardly_ever_called_overfitting(shape, noise, kept):
    """Two of a hundred with noise that is white, three with noise whose neighbours resemble each other (AR(1), 0.6)."""
    false = total = 0
    for count in (12, 60):
        for seed in range(SEEDS):
            curves = {
                "train_loss": curve(shape, count, noise / 2, seed, kept),
                "val_loss": curve(shape, count, noise, seed + 999, kept),
            }
            false += MarkKind.OVERFITTING in [mark.kind for mark in judge(curves).marks]
            total += 1
    assert false / total <= (0.03 if kept else 0.02), f"{false} of {total}"


@pytest.mark.parametrize(("count", "noise"), [(30, 0.01), (100, 0.05), (800, 0.1)])
def test_overfitting_is_found_with_the_step_it_began_at(count, noise):
    found, begun = 0, []
    for seed in range(SEEDS):
        health = judge(
            {"train_loss": curve(falling, count, noise / 2, seed), "val_loss": curve(turning, count, noise, seed + 99)}
        )
        if health.pairs[0].worse_since is not None:
            found += 1
            begun.append(health.pairs[0].worse_since / count)
            assert health.pairs[0].stop
            assert health.pairs[0].gap > 0
            assert health.pairs[0].gap_slope > 0
    assert found >= 0.95 * SEEDS
    assert 0.36 < sum(begun) / len(begun) < 0.5  # the lowest point of the true curve is at 0.43


def test_a_score_overfits_when_it_falls():
    train, valid = curve(lambda x: 1 - math.exp(-5 * x), 60), curve(lambda x: 0.9 - turning(x) / 3, 60, 0.003)
    assert kinds(acc=train, val_acc=valid) == [MarkKind.OVERFITTING]
    assert kinds(acc=train, val_acc=curve(lambda x: 0.9 - falling(x) / 3, 60, 0.003)) == []


def test_both_curves_getting_worse_is_no_overfitting():
    assert MarkKind.OVERFITTING not in kinds(train_loss=curve(turning, 80, 0.01), val_loss=curve(turning, 80, 0.01, 5))


def test_training_may_be_logged_more_often_than_validation():
    train = curve(falling, 2000, 0.02)
    valid = [Point(point.step * 40, point.ts, point.value) for point in curve(turning, 50, 0.01)]
    health = judge({"loss": train, "val_loss": valid})
    assert [mark.kind for mark in health.marks] == [MarkKind.OVERFITTING]
    assert 700 <= health.pairs[0].best_step <= 1100


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["train_loss", "val_loss"], [("train_loss", "val_loss")]),
        (["loss", "val_loss", "lr"], [("loss", "val_loss")]),
        (["training/acc", "validation/acc"], [("training/acc", "validation/acc")]),
        (["train/loss", "eval/loss", "test/loss"], [("train/loss", "eval/loss")]),
        (["trainLoss", "valLoss"], [("trainLoss", "valLoss")]),
        (["loss_train", "loss_val"], [("loss_train", "loss_val")]),
        (["train-rmse", "validation_0-rmse"], [("train-rmse", "validation_0-rmse")]),
        (["train_loss", "loss", "test_loss"], [("train_loss", "test_loss")]),
        (["train_loss", "val_acc"], []),
        (["val", "train"], [("train", "val")]),
        (["value", "validate"], []),
    ],
)
def test_pairs_are_told_by_their_names(names, pairs):
    assert pair_names(names) == pairs


@pytest.mark.parametrize(
    ("name", "lower"),
    [("val_loss", True), ("rmse", True), ("accuracy", False), ("val/f1", False), ("cross_entropy_loss", True), ("ROC_AUC", False)],
)  # fmt: skip
def test_the_name_tells_which_way_is_better(name, lower):
    assert lower_is_better(name) is lower


def test_without_a_word_the_way_it_goes_is_the_better_one():
    assert lower_is_better("what", [3.0, 2.0, 1.0, 0.5])
    assert not lower_is_better("what", [0.5, 1.0, 2.0, 3.0])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_curve_that_ends_in_no_number_diverged_at_the_first_one(bad):
    points = [*curve(falling, 20), *(Point(20 + step, 0, bad) for step in range(5))]
    health = judge({"loss": points})
    assert [(mark.kind, mark.key, mark.step) for mark in health.marks] == [(MarkKind.DIVERGED, "loss", 20)]


def test_a_gap_of_nan_that_is_over_and_a_score_that_never_was_are_no_divergence():
    points = curve(falling, 30)
    points[10] = Point(10, 0, math.nan)
    assert kinds(loss=points) == []
    assert kinds(auc=[Point(step, 0, math.nan) for step in range(5)]) == []
    assert kinds(loss=[Point(step, 0, math.nan) for step in range(5)]) == [MarkKind.DIVERGED]


def test_an_explosion_is_a_divergence_and_a_bump_is_none():
    assert kinds(loss=curve(lambda x: 2.0 * 1.2 ** (60 * x), 60)) == [MarkKind.DIVERGED]
    assert kinds(loss=curve(lambda x: falling(x) + (30 if x > 0.7 else 0) * x, 60)) == [MarkKind.DIVERGED]
    assert kinds(loss=curve(lambda x: falling(x) + (5 if 0.3 < x < 0.35 else 0), 60)) == []
    assert kinds(reward=curve(lambda x: 1.3 ** (60 * x), 60)) == []


def test_what_never_learned_is_stalled_and_a_plateau_only_while_it_runs():
    flat = [kinds(loss=curve(lambda x: 2.3, 50, 0.02, seed)) for seed in range(SEEDS)]
    assert flat.count([MarkKind.STALLED]) >= 0.7 * SEEDS
    learning = [kinds(loss=curve(shape, 50, 0.05, seed)) for seed in range(SEEDS) for shape in (falling, early)]
    assert learning.count([]) == len(learning)
    assert kinds(loss=curve(lambda x: 0.693, 50)) == [MarkKind.STALLED]
    plateaus = [{"loss": curve(early, 200, 0.01, seed)} for seed in range(SEEDS)]
    assert [judge(plateau).marks for plateau in plateaus] == [()] * SEEDS
    stalled = [judge(plateau, running=True).marks for plateau in plateaus]
    assert sum(bool(marks) and marks[0].kind == MarkKind.STALLED for marks in stalled) >= 0.6 * SEEDS
    assert judge({"loss": curve(falling, 200, 0.01)}, running=True).marks == ()
    assert kinds(lr=curve(lambda x: 0.1, 50), system__cpu_percent=curve(lambda x: 100, 50)) == []


def test_few_points_and_none_say_nothing():
    assert judge({}).marks == ()
    assert judge({"train_loss": curve(falling, 1), "val_loss": curve(turning, 1)}).pairs[0].worse_since is None
    assert kinds(train_loss=curve(falling, 6), val_loss=curve(turning, 6)) == []


def test_silence_is_ten_times_the_usual_interval_and_a_minute():
    assert usual_interval([0, 1000, 2000, 2000, 9000, 10000]) == 1000
    assert usual_interval([0, 1000, 2000]) is None
    assert not silent(0, 30_000, 300_000)
    assert silent(0, 30_000, 300_001)
    assert not silent(0, 10, 60_000)
    assert silent(0, 10, 60_001)
    assert not silent(0, None, 10**9)
