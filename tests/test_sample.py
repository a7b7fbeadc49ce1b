"""The sample files are what the generator writes; real bike data takes their shape."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pandas as pd
import pytest

from mlops_tui import bike
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.sample import quick_start, sample_path

REAL = Path(os.environ.get("MLOPS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "bike_hour.csv"
HEADER = "instant,dteday,season,yr,mnth,hr,holiday,weekday,workingday,weathersit,temp,atemp,hum,windspeed,casual,registered,cnt"


def test_the_generator_writes_the_committed_files_byte_for_byte(tmp_path):
    generate = runpy.run_path(str(sample_path("stations.csv").with_name("generate.py")))["generate"]
    written = generate(tmp_path)
    assert [path.name for path in written] == ["hourly_weather.csv", "hourly_hire.csv", "stations.csv"]
    for path in written:
        assert path.read_bytes() == sample_path(path.name).read_bytes(), (
            f"{path.name} differs: run sample_data/generate.py"
        )
    assert sum(path.stat().st_size for path in written) < 1_000_000


def test_the_planted_changes_are_in_the_data():
    data = bike.read_sample()
    joined = data.hire.merge(data.weather, on=["city", "time"])
    month = joined.groupby(joined["time"].dt.month)
    wind = month["windspeed"].mean()
    assert wind[8] / wind[9] > 3  # km/h became m/s
    # same weather band, same hours: the expansion and the growth show in the counts
    mild = joined[(joined["temp"].between(12, 18)) & (joined["weathersit"] == 1) & (joined["workingday"] == 1)]
    level = mild.groupby(mild["time"].dt.month)["cnt"].mean()
    assert level[9] / level[5] > 1.35
    rainy = joined[joined["weathersit"] == 3].groupby("mnth")["cnt"].mean() / month["cnt"].mean()
    assert rainy[11] > rainy[5] + 0.1
    late = data.hire["label_at"] - data.hire["time"]
    assert set(data.hire["time"][late > pd.Timedelta(days=3)].dt.strftime("%m-%d")) == {"11-11", "11-12", "11-13"}


def test_a_sample_file_that_is_not_there_names_the_nearest():
    with pytest.raises(NotFound) as caught:
        sample_path("hourly_hires.csv")
    assert "hourly_hire.csv" in caught.value.hint
    with pytest.raises(NotFound):
        sample_path("../pyproject.toml")


@pytest.mark.parametrize("name", ["iris", "linnerud", "diabetes"])
def test_bundled_sets_have_a_key_and_plain_column_names(name):
    frame = quick_start(name)
    assert frame["id"].is_unique
    assert all(column.replace("_", "").isalnum() for column in frame.columns)
    assert any(column.startswith("target") for column in frame.columns)
    with pytest.raises(NotFound):
        quick_start("titanic")


@pytest.mark.parametrize("day", ["1/2/2011", "2011-01-02"])
def test_both_date_styles_of_the_real_file_are_read(tmp_path, day):
    path = tmp_path / "hour.csv"
    path.write_text(f"{HEADER}\n1,{day},1,0,1,5,0,0,0,2,0.5,0.5,0.8,0.1,3,13,16\n")
    data = bike.read_bike_hour(path)
    assert data.hire["time"][0] == pd.Timestamp("2011-01-02T05:00Z")
    assert data.hire["label_at"][0] == pd.Timestamp("2011-01-03T04:00Z")
    assert data.weather.iloc[0][["temp", "hum", "windspeed"]].tolist() == [15.5, 80.0, 6.7]
    assert data.train_until == pd.Timestamp("2012-01-01T00:00Z")
    sample = bike.read_sample()
    assert list(sample.weather.columns) == list(data.weather.columns)
    assert list(sample.hire.columns) == list(data.hire.columns)
    assert list(sample.hire.dtypes)[1:] == list(data.hire.dtypes)[1:]


def test_a_file_that_is_not_the_bike_file_is_refused(tmp_path):
    with pytest.raises(NotFound):
        bike.read_bike_hour(tmp_path / "none.csv")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="dteday"):
        bike.read_bike_hour(other)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(InvalidInput, match="cannot be read"):
        bike.read_bike_hour(empty)
    odd = tmp_path / "odd.csv"
    odd.write_text(f"{HEADER}\n1,soon,1,0,1,5,0,0,0,2,0.5,0.5,0.8,0.1,3,13,16\n")
    with pytest.raises(InvalidInput, match="dates"):
        bike.read_bike_hour(odd)


@pytest.mark.skipif(not REAL.exists(), reason="the real bike data is not here")
def test_the_real_file_becomes_one_row_an_hour():
    data = bike.read_bike_hour(REAL)
    assert len(data.hire) == len(data.weather) == 17_379
    assert data.hire["time"].is_unique
    assert data.hire["cnt"].sum() == 3_292_679
