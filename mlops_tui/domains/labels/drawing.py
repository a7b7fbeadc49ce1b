"""Which rows a queue is made of, and in which order: rows of a snapshot or predictions of a deployment, scored."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.records import quote
from mlops_tui.domains.labels.records import Item, Measure, Order

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

FROM = 100_000  # rows that are looked at for the best ones
MOST = 20_000  # rows of a queue
PREDICTION_KEYS = ("prediction_id",)


@dataclass(frozen=True)
class Drawn:
    """Rows as they are, with what is needed to key their labels: columns of key, time, and types."""

    source: str
    keys: tuple[str, ...]
    time: str | None
    types: dict[str, str]
    rows: list[dict[str, Any]]

    def items(self, order: Sequence[int], scores: Sequence[float | None], shown: Sequence[str]) -> list[Item]:
        """Items in this order of places; `shown` are the columns to keep beside the key (none: all)."""
        special = [*self.keys, *([self.time] if self.time else [])]
        items = []
        for position, at in enumerate(order, 1):
            row = self.rows[at]
            names = shown or [name for name in row if name not in special]
            key, values = {name: row[name] for name in special}, {name: row.get(name) for name in names}
            items.append(Item(position, key, values, scores[at]))
        return items


def from_table(features: Features, ref: str, where: str | None, seed: int) -> Drawn:
    """The rows of a snapshot; of a larger one about 100,000 that hang on key and seed alone. Raises NotFound, InvalidInput."""
    snapshot = features.snapshot(ref)
    table = features.get(snapshot.table)
    if snapshot.rows > FROM:
        keys = ", ".join(map(quote, [*table.keys, *([table.time] if table.time else [])]))
        share = f"hash({keys}, {int(seed)}) % {-(-snapshot.rows // FROM)} = 0"
        where = f"({where}\n) AND {share}" if where else share
    rows = features.rows(snapshot.reference, where=where, limit=FROM)
    special = [*table.keys, *([table.time] if table.time else [])]
    types = {name: snapshot.columns[name] for name in special}
    return Drawn(snapshot.reference, table.keys, table.time, types, rows)


def with_joined(features: Features, drawn: Drawn, refs: Sequence[str]) -> Drawn:
    """The rows with the columns other tables had for them at their time: what a model that learned from a join needs."""
    import pandas as pd

    frame = pd.DataFrame(drawn.rows)
    if drawn.time is not None:
        frame[drawn.time] = pd.to_datetime(frame[drawn.time], utc=True, format="ISO8601")
    joined = features.join(frame, refs, time=drawn.time)
    more = {
        str(name): [_plain(value) for value in joined[name]] for name in joined.columns if name not in frame.columns
    }
    rows = [{**row, **{name: values[at] for name, values in more.items()}} for at, row in enumerate(drawn.rows)]
    return dataclasses.replace(drawn, rows=rows)


def from_deployment(serving: Serving, name: str) -> Drawn:
    """The newest predictions that were answered and have no true label yet. Raises NotFound."""
    serving.get(name)
    found = [one for one in serving.predictions(name, limit=FROM) if one.status == 200 and one.label is None]
    rows = [
        {
            **one.inputs,
            "prediction": one.prediction,
            "score": one.score,
            "version": one.version,
            "prediction_id": one.id,
            "at": clock.iso(one.at),
        }
        for one in reversed(found)
    ]
    types = {"prediction_id": "VARCHAR", "at": "TIMESTAMPTZ"}
    return Drawn(f"deployment:{name}", PREDICTION_KEYS, "at", types, rows)


def scored(
    drawn: Drawn, order: Order, models: Sequence[str], score: str, measure: Measure, registry: Registry
) -> tuple[list[float | None], str]:
    """A score per row (more is sooner) and in words what it was made from; no scores for orders that need none."""
    from mlops_tui.domains.labels import scoring

    count = len(drawn.rows)
    if order is Order.UNCERTAINTY and models:
        if len(models) > 1:
            raise InvalidInput("Uncertainty is of one model.", hint="Of several: --order disagreement.")
        found = scoring.uncertainty(probabilities(registry, models[0], drawn.rows)[1], measure)
        return _known(found), f"{measure} of {models[0]}"
    if order is Order.UNCERTAINTY:
        column = score or ("score" if drawn.keys == PREDICTION_KEYS else "")
        if not column:
            raise InvalidInput(
                "Uncertainty needs a model or a column of probabilities.",
                hint="Say --model NAME@champion or --score COLUMN.",
            )
        found = scoring.of_scores(_numbers(drawn.rows, column))
        return _known(found), f"column {column}"
    if order is Order.DISAGREEMENT and models:
        if len(models) < 2:
            raise InvalidInput("One model cannot disagree.", hint="Name two or more: --model a@champion --model b/2")
        answers = [probabilities(registry, model, drawn.rows) for model in models]
        if any(classes != answers[0][0] for classes, _ in answers):
            raise InvalidInput("The models do not know the same classes.", hint="Compare models of one task.")
        return _known(scoring.disagreement([one for _, one in answers])), f"between {', '.join(models)}"
    return [None] * count, "between labellers" if order is Order.DISAGREEMENT else ""


def _known(scores: npt.NDArray[np.float64]) -> list[float | None]:
    """Scores, nothing where a value that the model needed is missing."""
    return [None if score != score else score for score in scores.tolist()]


def in_order(order: Order, scores: Sequence[float | None], seed: int) -> list[int]:
    """Places of rows, first to label first. Shuffled by `seed` first, so that equal scores come in no order of the table."""
    places = list(range(len(scores)))
    if order is Order.GIVEN:
        return places
    random.Random(seed).shuffle(places)
    if any(score is not None for score in scores):
        places.sort(key=lambda at: -1.0 if scores[at] is None else scores[at] or 0.0, reverse=True)
    return places


def probabilities(
    registry: Registry, ref: str, rows: Sequence[dict[str, Any]]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Classes and an n x k matrix of a model version's probabilities, asked aside (seconds). Raises InvalidInput for one that gives
    none.
    """
    import numpy as np

    from mlops_tui.domains.registry import answering

    version = registry.version(ref)
    described = version.signature["inputs"]
    inputs = [item["name"] for item in described]
    lacking = [name for name in inputs if not rows or name not in rows[0]]
    if lacking:
        raise InvalidInput(f"The rows have no column '{lacking[0]}', which {version.ref} needs.", hint="Use its table.")
    said = registry.ask(version.ref, answering.probabilities, {"rows": _frame(rows, described)})
    return said["classes"], np.asarray(said["wide"], dtype=np.float64)


def _frame(rows: Sequence[dict[str, Any]], inputs: Sequence[dict[str, str]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[item["name"] for item in inputs])
    for item in inputs:
        kind, column = item["type"], frame[item["name"]]
        if kind.startswith(("int", "float", "uint", "bool")) and (column.isna().any() or kind.startswith("float")):
            frame[item["name"]] = column.astype(float)
        elif kind.startswith("datetime"):
            frame[item["name"]] = pd.to_datetime(column, utc=True)
    return frame


def _plain(value: Any) -> Any:
    """A cell of a frame as JSON has it."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    return value.item() if hasattr(value, "item") else value


def _numbers(rows: Sequence[dict[str, Any]], column: str) -> npt.NDArray[np.float64]:
    import numpy as np

    if not rows or column not in rows[0]:
        raise NotFound(
            f"The rows have no column '{column}'.", hint=f"They have: {', '.join(rows[0]) if rows else 'none'}."
        )
    try:
        return np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"Column '{column}' does not hold numbers.", hint="Name a column of probabilities."
        ) from None
