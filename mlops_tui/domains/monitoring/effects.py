"""What a move did to the answers: the model is asked again with the column as it would be had it not moved.

`told` is what is asked; it runs in the process of `registry/aside.py`, as everything here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.monitoring.explained import Effect
from mlops_tui.domains.monitoring.undoing import undone
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.engines.reference import FrameEngine
from mlops_tui.domains.registry.profile import level_text

SEED = 3
LOOKED_AT = 6
UNKNOWN_SHARE = 0.05
"""What a column counts at least, that the model hardly looks at: it may be what is wrong with the data all the same."""


def told(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Ask the model of a package what the moves of columns did: `sizes` by name, the rows of the log as the frame `window`,
    `profile`, and `importance` by column ({} where none was kept, then `reliance` is found in its place).

    Gives `effects` of those of the most weight by name, of all these `together`, and in `notes` what could not be said. Raises
    Unavailable or InvalidInput where it cannot be loaded.
    """
    asked = Asked.of(folder, order["profile"])
    found: dict[str, Any] = {"reliance": {}, "effects": {}, "together": None, "notes": []}
    importance = order["importance"]
    try:
        if not importance:
            importance = found["reliance"] = asked.reliance()
    except WorkbenchError as error:
        found["notes"].append(unasked(error))
    names = sorted(order["sizes"], key=lambda name: -weight(order["sizes"][name], name, importance))[:LOOKED_AT]
    try:
        if len(order["window"]):
            effects, together, notes = asked.effects(order["window"], names)
            found["effects"] = {name: dataclasses.asdict(one) for name, one in effects.items()}
            found["together"] = dataclasses.asdict(together) if together else None
            found["notes"] += notes
    except WorkbenchError as error:
        found["notes"].append(unasked(error))
    return found


def weight(size: float, name: str, importance: Mapping[str, float]) -> float:
    """How much the move of a column matters: how far it went times how much the model looks at the column, where that is known."""
    return size * (UNKNOWN_SHARE + importance.get(name, 0.0) if importance else 1.0)


def unasked(error: WorkbenchError) -> str:
    """What a report says where it has nothing from the model."""
    return f"The model could not be asked: {error.message}"


class Asked:
    """A model that is asked about rows as they are and as they might have been."""

    def __init__(
        self, engine: FrameEngine, described: dict[str, Any], profile: dict[str, Any], sample: pd.DataFrame
    ) -> None:
        self._engine = engine
        self._sample = sample
        self._described = described
        self._columns: dict[str, Any] = profile["columns"]
        self._labels = [level_text(label) for label in described.get("labels") or ()]

    @classmethod
    def of(cls, folder: Path, profile: dict[str, Any]) -> Asked:
        """The model of a package. Raises Unavailable or InvalidInput where it cannot be loaded."""
        described = package.signature(folder)
        sample, estimator = package.sample(folder), package.load(folder)
        try:
            engine = FrameEngine(estimator, described, sample)  # which asks it
        except Exception as error:  # the model's own code
            raise _failed(error) from error
        return cls(engine, described, profile, sample)

    def reliance(self) -> dict[str, float]:
        """How much the answers to the rows of the package depend on each column, as shares: how far they go when it is mixed up.

        It takes the place of importances where the version kept none; it says what the model looks at, not whether that is right.
        """
        random = np.random.default_rng(SEED)
        rows = self._sample[[one["name"] for one in self._described["inputs"]]]
        value, said = self._ask(rows)
        found = {}
        for name in rows.columns:
            mixed = rows.assign(**{str(name): rows[name].iloc[random.permutation(len(rows))].to_numpy()})
            other, other_said = self._ask(mixed)
            moved = np.abs(value - other) if said is None else (said != other_said)
            found[str(name)] = float(np.mean(moved))
        total = sum(found.values())
        return {name: each / total for name, each in found.items()} if total > 0 else {}

    def effects(self, window: pd.DataFrame, moved: Sequence[str]) -> tuple[dict[str, Effect], Effect | None, list[str]]:
        """The effects of the columns `moved` by name; the effect of all together; what could not be said."""
        names = [one["name"] for one in self._described["inputs"]]
        gone = [name for name in names if name not in window]
        if gone:
            return {}, None, [f"The model could not be asked: {gone[0]} is not in the log."]
        rows = window[names]
        now, whole, found = self._ask(rows), rows, {}
        for name in moved:
            back = undone(rows[name], self._columns[name]) if name in self._columns and name in rows else None
            if back is not None:
                found[name] = self._effect(now, rows.assign(**{name: back}))
                whole = whole.assign(**{name: back})
        return found, self._effect(now, whole) if len(found) > 1 else None, []

    def _effect(self, now: tuple[Any, Any], rows: pd.DataFrame) -> Effect:
        value, said = now
        without, said_without = self._ask(rows)
        if not self._classes:
            return Effect(float(np.mean(value)), float(np.mean(without)), 0.0)
        flipped = float(np.mean(said != said_without))
        return Effect(float(np.mean(value)), float(np.mean(without)), flipped, self._of)

    @property
    def _classes(self) -> bool:
        return bool(self._described["task"] != "regression")

    @property
    def _of(self) -> str:
        return self._labels[1] if len(self._labels) == 2 else (self._labels[0] if self._labels else "")

    def _ask(self, rows: pd.DataFrame) -> tuple[Any, Any]:
        """One number an answer (of classes, whether it is the positive one), and the answers as texts."""
        columns = {str(name): [_plain(value) for value in rows[name]] for name in rows}
        try:
            answers, _ = self._engine.answer(columns, len(rows))
        except Exception as error:  # the model's own code: whatever it raises, the report stands without this part
            raise _failed(error) from error
        if not self._classes:
            return np.asarray(answers, dtype=float), None
        said = np.asarray([level_text(one) for one in answers], dtype=object)
        return (said == self._of).astype(float), said


def _failed(error: Exception) -> InvalidInput:
    words = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return InvalidInput(f"It failed on rows like those of the log: {words}.")


def _plain(value: Any) -> Any:
    """A value as a request brings it."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT or value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value
