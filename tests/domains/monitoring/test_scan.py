"""One pass of the data engine counts what pandas counts, and says what does not belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.monitoring import apart, joint, quality, seasons
from mlops_tui.domains.monitoring.compare import compare
from mlops_tui.domains.monitoring.counting import counted
from mlops_tui.domains.monitoring.scan import Scan, Source, scan
from mlops_tui.domains.registry.profile import build_profile

HOUR = 3_600_000


@pytest.fixture
def lake(workbench: Any) -> Any:
    return workbench.context.lake


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": random.normal(size=rows),
            "whole": random.integers(0, 100, rows),
            "kind": random.choice(["a", "b", "it's", ""], rows),
            "flag": random.uniform(size=rows) < 0.3,
            "few": random.integers(1, 4, rows).astype(float),
            "same": np.full(rows, 2.5),
            "gaps": np.where(random.uniform(size=rows) < 0.2, np.nan, random.normal(size=rows)),
        }
    )


def scanned(lake: Any, tmp_path: Any, window: pd.DataFrame, profile: dict[str, Any], **options: Any) -> dict[Any, Scan]:
    path = tmp_path / "window.parquet"
    window.to_parquet(path)
    reference = {name: (name, column) for name, column in profile["columns"].items()}
    return scan(lake, Source("SELECT * FROM read_parquet(?)", (str(path),)), reference, **options)


def test_a_scan_counts_what_counting_in_memory_counts(lake: Any, tmp_path: Any) -> None:
    profile = build_profile(frame(2000))
    window = frame(500, seed=1).assign(x=lambda rows: rows["x"] * 2)
    window.loc[:3, "x"] = [np.inf, -np.inf, np.nan, 1e9]
    found = scanned(lake, tmp_path, window, profile)[None]
    assert found.rows == 500
    for name, column in profile["columns"].items():
        mine, expected = found.columns[name], counted(window[name], column)
        assert mine.counts.tolist() == expected.counts.tolist(), name
        assert (mine.nulls, mine.wrong, mine.infinite, mine.outside) == (
            expected.nulls,
            expected.wrong,
            expected.infinite,
            expected.outside,
        ), name
        if column["kind"] == "numeric":
            assert (mine.mean, mine.below, mine.above) == pytest.approx((expected.mean, expected.below, expected.above))


def test_texts_among_numbers_are_missing_and_counted_as_wrong(lake: Any, tmp_path: Any) -> None:
    profile = build_profile(frame(2000)[["x"]])
    window = frame(100)[["x"]].astype(str)
    window.loc[:4, "x"] = "about three"
    column = scanned(lake, tmp_path, window, profile)[None].columns["x"]
    assert (column.nulls, column.wrong, int(column.counts.sum())) == (5, 5, 95)


def test_groups_are_scanned_in_one_pass_and_columns_that_are_gone_left_out(lake: Any, tmp_path: Any) -> None:
    profile = build_profile(frame(2000))
    window = frame(300).drop(columns="whole").assign(part=[0, 1, 2] * 100)
    found = scanned(lake, tmp_path, window, profile, group="part", sampled=["x", "gaps", "whole"])
    assert list(found) == [0, 1, 2]
    assert all(one.rows == 100 and one.sample.shape == (100, 2) for one in found.values())
    assert "whole" not in found[0].columns


def test_columns_that_part_are_seen_though_each_stays_as_it_was() -> None:
    random = np.random.default_rng(1)
    common = random.normal(size=4000)
    before = pd.DataFrame({name: common + random.normal(size=4000) for name in "abc"})
    known = build_profile(before)["correlations"]
    after = before.head(500).to_numpy(copy=True)
    assert joint.compare(known, after, ["a", "b", "c"], 0.01).drifted == []
    after[:, 2] = random.permutation(after[:, 2])
    found = joint.compare(known, after, ["a", "b", "c"], 0.01)
    assert {pair.name for pair in found.drifted} == {"a with c", "b with c"}
    assert joint.compare(known, after[:10], ["a", "b", "c"], 0.01) is None


def test_malformed_requests_are_told_and_well_formed_ones_are_not(lake: Any, tmp_path: Any) -> None:
    profile = build_profile(frame(5000))
    columns = profile["columns"]
    calm = scanned(lake, tmp_path, frame(400, seed=2), profile)[None]
    assert not [one for one in quality.check(columns, calm, [], 0.01) if one.failed]
    window = frame(400, seed=3)
    window.loc[:40, "x"] = np.nan
    window.loc[:40, "whole"] = 5000
    window.loc[:40, "kind"] = "never"
    window.loc[:40, "gaps"] = np.inf
    found = quality.check(columns, scanned(lake, tmp_path, window, profile)[None], ["flag"], 0.01)
    failed = {(one.column, one.check) for one in found if one.failed}
    assert failed == {
        ("x", "missing"),
        ("whole", "range"),
        ("kind", "unseen"),
        ("gaps", "infinite"),
        ("flag", "missing"),
    }


def test_quality_fails_in_no_more_windows_than_promised() -> None:
    alpha, failed, windows = 0.05, 0, 90
    for seed in range(3):
        profile = build_profile(frame(600, seed=seed))["columns"]
        for place in range(windows // 3):
            window = frame(200, seed=100 * seed + place + 1)
            found = Scan(
                200, {name: counted(window[name], column) for name, column in profile.items()}, np.empty((0, 0))
            )
            failed += any(one.failed for one in quality.check(profile, found, [], alpha))
    assert failed <= 11  # more than that of 90 would be seen in fewer than one of 1000 honest runs


def test_volume_and_freshness_are_held_against_the_windows_before() -> None:
    rates = [100.0] * 6
    assert quality.traffic(100, 0, HOUR, HOUR, rates) == [quality.Quality("", "volume", 100.0, 100.0, 1000.0)]
    assert [one.failed for one in quality.traffic(2000, 0, HOUR, HOUR, rates)] == [True]
    assert [one.check for one in quality.traffic(100, 0, HOUR, 20 * HOUR, [])] == ["freshness"]
    assert quality.traffic(0, None, None, HOUR, rates) == []


def test_clocks_that_run_ahead_are_told(lake: Any, tmp_path: Any) -> None:
    times = pd.DataFrame({"at": pd.to_datetime(np.arange(200) * 60, unit="s", utc=True)})
    profile = build_profile(times)["columns"]
    path = tmp_path / "times.parquet"
    times.to_parquet(path)
    reference = {"at": ("at", profile["at"])}
    found = scan(lake, Source("SELECT * FROM read_parquet(?)", (str(path),)), reference)[None]
    assert quality.check(profile, found, [], 0.01, until=200 * 60_000) == []
    (check,) = quality.check(profile, found, [], 0.01, until=60 * 60_000)
    assert (check.check, check.failed) == ("clock", True)


def test_a_season_is_forgiven_and_what_differs_from_it_is_not(lake: Any, tmp_path: Any) -> None:
    random = np.random.default_rng(4)
    hours = np.arange(24 * 21) * HOUR
    at = np.repeat(hours, 10) + random.integers(0, HOUR, 10 * len(hours))
    night = (at // HOUR) % 24 < 6
    log = pd.DataFrame({"id": np.arange(len(at)), "at": at, "version": 1, "status": 200})
    log["temp"] = random.normal(size=len(at)) + np.where(night, -3.0, 0.0)
    path = tmp_path / "log.parquet"
    log.to_parquet(path)
    profile = build_profile(pd.DataFrame({"temp": random.normal(size=3000)}))["columns"]["temp"]
    wanted = {"temp": ("temp", profile)}
    window = (20 * 24 * HOUR, 20 * 24 * HOUR + 5 * HOUR)
    season = seasons.same_times(lake, [path], 1, wanted, window, window[0])
    assert "the same hours of the day" in season.says  # of the week there are too few answers
    short = seasons.same_times(lake, [path], 1, wanted, (HOUR, 2 * HOUR), HOUR)
    assert short.scans == ()
    assert "two weeks" in short.says
    week = (11 * 24 * HOUR, 20 * 24 * HOUR)
    whole = seasons.same_times(lake, [path], 1, wanted, week, week[0])
    assert (whole.scans, "the same months; 11 days lie before it" in whole.says) == ((), True)
    usual = counted(pd.Series(random.normal(size=300) - 3), profile)
    scored = compare("temp", profile, usual, 0.001)
    assert scored.drifted
    again = counted(pd.Series(random.normal(size=300) - 3), profile)
    assert seasons.forgiven("temp", profile, again, scored, season, 0.001)[0]
    colder = counted(pd.Series(random.normal(size=300) - 4), profile)
    assert not seasons.forgiven("temp", profile, colder, compare("temp", profile, colder, 0.001), season, 0.001)[0]


def test_of_a_window_longer_than_a_week_the_same_months_are_looked_at(lake: Any, tmp_path: Any) -> None:
    days = np.arange(3 * 365) * 24 * HOUR  # from January 1970
    log = pd.DataFrame(
        {"id": np.arange(len(days) * 10), "at": np.repeat(days, 10), "version": 1, "status": 200, "x": 0.5}
    )
    path = tmp_path / "years.parquet"
    log.to_parquet(path)
    profile = build_profile(pd.DataFrame({"x": np.linspace(0, 1, 500)}))["columns"]["x"]
    window = (int(days[1000]), int(days[1030]))  # from the end of September to that of October
    season = seasons.same_times(lake, [path], 1, {"x": ("x", profile)}, window, window[0])
    assert "the same months, over 1000 days" in season.says
    assert sum(one.rows for one in season.scans) == 10 * (30 + 30 + 26 + 31 + 31)


def test_a_classifier_tells_a_window_apart_by_the_columns_that_moved() -> None:
    before, window = frame(150)[["x", "kind"]], frame(120, seed=5)[["x", "kind"]]
    assert not apart.tell(before, window, "before").told
    moved = apart.tell(before, window.assign(x=window["x"] + 2), "before")
    assert moved.told
    assert next(iter(moved.columns)) == "x"
    with pytest.raises(InvalidInput, match="needs 60"):
        apart.tell(before, window.head(10), "before")


def test_the_empty_text_is_a_level_beside_texts_of_one_odd_character(lake: Any, tmp_path: Any) -> None:
    window = pd.DataFrame({"kind": ["", "\x01", "=", "=", "\x00nul", "it's", '"', "%s", "a\nb", "日本"] * 30})
    profile = build_profile(window)
    found = scanned(lake, tmp_path, window, profile)[None].columns["kind"]
    assert found.counts.tolist() == counted(window["kind"], profile["columns"]["kind"]).counts.tolist()
    assert found.counts[-1] == 0


def test_numbers_of_half_the_width_are_counted_as_those_of_the_profile(lake: Any, tmp_path: Any) -> None:
    window = pd.DataFrame({"x": np.random.default_rng(5).normal(size=300).astype("float32")})
    profile = build_profile(window)
    found = scanned(lake, tmp_path, window, profile)[None].columns["x"]
    assert found.outside == 0
    assert found.counts.tolist() == profile["columns"]["x"]["counts"]


def test_times_are_logged_as_texts_and_what_lacks_them_is_told(lake: Any, tmp_path: Any) -> None:
    times = pd.DataFrame({"at": pd.to_datetime(np.arange(200) * 60, unit="s", utc=True)})
    profile = build_profile(times)["columns"]
    sent = pd.DataFrame({"at": ["1970-01-01T02:00:00+02:00", "1970-01-01T03:00", None, None] * 50})
    found = scanned(lake, tmp_path, sent, {"columns": profile})[None]
    assert (found.columns["at"].least, found.columns["at"].most, found.columns["at"].nulls) == (0, 10_800, 100)
    assert [one.check for one in quality.check(profile, found, [], 0.01, until=10_800_000)] == ["missing"]
    assert [one.check for one in quality.check(profile, found, [], 0.01, until=3_600_000)] == ["missing", "clock"]
    ahead = 10_800_000 - 2 * 86_400_000  # what is about next week is no clock's mistake
    assert [one.check for one in quality.check(profile, found, [], 0.01, until=ahead)] == ["missing"]


def test_what_the_training_data_had_of_infinite_numbers_is_no_news(lake: Any, tmp_path: Any) -> None:
    random = np.random.default_rng(6)
    before, now = (
        pd.DataFrame({"x": np.where(random.uniform(size=500) < 0.1, np.inf, random.normal(size=500))}) for _ in range(2)
    )
    profile = build_profile(before)
    found = scanned(lake, tmp_path, now, profile)[None]
    assert not [one for one in quality.check(profile["columns"], found, [], 0.01) if one.failed]


def test_pairs_are_not_held_against_a_handful_of_rows() -> None:
    random = np.random.default_rng(7)
    rows = random.normal(size=(400, 8))
    for reference, compared in ((5, False), (99, False), (100, True)):
        known = build_profile(pd.DataFrame(random.normal(size=(reference, 8))))["correlations"]
        assert (joint.compare(known, rows, known["columns"], 0.01) is not None) is compared


def test_pairs_that_go_closely_together_cry_wolf_no_oftener_than_promised() -> None:
    random, cries = np.random.default_rng(8), 0

    def rows(number: int) -> Any:
        return 3 * random.normal(size=(number, 1)) + random.normal(size=(number, 6))

    for _ in range(5):
        known = build_profile(pd.DataFrame(rows(1500)))["correlations"]
        for _ in range(30):
            cries += bool(joint.compare(known, rows(50), known["columns"], 0.02).drifted)
    assert cries <= 10  # of 150; more would be seen in fewer than one of 1000 honest runs
