"""Asks to answers: one model, whatever has arrived predicted in one call, a bad request kept from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.registry.engines.reference import columns_of
from mlops_tui.domains.serving.wire import Answer, Ask

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.registry.engines.formula import Formula
    from mlops_tui.domains.registry.engines.reference import Engine
    from mlops_tui.domains.serving.guards import Guard

MAX_BATCH_ROWS = 4096
# What scikit-learn and numpy raise for values they cannot take: the rows are at fault, not the model.
_INPUT_ERRORS = (ValueError, TypeError, OverflowError)


class Predictor:
    """Answers asks with an engine (see `registry/engines`); a `guard` marks rows that look unlike the training data.

    `formula` is the engine's model as numbers, where it is linear.
    """

    def __init__(self, engine: Engine, guard: Guard | None = None, formula: Formula | None = None) -> None:
        self.formula = formula
        self._engine = engine
        self._guard = guard

    @property
    def engine(self) -> str:
        """The name of the engine that answers."""
        return self._engine.name

    def answer(self, asks: Sequence[Ask]) -> list[Answer]:
        """Answer all asks; those that may share a batch are predicted together."""
        answers: dict[int, Answer] = {}
        for batch in batches(asks):
            answers.update((answer.id, answer) for answer in self._batch(batch))
        return [answers[ask.id] for ask in asks]

    def _batch(self, asks: list[Ask]) -> list[Answer]:
        try:
            return self._predict(asks)
        except MemoryError:  # the limit is reached: this process ends, and a new one is asked
            raise
        except Exception as error:
            if len(asks) > 1:  # someone's row is bad: each alone, so that only its sender hears of it
                return [answer for ask in asks for answer in self._batch([ask])]
            blame = "input" if isinstance(error, _INPUT_ERRORS) else "model"
            return [Answer(asks[0].id, error=one_line(error), blame=blame)]

    def _predict(self, asks: list[Ask]) -> list[Answer]:
        columns = asks[0].columns
        if len(asks) > 1:
            columns = {name: [value for ask in asks for value in ask.columns[name]] for name in columns}
        total = sum(ask.rows for ask in asks)
        predicted, wide = self._engine.answer(columns, total)
        if len(predicted) != total:
            raise RuntimeError(f"the model gave {len(predicted)} predictions for {total} rows")
        guarded = self._guard is not None and any(ask.guard for ask in asks)
        marks = self._guard.marks(columns, total) if self._guard is not None and guarded else None
        answers, start = [], 0
        for ask in asks:
            end = start + ask.rows
            own = marks[start:end] if marks is not None and ask.guard else []
            answers.append(
                Answer(
                    ask.id,
                    predicted[start:end],
                    wide[start:end] if wide is not None else None,
                    marks=own if any(own) else [],
                )
            )
            start = end
        return answers


def batches(asks: Sequence[Ask]) -> list[list[Ask]]:
    """Group asks for shared calls: those marked `alone` by themselves, others up to MAX_BATCH_ROWS together."""
    groups: list[list[Ask]] = []
    room = 0
    for ask in asks:
        if ask.alone:
            groups.append([ask])
            room = 0
        elif ask.rows <= room:
            groups[-1].append(ask)
            room -= ask.rows
        else:
            groups.append([ask])
            room = MAX_BATCH_ROWS - ask.rows
    return groups


def golden_request(sample: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the first golden row as columns of a request."""
    return columns_of(sample.head(1))


def one_line(error: BaseException) -> str:
    """Return the first sentence of an error's text, at most 300 characters, without its final stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0].rstrip(".")[:300]
