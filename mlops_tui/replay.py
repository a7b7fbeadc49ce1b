"""What a deployment answered from, out of the prediction log, against the offline join at the moments of its answers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.derived_records import SkewReport

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.serving.records import Prediction
    from mlops_tui.workbench import Workbench

DEPLOYMENT = "deployment:"
IDS = ("prediction_id", "request_id")
"""Columns by which a file or table says which entity a prediction was about."""


def skew(
    workbench: Workbench,
    name: str,
    *,
    since: int | str | None = None,
    tolerate: float = 0.0,
    difference: float = 1e-6,
    features: Sequence[str] = (),
    entities: str = "",
    limit: int = 10_000,
) -> SkewReport:
    """Compare what was served with the offline join: logged lookups of a table or view, or, of `deployment:NAME`, predictions.

    Of predictions the newest `limit` of the version that answered most of them are compared, input by input. `features` are the
    references the inputs come from, those the version's pipeline joined unless said. Keys are among the inputs, or in `entities`:
    a table reference, or a CSV or Parquet file, with `prediction_id` (or `request_id`) and the keys; predictions that it does not
    have are counted as `left_out`. Raises NotFound, InvalidInput.
    """
    if not name.startswith(DEPLOYMENT):
        if features or entities:
            raise InvalidInput(
                "Tables and entities are named for a deployment.", hint=f"Write: mlops features skew {DEPLOYMENT}NAME"
            )
        return workbench.features.skew(name, since=since, tolerate=tolerate, difference=difference, limit=limit)
    now = workbench.context.now()
    deployment = workbench.serving.get(name.removeprefix(DEPLOYMENT)).name
    start = clock.parse_time(since, now=now) if isinstance(since, str) else since
    answered = [one for one in workbench.serving.predictions(deployment, start, None, limit) if one.status == 200]
    if not answered:
        return SkewReport(name, 0, None, None, tolerate, "empty", ())
    (model, number), _ = Counter((one.model, one.version) for one in answered).most_common(1)[0]
    version = workbench.registry.version(f"{model}/{number}")
    references, ttl = _read_from(workbench, version, features)
    wanted = {key for ref in references for key in workbench.features.asked_types(_plain(ref))}
    known = _entities(workbench, entities) if entities else {}
    rows = [(one, _row(one, known, wanted)) for one in reversed(answered) if one.version == number]
    vectors = [
        {"row": row, "at": one.at, "values": _values(one, row)}
        for one, row in rows
        if row.keys() >= wanted and (not known or one.id in known or one.request_id in known)
    ]
    if not vectors:
        lacking = ", ".join(sorted(wanted.difference(rows[0][1]))) or "the entities"
        raise InvalidInput(
            f"The predictions of {deployment} do not say which entity they were about ({lacking}).",
            hint="Name a file or table with prediction_id and the keys: --entities FILE",
        )
    for table in dict.fromkeys(_tables(workbench, references)):
        workbench.features.flush(table)
    found = workbench.features.replayed(name, vectors, references, ttl=ttl, tolerate=tolerate, difference=difference)
    compared = {one.column for one in found.columns}
    others = tuple(str(one["name"]) for one in version.signature.get("inputs", ()) if one["name"] not in compared)
    return dataclasses.replace(found, left_out=len(rows) - len(vectors), others=others)


def _read_from(workbench: Workbench, version: Version, named: Sequence[str]) -> tuple[list[str], int | None]:
    """The references a version's inputs come from, tables in their newest version, and how old values may be (ms)."""
    if named:
        return list(named), None
    if version.pipeline_run:
        from mlops_tui.domains.pipelines import definition

        try:
            pins = workbench.pipelines.get_run(version.pipeline_run).facts.get("pins", {})
            recipe = definition.parse(workbench.pipelines.definition_of(version.pipeline_run), version.pipeline)
        except NotFound:
            pins = {}
        if pins.get("features"):
            ttl = clock.parse_span(recipe.data.ttl) if recipe.data.ttl else None
            return [_newest(workbench, ref) for ref in pins["features"]], ttl
    raise InvalidInput(
        f"Nothing says which tables the inputs of {version.ref} come from.",
        hint="Name them: --features weather:temp,hum",
    )


def _newest(workbench: Workbench, ref: str) -> str:
    """A reference to a table without its version: what is right to serve are its newest rows; a view keeps its code."""
    name, colon, columns = ref.partition(":")
    table = name.partition("@")[0]
    is_table = any(one.name == table for one in workbench.features.list())
    return f"{table if is_table else name}{colon}{columns}"


def _plain(ref: str) -> str:
    return ref.partition(":")[0].partition("@")[0]


def _tables(workbench: Workbench, references: Sequence[str]) -> list[str]:
    """The tables that references read."""
    return [
        ref.partition("@")[0] for ref in workbench.features.pinned([one.partition(":")[0] for one in references])[1]
    ]


def _entities(workbench: Workbench, source: str) -> dict[str, Mapping[str, Any]]:
    """Rows by prediction or request id, of a file (its name has an ending) or a table."""
    from mlops_tui.domains.features.join import read_spine

    path = Path(source)
    frame = read_spine(path) if path.suffix else workbench.features.frame(source)
    named = next((name for name in IDS if name in frame.columns), None)
    if named is None:
        raise InvalidInput(
            f"{source} does not say which prediction a row is about.",
            hint="Give it a column prediction_id or request_id.",
        )
    rows: list[dict[str, Any]] = frame.astype("object").where(frame.notna(), None).to_dict("records")  # type: ignore[assignment]
    return {str(row[named]): row for row in rows}


def _row(one: Prediction, known: Mapping[str, Mapping[str, Any]], wanted: set[str]) -> dict[str, Any]:
    """What a prediction says of its entity: keys and request fields."""
    given = {**one.inputs, **(known.get(one.id) or known.get(one.request_id) or {})}
    return {key: given[key] for key in wanted if key in given}


def _values(one: Prediction, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.inputs.items() if name not in row}
