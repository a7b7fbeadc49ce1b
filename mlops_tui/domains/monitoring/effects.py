"""What a move did to the answers: the model is asked again with the column as it would be had it not moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.monitoring.explained import Effect, Moved
from mlops_tui.domains.monitoring.undoing import undone
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.engines.reference import FrameEngine
from mlops_tui.domains.registry.profile import level_text

SEED = 3


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

    def effects(
        self, window: pd.DataFrame, moved: Sequence[Moved], rest: Sequence[Moved]
    ) -> tuple[list[Moved], Effect | None, list[str]]:
        """The columns of `moved` with their effects, then `rest`; the effect of all together; what could not be said."""
        names = [one["name"] for one in self._described["inputs"]]
        gone = [name for name in names if name not in window]
        if gone:
            return [*moved, *rest], None, [f"The model could not be asked: {gone[0]} is not in the log."]
        rows = window[names]
        now = self._ask(rows)
        out, whole = [], rows
        for one in moved:
            back = (
                undone(rows[one.name], self._columns[one.name])
                if one.name in self._columns and one.name in rows
                else None
            )
            if back is None:
                out.append(one)
                continue
            out.append(dataclasses.replace(one, effect=self._effect(now, rows.assign(**{one.name: back}))))
            whole = whole.assign(**{one.name: back})
        together = self._effect(now, whole) if sum(one.effect is not None for one in out) > 1 else None
        return [*out, *rest], together, []

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
