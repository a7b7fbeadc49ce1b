"""Write the sample data: one invented city with hired bikes, hour by hour, and changes whose dates and sizes are known.

Run `python sample_data/generate.py [FOLDER]`. Only the standard library is used, and of `random` only `random()`, whose
sequence Python promises to keep; so every machine writes the same bytes. README.md beside this file tells what is planted.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 20240101
CITY = "harbo"
START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 8_784  # the year 2024, a leap year

GROWTH_PER_DAY = 0.0008  # compound, all the time: +34 % over the year
EXPANSION = datetime(2024, 8, 1, tzinfo=UTC)  # new stations open; hire rises over 31 days
EXPANSION_DAYS = 31
EXPANSION_GAIN = 0.40
WIND_UNIT_CHANGE = datetime(2024, 9, 1, tzinfo=UTC)  # the wind sensor reports m/s instead of km/h
CONCEPT_CHANGE = datetime(2024, 10, 1, tzinfo=UTC)  # covered lanes: rain and cold no longer keep people away
LATE_LABELS = (datetime(2024, 11, 11, tzinfo=UTC), datetime(2024, 11, 14, tzinfo=UTC))  # settled a week later

HOLIDAYS = frozenset({(1, 1), (3, 29), (4, 1), (5, 1), (5, 9), (5, 20), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31)})
NOISE = 0.16  # standard deviation of the log of hire around its expectation
WEATHER_FIELDS = ("city", "time", "temp", "hum", "windspeed", "weathersit")
HIRE_FIELDS = ("city", "time", "hr", "weekday", "workingday", "holiday", "season", "mnth", "cnt", "label_at")
STATION_FIELDS = ("station", "name", "lat", "lon", "docks", "opened")
_COMMUTE = (3, 2, 1, 1, 2, 8, 25, 60, 85, 45, 28, 30, 38, 37, 36, 42, 62, 95, 82, 55, 38, 28, 20, 9)
_LEISURE = (16, 12, 9, 5, 2, 2, 5, 10, 20, 34, 50, 62, 70, 72, 72, 70, 66, 58, 50, 40, 32, 27, 24, 18)


def normal(source: random.Random) -> float:
    """A standard normal number from twelve uniform ones (Irwin-Hall): needs nothing but `random()`."""
    return sum(source.random() for _ in range(12)) - 6.0


def stamp(moment: datetime) -> str:
    """`2024-01-01T00:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def weather_hours(source: random.Random) -> list[dict[str, float]]:
    """Temperature (Celsius), humidity (%), wind (km/h) and situation 1 clear .. 4 storm for every hour, slowly wandering."""
    hours, cold_spell, damp, gust = [], 0.0, 0.0, 0.0
    for index in range(HOURS):
        moment = START + timedelta(hours=index)
        year_angle = 2 * math.pi * (moment.timetuple().tm_yday - 20) / 366
        day_angle = 2 * math.pi * (moment.hour - 4) / 24
        cold_spell = 0.995 * cold_spell + 0.38 * normal(source)
        damp = 0.97 * damp + 0.243 * normal(source)
        gust = 0.93 * gust + 0.367 * normal(source)
        temp = 9.5 - 11.0 * math.cos(year_angle) - 3.5 * math.cos(day_angle) + cold_spell
        hum = min(100.0, max(20.0, 70 - 0.6 * (temp - 10) + 14 * damp))
        wind = max(0.0, 15 + 7 * gust)
        situation = 1 if damp < 0.35 else 2 if damp < 1.1 else 3 if damp < 2.4 else 4
        hours.append({"temp": round(temp, 1), "hum": round(hum), "wind": round(wind, 1), "weathersit": situation})
    return hours


def calendar(moment: datetime) -> dict[str, int]:
    """Hour, weekday (0 is Sunday), working day, holiday, season (1 winter .. 4 autumn) and month, as in the UCI data."""
    holiday = int((moment.month, moment.day) in HOLIDAYS)
    weekday = moment.isoweekday() % 7
    return {
        "hr": moment.hour,
        "weekday": weekday,
        "workingday": int(weekday not in (0, 6) and not holiday),
        "holiday": holiday,
        "season": (moment.month % 12) // 3 + 1,
        "mnth": moment.month,
    }


def expected_hire(moment: datetime, day: dict[str, int], sky: dict[str, float]) -> float:
    """The truth behind the counts: hour profile x growth x expansion x weather effect, the last one changing in October."""
    profile = _COMMUTE if day["workingday"] else _LEISURE
    elapsed = (moment - START).total_seconds() / 86_400
    growth = (1 + GROWTH_PER_DAY) ** elapsed
    opened = min(1.0, max(0.0, (moment - EXPANSION).total_seconds() / 86_400 / EXPANSION_DAYS))
    covered = moment >= CONCEPT_CHANGE
    warmth = 1 / (1 + math.exp(-(sky["temp"] - 9) / 5))
    rain = {1: 1.0, 2: 0.9, 3: 0.5, 4: 0.25}[int(sky["weathersit"])]
    if covered:
        warmth, rain = 0.45 + 0.55 * warmth, rain**0.3
    wind = 1 - 0.006 * sky["wind"]
    return 6.0 * profile[day["hr"]] * growth * (1 + EXPANSION_GAIN * opened) * (0.15 + warmth) * rain * wind


def label_time(moment: datetime) -> datetime:
    """When the count of an hour is known: the next day at 04:00, or a week later for the planted late days."""
    next_day = moment.replace(hour=4) + timedelta(days=1)
    late = LATE_LABELS[0] <= moment < LATE_LABELS[1]
    return next_day + timedelta(days=7) if late else next_day


def stations(source: random.Random) -> list[dict[str, object]]:
    """32 docking stations; the last 12 opened with the expansion."""
    rows: list[dict[str, object]] = []
    for number in range(1, 33):
        lat = 55.60 + 0.06 * (source.random() - 0.5)
        lon = 12.99 + 0.10 * (source.random() - 0.5)
        opened = START - timedelta(days=400) if number <= 20 else EXPANSION + timedelta(days=2 * (number - 21))
        docks = 12 + 2 * int(source.random() * 12)
        name = f"{CITY.title()} {number:02d}"
        rows.append(
            {
                "station": number,
                "name": name,
                "lat": f"{lat:.4f}",
                "lon": f"{lon:.4f}",
                "docks": docks,
                "opened": stamp(opened),
            }
        )
    return rows


def generate(folder: Path) -> list[Path]:
    """Write the three CSV files into `folder`; their paths."""
    source = random.Random(SEED)
    weather, hire = [], []
    for index, sky in enumerate(weather_hours(source)):
        moment = START + timedelta(hours=index)
        day = calendar(moment)
        count = round(expected_hire(moment, day, sky) * math.exp(NOISE * normal(source)))
        reported = sky["wind"] / 3.6 if moment >= WIND_UNIT_CHANGE else sky["wind"]
        key = {"city": CITY, "time": stamp(moment)}
        weather.append(
            {
                **key,
                "temp": sky["temp"],
                "hum": sky["hum"],
                "windspeed": f"{reported:.1f}",
                "weathersit": sky["weathersit"],
            }
        )
        hire.append({**key, **day, "cnt": count, "label_at": stamp(label_time(moment))})
    return [
        _write(folder / "hourly_weather.csv", WEATHER_FIELDS, weather),
        _write(folder / "hourly_hire.csv", HIRE_FIELDS, hire),
        _write(folder / "stations.csv", STATION_FIELDS, stations(source)),
    ]


def _write(path: Path, fields: tuple[str, ...], rows: list[dict[str, object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


if __name__ == "__main__":
    for written in generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent):
        print(f"{written} {written.stat().st_size:,} bytes")
