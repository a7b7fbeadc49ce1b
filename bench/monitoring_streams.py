"""Streams with known drift, made of river's generators: what a detector cries while nothing changes, and when it sees a change.

Each stream is ten reference windows and forty later ones of 500 rows. A run passes with at most one window of false alarm
before the change and a first alarm within three windows of it (ten for gradual changes).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

ROWS, REFERENCE, WINDOWS = 500, 10, 40
GRADUAL = 10


@dataclasses.dataclass(frozen=True)
class Stream:
    """`frame` has inputs only, in order; `target` the true values; the change is at window `at` after the reference, or never."""

    name: str
    frame: pd.DataFrame
    target: np.ndarray[Any, Any]
    at: int | None = None
    within: int = 3
    concept: bool = False

    def reference(self) -> pd.DataFrame:
        """The first ten windows."""
        return self.frame.iloc[: REFERENCE * ROWS]

    def windows(self) -> Iterator[pd.DataFrame]:
        """The forty after them."""
        for place in range(REFERENCE, REFERENCE + WINDOWS):
            yield self.frame.iloc[place * ROWS : (place + 1) * ROWS]


def take(generator: Any, rows: int) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Rows of a river generator."""
    pairs = list(generator.take(rows))
    return pd.DataFrame([x for x, _ in pairs]).rename(columns=str), np.array([y for _, y in pairs])


def base(kind: str, seed: int, **options: Any) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """All rows of a stationary stream; Agrawal's whole numbers of few values are its categories."""
    from river.datasets import synth

    total = ROWS * (REFERENCE + WINDOWS)
    makers: dict[str, Callable[[], Any]] = {
        "sea": lambda: synth.SEA(seed=seed, noise=0.05, **options),
        "agrawal": lambda: synth.Agrawal(
            seed=seed, classification_function=options.get("function", 0), perturbation=0.05
        ),
        "hyperplane": lambda: synth.Hyperplane(seed=seed, n_features=10, noise_percentage=0.05),
        "rbf": lambda: synth.RandomRBF(seed_model=seed, seed_sample=seed + 1, n_features=6),
        "waveform": lambda: synth.Waveform(seed=seed, has_noise=True),
        "friedman": lambda: synth.Friedman(seed=seed),
    }
    frame, target = take(makers[kind](), total)
    if kind == "agrawal":
        frame = frame.assign(
            elevel=frame["elevel"].astype(int), car=frame["car"].astype(int), zipcode=frame["zipcode"].astype(int)
        )
    if kind == "waveform":
        frame = frame.iloc[:, :30]
    return frame, target


def start(at: int) -> int:
    """The first row of window `at` after the reference."""
    return (REFERENCE + at) * ROWS


Made = tuple[pd.DataFrame, np.ndarray[Any, Any]]


def still(kind: str) -> Callable[[int, np.random.Generator], Stream]:
    """Nothing changes."""
    return lambda seed, random: Stream(f"{kind}, still", *base(kind, seed))


def seasonal(seed: int, random: np.random.Generator) -> Stream:
    """Two columns follow a cycle of five windows; the reference has two cycles."""
    frame, target = base("hyperplane", seed)
    turn = np.sin(np.arange(len(frame)) / (5 * ROWS) * 2 * np.pi)
    return Stream("seasonal", frame.assign(**{"0": frame["0"] + 0.3 * turn, "1": frame["1"] + 0.1 * turn}), target)


def wandering(seed: int, random: np.random.Generator) -> Stream:
    """Two columns wander: an autoregressive level per 50 rows that comes back within about three windows."""
    frame, target = base("sea", seed)
    steps = len(frame) // 50
    for name in frame.columns[:2]:
        level = np.zeros(steps)
        for place in range(1, steps):
            level[place] = 0.97 * level[place - 1] + random.normal(0, 0.2)
        frame[name] = frame[name] + np.repeat(level, 50)
    return Stream("wandering", frame, target)


def heavy(seed: int, random: np.random.Generator) -> Stream:
    """Log-normal and Cauchy columns, a rare category, a column that is mostly nought."""
    frame, target = base("sea", seed)
    n = len(frame)
    frame = frame.assign(
        money=random.lognormal(3, 1.5, n),
        ratio=random.standard_cauchy(n),
        kind=random.choice(["a", "b", "c", "d"], n, p=[0.9, 0.08, 0.015, 0.005]),
        zero=np.where(random.uniform(size=n) < 0.9, 0.0, random.exponential(size=n)),
        gaps=np.where(random.uniform(size=n) < 0.03, np.nan, random.normal(size=n)),
    )
    return Stream("heavy tails, still", frame, target)


