"""The statistics against scipy, and the thresholds against their promise: how often they cry wolf."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_tui.domains.monitoring import compare as comparing
from mlops_tui.domains.monitoring import drift, joint
from mlops_tui.domains.monitoring.counting import counted
from mlops_tui.domains.monitoring.inputs import each_alpha
from mlops_tui.domains.monitoring.limits import limits
from mlops_tui.domains.registry import blocks
from mlops_tui.domains.registry.profile import build_profile, count_like, describe

DRAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "lognormal": lambda random, n: random.lognormal(0, 1, n),
    "uniform": lambda random, n: random.uniform(size=n),
}


@pytest.mark.parametrize("shape", DRAWS)
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_ks_and_wasserstein_agree_with_scipy_on_a_hundred_thousand_values(shape: str, shift: float) -> None:
    random = np.random.default_rng(7)
    old, new = DRAWS[shape](random, 100_000), DRAWS[shape](random, 100_000) + shift
    profile = describe(pd.Series(old), categorical=False)
    window, _ = count_like(pd.Series(new), profile)
    edges = np.asarray(profile["edges"])
    assert float(drift.ks(profile["counts"], window)) == pytest.approx(stats.ks_2samp(old, new).statistic, abs=0.0005)
    distance = drift.wasserstein(
        edges,
        profile["counts"],
        window,
        below=float(np.maximum(edges[0] - new, 0).mean()),
        above=float(np.maximum(new - edges[-1], 0).mean()),
        mean_shift=float(new.mean() - old.mean()),
    )
    exact = stats.wasserstein_distance(old, new)
    assert distance == pytest.approx(exact, rel=0.02, abs=0.005 * float(old.std()))


def test_wasserstein_counts_what_lies_far_outside_the_reference() -> None:
    old = np.random.default_rng(1).normal(size=10_000)
    new = np.append(old, 1e6)
    profile = describe(pd.Series(old), categorical=False)
    window, _ = count_like(pd.Series(new), profile)
    found = drift.wasserstein(
        profile["edges"], profile["counts"], window, above=float(np.maximum(new - old.max(), 0).mean())
    )
    assert found == pytest.approx(stats.wasserstein_distance(old, new), rel=0.02)


def test_js_and_chi_squared_agree_with_scipy() -> None:
    old, new = [500, 300, 200, 0], [40, 35, 20, 5]
    from scipy.spatial.distance import jensenshannon

    assert drift.js_distance(old, new) == pytest.approx(jensenshannon(old, new, base=2), abs=1e-12)
    exact = stats.chi2_contingency([old, new], correction=False)
    statistic, p = drift.chi_squared(old, new)
    assert statistic == pytest.approx(exact.statistic)
    assert p == pytest.approx(exact.pvalue, abs=0.001)
    assert drift.chi_squared([5, 0], [3, 0]) == (0.0, 1.0)


def test_psi_is_zero_for_equal_shares_and_survives_empty_bins() -> None:
    assert float(drift.psi([100, 100], [100, 100])) == 0
    assert float(drift.psi([100, 0], [0, 100])) > 5


def test_groups_have_about_equal_mass_even_with_ties() -> None:
    counts = np.array([0, 500, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 400, 0])
    grouped = blocks.grouped(counts, blocks.group_starts(counts))
    assert grouped.sum() == counts.sum()
    assert len(grouped) <= blocks.GROUPS
    even = np.full(100, 10.0)
    assert blocks.grouped(even, blocks.group_starts(even)).tolist() == [100.0] * 10


def test_limits_are_the_same_every_time_and_narrow_with_rows() -> None:
    counts = np.full(20, 100)
    first = limits(counts, 0, 500, alpha=0.01, name="x")
    assert first == limits(counts, 0, 500, alpha=0.01, name="x")
    larger = limits(counts, 0, 2000, alpha=0.01, name="x")
    assert larger.psi < first.psi
    assert larger.ks < first.ks
    assert limits(counts / 10, 0, 500, alpha=0.01, name="x").psi > first.psi


def frame(random: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "normal": random.normal(size=rows),
            "skewed": random.lognormal(0, 1.5, rows),
            "hour": random.integers(0, 24, rows).astype(float),
            "rare_nulls": np.where(random.uniform(size=rows) < 0.02, np.nan, random.normal(size=rows)),
            "three": random.choice(["a", "b", "c"], rows, p=[0.8, 0.15, 0.05]),
            "thirty": random.choice([f"l{i}" for i in range(30)], rows),
            "two_hundred": random.choice([f"l{i}" for i in range(200)], rows),
            "mostly_zero": np.where(random.uniform(size=rows) < 0.7, 0.0, random.exponential(size=rows)),
        }
    )


def drifted(profile: dict, window: pd.DataFrame, alpha: float) -> list[str]:
    each = each_alpha(profile, alpha)
    scored = [
        comparing.compare(name, column, counted(window[name], column), each)
        for name, column in profile["columns"].items()
    ]
    names = profile["correlations"]["columns"]
    together = joint.compare(profile["correlations"], window[names].to_numpy(dtype=float), names, each)
    pairs = together.drifted if together else []
    return [*(column.name for column in scored if column.drifted), *(pair.name for pair in pairs)]


@pytest.mark.slow
@pytest.mark.parametrize(("reference", "rows"), [(60, 200), (2000, 500)])
def test_no_more_windows_cry_wolf_than_promised(reference: int, rows: int) -> None:
    alpha, references, windows = 0.05, 8, 8
    random = np.random.default_rng(reference + rows)
    alarms = 0
    for _ in range(references):
        profile = build_profile(frame(random, reference))
        for _ in range(windows):
            alarms += bool(drifted(profile, frame(random, rows), alpha))
    # The promise holds unless so many alarms would be seen in fewer than one of a thousand honest runs.
    assert alarms <= stats.binom.ppf(0.999, references * windows, alpha)


def test_planted_shifts_are_found_and_named() -> None:
    random = np.random.default_rng(3)
    profile = build_profile(frame(random, 5000))
    planted = {
        "normal": lambda w: w["normal"] + 0.4,
        "skewed": lambda w: w["skewed"] * 1.5,
        "hour": lambda w: np.minimum(w["hour"], 17),
        "rare_nulls": lambda w: w["rare_nulls"].where(random.uniform(size=len(w)) > 0.08),
        "three": lambda w: w["three"].where(random.uniform(size=len(w)) > 0.1, "c"),
        "thirty": lambda w: w["thirty"].where(random.uniform(size=len(w)) > 0.1, "new level"),
        "mostly_zero": lambda w: w["mostly_zero"].where(random.uniform(size=len(w)) > 0.25, 0.0),
    }
    for name, change in planted.items():
        window = frame(random, 1000)
        window[name] = change(window)
        assert drifted(profile, window, 0.01) == [name]


def test_one_wild_value_neither_blinds_nor_alarms() -> None:
    random = np.random.default_rng(5)
    profile = build_profile(frame(random, 5000))
    calm = frame(random, 1000)
    calm.loc[0, "normal"] = 1e6
    assert drifted(profile, calm, 0.01) == []
    moved = frame(random, 1000)
    moved["normal"] += 0.5
    moved.loc[0, "normal"] = 1e6
    assert drifted(profile, moved, 0.01) == ["normal"]


def test_a_reference_that_wandered_widens_its_limits_and_a_still_one_does_not() -> None:
    random = np.random.default_rng(9)
    level = np.repeat(np.cumsum(random.normal(0, 0.2, 100)) * 0.5, 50)
    still, moved = pd.Series(random.normal(size=5000)), pd.Series(random.normal(size=5000) + level)
    window = counted(pd.Series(random.normal(size=500) + 0.1), describe(still))
    calm = comparing.compare("x", describe(still), window, 0.001)
    wide = comparing.compare("x", describe(moved), window, 0.001)
    assert (calm.moves, wide.moves) == (False, True)
    assert wide.rank_threshold > 2 * calm.rank_threshold
    assert "moved within the reference" in wide.note


def test_a_column_that_surely_moves_by_one_measure_has_wider_limits_by_all() -> None:
    random = np.random.default_rng(8)
    level = np.zeros(10)
    for place in range(1, 10):
        level[place] = 0.6 * level[place - 1] + random.normal(0, 0.08)
    noise = random.normal(size=5000)
    window = counted(pd.Series(random.normal(size=500)), describe(pd.Series(noise)))
    still, moved = (
        comparing.compare("x", describe(pd.Series(one)), window, 0.001)
        for one in (noise, noise + np.repeat(level, 500))
    )
    assert moved.rank_threshold > 1.5 * still.rank_threshold  # by eight standard errors
    assert moved.ks_threshold > 1.5 * still.ks_threshold  # by less than three


def test_a_reference_with_a_trend_has_limits_that_what_is_beyond_it_passes() -> None:
    random = np.random.default_rng(10)
    trend = np.linspace(0, 10, 4000)
    number = describe(pd.Series(trend + random.normal(size=4000)))
    level = describe(pd.Series(np.where(trend < 5, "winter", "spring")))
    for column, within, beyond in (
        (number, random.normal(9, 1, 300), random.normal(30, 1, 300)),
        (level, ["spring"] * 300, ["autumn"] * 300),
    ):
        usual, other = (
            comparing.compare("x", column, counted(pd.Series(one), column), 1e-4) for one in (within, beyond)
        )
        assert usual.moves
        assert (usual.drifted, other.drifted) == (False, True)


def test_a_shift_as_a_whole_is_seen_by_the_rank_shift_before_the_others() -> None:
    random = np.random.default_rng(10)
    profile = describe(pd.Series(random.normal(size=5000)))
    found = comparing.compare("x", profile, counted(pd.Series(random.normal(size=500) + 0.25), profile), 0.001)
    assert found.drifted
    assert found.rank_shift == pytest.approx(stats.norm.cdf(0.25 / np.sqrt(2)) - 0.5, abs=0.03)
    assert found.rank_shift / found.rank_threshold > max(found.psi / found.psi_threshold, found.ks / found.ks_threshold)
