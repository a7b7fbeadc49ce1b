"""Hourly bike hire, invented or real, as two feature tables: the weather, and the hire with its late labels.

`hourly_weather` (keys city; time) holds what a forecast would give; `hourly_hire` (keys city; time; created label_at) holds
the calendar and the target `cnt`. Joining the weather to the hire by city and time makes the training set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.sample import sample_path

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("city",)
TIME = "time"
LABEL_TIME = "label_at"
TARGET = "cnt"
CALENDAR = ("hr", "weekday", "workingday", "holiday", "season", "mnth")
WEATHER = ("temp", "hum", "windspeed", "weathersit")

_UCI = (
    "dteday",
    "hr",
    "season",
    "mnth",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "hum",
    "windspeed",
    "cnt",
)
_LABEL_HOUR = 4  # the count of a day is settled the next morning


@dataclass(frozen=True)
class BikeData:
    """Two frames that a point-in-time join brings together, and the time at which a first model may be trained.

    Rows before `train_until` are history; the rest is replayed as live traffic, month by month. Both frames have one row
    an hour, in time order, with `city` (text) and `time` (UTC, microseconds).
    """

    weather: pd.DataFrame  # city, time, temp (Celsius), hum (%), windspeed (km/h), weathersit
    hire: pd.DataFrame  # city, time, hr, weekday, workingday, holiday, season, mnth, cnt, label_at
    train_until: pd.Timestamp
    source: str


def read_sample() -> BikeData:
    """The invented city of sample_data/; the first model is trained on January to June 2024."""
    import pandas as pd

    weather = pd.read_csv(sample_path("hourly_weather.csv"))
    hire = pd.read_csv(sample_path("hourly_hire.csv"))
    for frame, column in ((weather, TIME), (hire, TIME), (hire, LABEL_TIME)):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    return BikeData(weather, hire, pd.Timestamp("2024-07-01", tz="UTC"), "sample_data (CC0)")


def read_bike_hour(path: Path | str) -> BikeData:
    """The UCI Bike Sharing file `hour.csv` / `bike_hour.csv` (Washington DC, 2011-2012) in the shape of the sample.

    `dteday` is m/d/yyyy or yyyy-mm-dd depending on the copy. Its local clock hours are taken as UTC: the file skips and
    repeats no hour, so nothing moves against each other. The scaled weather is brought back to units with the published
    bounds: temp * 47 - 8 Celsius, hum * 100 %, windspeed * 67 km/h. The file does not say when a count was known; the next
    morning at 04:00 is assumed, as in the sample. The first model is trained on 2011.
    Raises NotFound, InvalidInput.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise NotFound(
            f"There is no file {path}.", hint="Get hour.csv from the UCI Machine Learning Repository, Bike Sharing."
        )
    try:
        raw = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path.name} cannot be read as CSV: {error}.", hint="Use the hourly file of Bike Sharing."
        ) from error
    missing = [name for name in _UCI if name not in raw.columns]
    if missing:
        raise InvalidInput(
            f"{path.name} lacks the columns {', '.join(missing)}.",
            hint="Use the hourly file of Bike Sharing, not day.csv.",
        )
    slashes = raw["dteday"].astype("string").str.contains("/", regex=False).all()
    try:
        day = pd.to_datetime(raw["dteday"], format="%m/%d/%Y" if slashes else "%Y-%m-%d", utc=True)
    except ValueError as error:
        raise InvalidInput(
            f"{path.name} has dates that cannot be read: {error}.", hint="dteday is m/d/yyyy or yyyy-mm-dd."
        ) from error
    raw["city"] = "washington"
    raw[TIME] = (day + pd.to_timedelta(raw["hr"], unit="h")).dt.as_unit("us")
    raw[LABEL_TIME] = (day + pd.Timedelta(days=1, hours=_LABEL_HOUR)).dt.as_unit("us")
    raw["temp"] = (raw["temp"] * 47 - 8).round(2)
    raw["hum"] = (raw["hum"] * 100).round(1)
    raw["windspeed"] = (raw["windspeed"] * 67).round(2)
    raw = raw.sort_values(TIME, ignore_index=True)
    first_year = pd.Timestamp(year=int(raw[TIME].iloc[0].year) + 1, month=1, day=1, tz="UTC")
    weather = raw[["city", TIME, *WEATHER]].copy()
    hire = raw[["city", TIME, *CALENDAR, TARGET, LABEL_TIME]].copy()
    return BikeData(weather, hire, first_year, f"{path.name} (UCI Bike Sharing, CC BY 4.0)")