def shifted(
    kind: str, by: float, *, wild: bool = False, name: str = ""
) -> Callable[[int, np.random.Generator], Stream]:
    """One numeric column moves by so many standard deviations at once; `wild` adds one value of a million per window."""

    def made(seed: int, random: np.random.Generator) -> Stream:
        frame, target = base(kind, seed)
        at = int(random.integers(15, 24))
        numeric = [one for one in frame.columns if frame[one].dtype.kind == "f"]
        column = str(random.choice(numeric))
        values = frame[column].to_numpy(dtype=float, copy=True)
        values[start(at) :] += by * values.std()
        if wild:
            values[:: ROWS // 2] = 1e6
        return Stream(
            name or f"{kind}, {by:g} sd in one of {frame.shape[1]}", frame.assign(**{column: values}), target, at
        )

    return made


def gradual(seed: int, random: np.random.Generator) -> Stream:
    """One column moves by one standard deviation over ten windows."""
    frame, target = base("hyperplane", seed)
    at = int(random.integers(15, 24))
    ramp = np.clip((np.arange(len(frame)) - start(at)) / (10 * ROWS), 0, 1)
    return Stream(
        "gradual, 1 sd over 10 windows",
        frame.assign(**{"3": frame["3"] + frame["3"].std() * ramp}),
        target,
        at,
        GRADUAL,
    )


def correlation(seed: int, random: np.random.Generator) -> Stream:
    """Two columns that went together (0.6) part; each for itself stays as it was."""
    frame, target = base("sea", seed)
    at = int(random.integers(15, 24))
    common = random.normal(size=len(frame))
    first = 0.775 * common + 0.632 * random.normal(size=len(frame))
    second = 0.775 * common + 0.632 * random.normal(size=len(frame))
    second[start(at) :] = random.permutation(second[start(at) :])
    return Stream("correlation only", frame.assign(a=first, b=second), target, at)


def labels(seed: int, random: np.random.Generator) -> Stream:
    """The share of positives goes from a half to four fifths; inputs given the class stay as they were."""
    frame, target = base("waveform", seed)
    at = int(random.integers(15, 24))
    cut = start(at)
    order = np.arange(len(frame))
    later = order[cut:]
    weights = np.where(target[later] == 0, 4.0, 1.0)
    order[cut:] = random.choice(later, len(later), p=weights / weights.sum())
    return Stream("label shift", frame.iloc[order].reset_index(drop=True), target[order], at)


def nulls(seed: int, random: np.random.Generator) -> Stream:
    """A tenth of one column is missing."""
    frame, target = base("hyperplane", seed)
    at = int(random.integers(15, 24))
    gone = (np.arange(len(frame)) >= start(at)) & (random.uniform(size=len(frame)) < 0.1)
    return Stream("10 % missing", frame.assign(**{"2": frame["2"].where(~gone)}), target, at)


def unit(seed: int, random: np.random.Generator) -> Stream:
    """One column comes in thousandths for a quarter of the rows."""
    frame, target = base("agrawal", seed)
    at = int(random.integers(15, 24))
    other = (np.arange(len(frame)) >= start(at)) & (random.uniform(size=len(frame)) < 0.25)
    return Stream(
        "unit change in a quarter",
        frame.assign(salary=np.where(other, frame["salary"] / 1000, frame["salary"])),
        target,
        at,
    )


def category(seed: int, random: np.random.Generator) -> Stream:
    """A twentieth of a category is one never seen."""
    frame, target = base("agrawal", seed)
    at = int(random.integers(15, 24))
    other = (np.arange(len(frame)) >= start(at)) & (random.uniform(size=len(frame)) < 0.05)
    return Stream("new category, 5 %", frame.assign(car=np.where(other, 99, frame["car"])), target, at)


def concept(
    name: str, kind: str, before: dict[str, Any], after: dict[str, Any], over: int = 0
) -> Callable[[int, np.random.Generator], Stream]:
    """What follows from the inputs changes, the inputs do not."""

    def made(seed: int, random: np.random.Generator) -> Stream:
        at = int(random.integers(15, 24))
        frame, target = base(kind, seed, **before)
        _, other = base(kind, seed, **after)
        ramp = (
            np.clip((np.arange(len(frame)) - start(at)) / (over * ROWS), 0, 1)
            if over
            else np.arange(len(frame)) >= start(at)
        )
        changed = random.uniform(size=len(frame)) < ramp
        return Stream(name, frame, np.where(changed, other, target), at, GRADUAL if over else 3, concept=True)

    return made


STREAMS: tuple[Callable[[int, np.random.Generator], Stream], ...] = (
    still("sea"),
    still("agrawal"),
    still("hyperplane"),
    still("rbf"),
    still("waveform"),
    heavy,
    seasonal,
    wandering,
    shifted("sea", 0.5),
    shifted("agrawal", 0.5),
    shifted("hyperplane", 0.2),
    shifted("waveform", 0.5),
    shifted("rbf", 0.5, wild=True, name="rbf, 0.5 sd beside wild values"),
    gradual,
    correlation,
    labels,
    nulls,
    unit,
    category,
    concept("concept, abrupt", "sea", {"variant": 0}, {"variant": 2}),
    concept("concept, other rule", "agrawal", {"function": 0}, {"function": 3}),
    concept("concept, gradual", "sea", {"variant": 0}, {"variant": 2}, over=5),
)


def streams(seed: int) -> Iterator[Stream]:
    """Every stream of one seed."""
    for place, make in enumerate(STREAMS):
        yield make(seed, np.random.default_rng([seed, place]))


@dataclasses.dataclass
class Tally:
    """What one detector did over streams."""

    runs: int = 0
    passed: int = 0
    calm: int = 0
    false: int = 0
    changed: int = 0
    found: int = 0
    delays: list[int] = dataclasses.field(default_factory=list)
    failed: list[str] = dataclasses.field(default_factory=list)

    def add(self, stream: Stream, alarms: list[bool], seed: int) -> None:
        """Count a run; `alarms` has one entry per window after the reference."""
        before = alarms if stream.at is None else alarms[: stream.at]
        self.runs += 1
        self.calm += len(before)
        self.false += sum(before)
        good = sum(before) <= 1
        if stream.at is not None:
            self.changed += 1
            delay = next((place for place, alarm in enumerate(alarms[stream.at :]) if alarm), None)
            if delay is not None:
                self.delays.append(delay)
            hit = delay is not None and delay < stream.within
            self.found += hit
            good = good and hit
        self.passed += good
        if not good:
            self.failed.append(f"{stream.name} ({seed})")
