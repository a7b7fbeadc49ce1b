"""MLflow scoring: the body of `/invocations` to columns, predictions to its answer. Pure.

JSON holds exactly one of dataframe_split, dataframe_records, instances and inputs; CSV has a header line.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.columns import check_names, checked, plain_row, text_values
from mlops_tui.domains.serving.protocol import Call, decode
from mlops_tui.domains.serving.records import Signature


class _Split(msgspec.Struct):
    columns: list[str]
    data: list[list[Any]]
    index: Any = None


class _Invocation(msgspec.Struct):
    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: Any = None
    params: dict[str, Any] | None = None


_invocation = msgspec.json.Decoder(_Invocation)


def parse_invocation(body: bytes, content_type: str, signature: Signature) -> Call:
    """Read an MLflow scoring request: JSON (dataframe_split, dataframe_records, instances or inputs) or CSV with a header."""
    if content_type == "text/csv":
        columns = _csv(body, signature)
    else:
        asked = decode(_invocation, body)
        plain = _plain(asked, signature)
        if plain is not None:
            return Call(plain, 1)
        columns = _mlflow(asked, signature)
    values, rows = checked(signature, columns)
    return Call(values, rows)


def invocation_answer(ids: list[str], answer: dict[str, Any]) -> dict[str, Any]:
    """Build an MLflow scoring response; the ids are our addition."""
    return {"predictions": answer["prediction"], "prediction_ids": ids}


def _plain(body: _Invocation, signature: Signature) -> dict[str, Any] | None:
    """The columns of one row with all columns in their order, which most requests hold; None for any other."""
    if body.instances is not None or body.inputs is not None or body.params:
        return None
    split, records = body.dataframe_split, body.dataframe_records
    if split is not None:
        if records is not None or len(split.data) != 1 or tuple(split.columns) != signature.names:
            return None
        return plain_row(signature, split.data[0])
    if records is None or len(records) != 1 or tuple(records[0]) != signature.names:
        return None
    return plain_row(signature, list(records[0].values()))


def _mlflow(body: _Invocation, signature: Signature) -> dict[str, list[Any]]:
    forms = ("dataframe_split", "dataframe_records", "instances", "inputs")
    given = [form for form in forms if getattr(body, form) is not None]
    if len(given) != 1:
        raise InvalidInput(
            f"The body must hold exactly one of {', '.join(forms)}.", hint='{"dataframe_records": [{"x": 1}]}'
        )
    if body.params:
        raise InvalidInput("The model takes no params.", hint="Leave params out.")
    if body.dataframe_split is not None:
        return _split(body.dataframe_split.columns, body.dataframe_split.data)
    if body.dataframe_records is not None:
        return _records(body.dataframe_records, signature)
    given_value = body.instances if body.instances is not None else body.inputs
    if isinstance(given_value, dict):
        return {name: value if isinstance(value, list) else [value] for name, value in given_value.items()}
    return _instances(given_value, signature)


def _instances(rows: Any, signature: Signature) -> dict[str, list[Any]]:
    names = [column.name for column in signature.inputs]
    if not isinstance(rows, list):
        raise InvalidInput("inputs must be an array or an object of arrays.", hint='{"inputs": {"x": [1, 2]}}')
    if rows and all(isinstance(row, dict) for row in rows):
        return _records(rows, signature)
    if rows and all(isinstance(row, list) for row in rows):
        return _split(names, rows)
    if len(names) == 1:
        return {names[0]: rows}
    raise InvalidInput("Each row must be an array or an object.", hint=f"The model takes {len(names)} inputs a row.")


def _split(names: list[str], rows: list[list[Any]]) -> dict[str, list[Any]]:
    if len(set(names)) != len(names):
        raise InvalidInput("A column is named twice.", hint="Send each column once.")
    for place, row in enumerate(rows):
        if len(row) != len(names):
            raise InvalidInput(f"Row {place} has {len(row)} values for {len(names)} columns.", hint="Send whole rows.")
    return dict(zip(names, map(list, zip(*rows, strict=True)) if rows else ([] for _ in names), strict=True))


def _records(rows: list[dict[str, Any]], signature: Signature) -> dict[str, list[Any]]:
    for row in rows:
        check_names(signature, row)
    return {column.name: [row[column.name] for row in rows] for column in signature.inputs}


def _csv(body: bytes, signature: Signature) -> dict[str, list[Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"The body is not CSV: {error}.", hint="UTF-8, comma separated, with a header.") from None
    if not lines:
        raise InvalidInput("The body is empty.", hint="Send CSV with a header line.")
    texts = _split(lines[0], lines[1:])
    check_names(signature, texts)
    return {column.name: text_values(column, texts[column.name]) for column in signature.inputs}
