"""What one step hands to the next: columns, types and ranges, as the definition demands and as the next step needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import fitting, graph
from mlops_tui.domains.pipelines.answers import answer_of
from mlops_tui.domains.pipelines.records import STEPS
from mlops_tui.domains.pipelines.steps.own import name_of
from mlops_tui.domains.pipelines.work import PACKAGE, PARTS, Work
from mlops_tui.domains.registry import package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.operating import Column, Contract

# Where the rows of the definition's contract after `load` are, when steps of the project change them first.
_LAST = graph.COLLECT
# (what was looked at, what is wrong; nothing when it holds)
Held = tuple[str, list[str]]
SHOWN = 5


def enforce(work: Work, name: str) -> None:
    """Raise InvalidInput when a contract of the definition is broken by what a step has just handed over."""
    broken = [text for _, wrong in declared(work, name) for text in wrong]
    if broken:
        raise InvalidInput(
            f"Step {name} breaks its contract: {'; '.join(broken[:SHOWN])}.",
            hint="See [[contracts]] of the definition.",
        )


def declared(work: Work, name: str) -> Iterator[Held]:
    """The contracts of the definition after a step, and what breaks each."""
    for contract in work.recipe.contracts:
        if (_LAST if contract.after == graph.LOAD and work.recipe.steps else contract.after) == name:
            for part in _frames(name):
                frame = work.read_frame(part)
                said = f"{len(contract.columns)} columns of {part}, {len(frame):,} rows"
                yield said, list(violations(frame, contract))


def _frames(name: str) -> tuple[str, ...]:
    if name == "split":
        return PARTS
    return ("frame",) if name in STEPS else (name_of(name),)


def handed(work: Work, name: str) -> Iterator[Held]:
    """What the steps after this one count on, whether or not the definition says so."""
    if name in _HANDED and not (name == graph.LOAD and work.recipe.steps):
        yield from _HANDED[name](work)


def violations(frame: pd.DataFrame, contract: Contract) -> Iterator[str]:
    """Each way in which a frame is not what a contract says, with the numbers."""
    if len(frame) < contract.rows:
        yield f"{len(frame):,} rows, at least {contract.rows:,} are wanted"
    for name, wanted in contract.columns.items():
        if name not in frame.columns:
            yield f"there is no column {name!r}"
        else:
            yield from _column(name, frame[name], wanted)


def kind_of(column: pd.Series[Any]) -> str:
    """number, integer, bool, time or text."""
    types = pd.api.types
    if types.is_bool_dtype(column):
        return "bool"
    if types.is_integer_dtype(column):
        return "integer"
    if types.is_numeric_dtype(column):
        return "number"
    return "time" if types.is_datetime64_any_dtype(column) else "text"


def described(column: pd.Series[Any]) -> str:
    """A column in words: `number -3.1..35.2, 2 % missing`."""
    kind, known = kind_of(column), column.dropna()
    span = f" {known.min():.4g}..{known.max():.4g}" if kind in ("number", "integer") and len(known) else ""
    span = f" of {known.nunique():,} values" if kind == "text" else span
    missing = f", {column.isna().mean():.2g} missing" if column.isna().any() else ""
    return f"{kind}{span}{missing}"


def _column(name: str, column: pd.Series[Any], wanted: Column) -> Iterator[str]:
    kind, known = kind_of(column), column.dropna()
    whole = wanted.type == "integer" and kind == "number" and bool((known == known.round()).all())
    if (
        wanted.type != "any"
        and kind != wanted.type
        and not whole
        and not (wanted.type == "number" and kind == "integer")
    ):
        yield f"{name} is {kind}, {wanted.type} is wanted"
        return
    share = float(column.isna().mean()) if len(column) else 0.0
    if share > wanted.missing:
        yield f"{share:.1%} of {name} is missing, at most {wanted.missing:.1%} may be"
    for sign, limit in (("below", wanted.min), ("above", wanted.max)):
        if limit is None:
            continue
        if kind not in ("number", "integer"):
            yield f"{name} is {kind}, which has no {sign}"
            continue
        out = known[known < limit] if sign == "below" else known[known > limit]
        if len(out):
            yield f"{len(out):,} of {name} {sign} {limit:g}, such as {out.iloc[0]:.6g}"
    if wanted.values:
        odd = known[~known.isin(wanted.values)]
        if len(odd):
            yield f"{len(odd):,} of {name} are none of its values, such as {odd.iloc[0]!r}"


def _loaded(work: Work) -> Iterator[Held]:
    frame, target = work.read_frame("frame"), work.recipe.data.target
    wanted = [*work.inputs, *([target] if target else [])]
    wrong = [f"there is no column {name!r}" for name in wanted if name not in frame.columns]
    wrong += [f"two columns {name!r}" for name in frame.columns[frame.columns.duplicated()]]
    for name in work.inputs:
        work.say(f"{name}: {described(frame[name])}")
    yield f"{len(frame):,} rows with {len(work.inputs)} inputs" + (f" and {target}" if target else ""), wrong


def _split(work: Work) -> Iterator[Held]:
    frame, parts = work.read_frame("frame"), {name: work.read_frame(name) for name in PARTS}
    wrong = []
    for name, part in parts.items():
        changed = [str(column) for column in frame if column not in part or part[column].dtype != frame[column].dtype]
        wrong += [f"{name} has other columns or types: {', '.join(changed[:SHOWN])}"] if changed else []
    total = sum(map(len, parts.values()))
    wrong += [f"{total:,} rows come out of {len(frame):,}"] if total != len(frame) else []
    yield "every row in one part, columns and types as before", wrong


def _prepared(work: Work) -> Iterator[Held]:
    from sklearn.base import clone

    if work.recipe.model.preprocess == "none":
        return
    transformer = clone(work.read_object("transformer"))
    (rows, target), others = work.part("train"), [work.part(name)[0] for name in PARTS[1:]]
    labelled = work.recipe.labelled and work.recipe.model.task != "semi-supervised"
    made = transformer.fit_transform(rows, target) if labelled else transformer.fit_transform(rows)
    shapes = [transformer.transform(part).shape for part in others if len(part)]
    wrong = [
        f"{shape[1]} columns come out where training had {made.shape[1]}"
        for shape in shapes
        if shape[1] != made.shape[1]
    ]
    yield f"{made.shape[1]} prepared columns for every part", wrong


def _answers(work: Work) -> Iterator[Held]:
    model, (rows, _) = work.read_object("model"), work.part("test")
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    wrong = [f"{len(answer):,} answers to {len(rows):,} rows"] if len(answer) != len(rows) else []
    if not np.isfinite(answer.astype(float)).all():
        wrong.append("an answer is no finite number")
    if labels is not None and answer.ndim == 2 and work.recipe.classes:
        sums = answer.sum(axis=1)
        if (answer < -1e-9).any() or (answer > 1 + 1e-9).any() or not np.allclose(sums, 1, atol=1e-6):
            wrong.append("probabilities outside 0..1, or not adding up to 1")
    yield f"{len(rows):,} answers, finite and in range", wrong
    single = answer_of(model, rows.head(1), work.recipe.model.task)[0]
    alike = np.allclose(single.astype(float), answer[:1].astype(float), rtol=1e-6, atol=1e-9, equal_nan=True)
    yield (
        "a row alone is answered as among others",
        [] if alike else ["a row alone gets another answer than among others"],
    )


def _packed(work: Work) -> Iterator[Held]:
    names = [one["name"] for one in package.signature(work.folder / PACKAGE)["inputs"]]
    odd = sorted({*names} ^ {*work.inputs})
    yield "the model's signature names the inputs", [f"not in both: {', '.join(odd)}"] if odd else []


def _threshold(work: Work) -> Iterator[Held]:
    yield from _answers(work)
    value = fitting.threshold_of(work.read_object("model"))
    if value is not None:
        yield f"threshold {value:.3g}", [] if 0 <= value <= 1 else [f"the threshold {value} is no probability"]


_HANDED = {
    "load": _loaded,
    "collect": _loaded,
    "split": _split,
    "preprocess": _prepared,
    "train": _threshold,
    "calibrate": _threshold,
    "evaluate": _packed,
}
