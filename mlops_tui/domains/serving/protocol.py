"""Open Inference Protocol v2 and MLflow scoring: request bodies to columns, answers to response bodies. Pure.

Specification of the first: https://github.com/kserve/open-inference-protocol (REST); of the second: MLflow's `/invocations`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.columns import check_names, checked, text_values
from mlops_tui.domains.serving.records import Signature

_INTEGERS = frozenset(sign + str(size) for sign in ("INT", "UINT") for size in (8, 16, 32, 64))
_FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_INTEGERS, (int,)),
    **dict.fromkeys(_FLOATS, (int, float)),
    "BOOL": (bool,),
    "BYTES": (str,),
}
_DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL"}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One checked request: values per input in the signature's order, `rows` of them; `outputs` wanted (empty: all)."""

    columns: dict[str, list[Any]]
    rows: int
    request_id: str = ""
    outputs: tuple[str, ...] = ()


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Infer(msgspec.Struct):
    inputs: list[_Tensor]
    id: str = ""
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


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


_infer = msgspec.json.Decoder(_Infer)
_invocation = msgspec.json.Decoder(_Invocation)


def parse_infer(body: bytes, signature: Signature) -> Call:
    """Read a v2 infer request.

    Inputs are one tensor per column (shape [n] or [n, 1]) or one tensor [n, k] over all columns in the signature's order.
    Raises InvalidInput with the sentence for the client.
    """
    request = decode(_infer, body)
    columns = _columns(request.inputs, signature)
    wanted = tuple(output.name for output in request.outputs or ())
    known = [column.name for column in signature.outputs]
    for name in wanted:
        if name not in known:
            raise InvalidInput(f"The model has no output {name!r}.", hint=f"Its outputs are {', '.join(known)}.")
    values, rows = checked(signature, columns)
    return Call(values, rows, request.id, wanted)


def parse_invocation(body: bytes, content_type: str, signature: Signature) -> Call:
    """Read an MLflow scoring request: JSON (dataframe_split, dataframe_records, instances or inputs) or CSV with a header."""
    columns = _csv(body, signature) if content_type == "text/csv" else _mlflow(decode(_invocation, body), signature)
    values, rows = checked(signature, columns)
    return Call(values, rows)


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode JSON; raises InvalidInput with what is wrong and where."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request has the wrong form: {error}.", hint="See docs/http.md.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"The body is not JSON: {error}.", hint="NaN and Infinity are not JSON; send null."
        ) from None


def infer_answer(
    call: Call, signature: Signature, *, name: str, version: int, ids: list[str], answer: dict[str, Any]
) -> dict[str, Any]:
    """Build a v2 infer response; `answer` maps output names to lists (probabilities: one list per row)."""
    outputs = []
    for column in signature.outputs:
        values = answer.get(column.name)
        if values is None or (call.outputs and column.name not in call.outputs):
            continue
        nested = bool(values) and isinstance(values[0], list)
        outputs.append(
            {
                "name": column.name,
                "datatype": _DATATYPES.get(column.type, "BYTES"),
                "shape": [len(values), len(values[0])] if nested else [len(values)],
                "data": [item for row in values for item in row] if nested else values,
            }
        )
    head = {"model_name": name, "model_version": str(version), "id": call.request_id or ids[0]}
    return {**head, "parameters": {"prediction_ids": ids}, "outputs": outputs}


def invocation_answer(ids: list[str], answer: dict[str, Any]) -> dict[str, Any]:
    """Build an MLflow scoring response; the ids are our addition."""
    return {"predictions": answer["prediction"], "prediction_ids": ids}


def metadata(name: str, versions: list[int], signature: Signature) -> dict[str, Any]:
    """Build the v2 model metadata; a shape of -1 is the number of rows."""
    wide = {"probabilities": len(signature.labels)}
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": "sklearn",
        "inputs": [
            {"name": item.name, "datatype": _DATATYPES.get(item.type, "BYTES"), "shape": [-1]}
            for item in signature.inputs
        ],
        "outputs": [
            {
                "name": item.name,
                "datatype": _DATATYPES.get(item.type, "BYTES"),
                "shape": [-1, wide[item.name]] if item.name in wide else [-1],
            }
            for item in signature.outputs
        ],
    }


def _columns(tensors: list[_Tensor], signature: Signature) -> dict[str, list[Any]]:
    names = [column.name for column in signature.inputs]
    if len(tensors) == 1 and len(tensors[0].shape) == 2 and (len(names) > 1 or tensors[0].name not in names):
        tensor = tensors[0]
        if tensor.shape[1] != len(names):
            raise InvalidInput(
                f"Tensor {tensor.name!r} has {tensor.shape[1]} columns, the model takes {len(names)}.",
                hint=f"In this order: {', '.join(names)}.",
            )
        flat = _flat(tensor)
        return {name: flat[place :: len(names)] for place, name in enumerate(names)}
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise InvalidInput(f"The input {tensor.name!r} is given twice.", hint="Send each input once.")
        if tensor.shape[1:] not in ([], [1]):
            raise InvalidInput(
                f"Input {tensor.name!r} has shape {tensor.shape}, expected [rows].", hint="Send one value per row."
            )
        columns[tensor.name] = _flat(tensor)
    return columns


def _flat(tensor: _Tensor) -> list[Any]:
    """Return the tensor's values row by row, checked against its datatype and shape."""
    wanted = _PYTHON_TYPES.get(tensor.datatype)
    if wanted is None:
        raise InvalidInput(
            f"Input {tensor.name!r} has the unknown datatype {tensor.datatype!r}.",
            hint="Use FP64, INT64, BOOL or BYTES.",
        )
    data = tensor.data
    if data and isinstance(data[0], list):
        width = tensor.shape[1] if len(tensor.shape) == 2 else -1
        if any(not isinstance(row, list) or len(row) != width for row in data):
            raise InvalidInput(
                f"The data of {tensor.name!r} does not have the shape {tensor.shape}.", hint="Row by row."
            )
        data = [value for row in data for value in row]
    count = 1
    for size in tensor.shape:
        count *= max(size, 0)
    if count != len(data) or not tensor.shape:
        raise InvalidInput(
            f"Input {tensor.name!r} has {len(data)} values, its shape {tensor.shape} means {count}.",
            hint="The product of the shape is the number of values.",
        )
    allowed = {*wanted, type(None)}
    if not allowed.issuperset(map(type, data)):
        odd = next(value for value in data if type(value) not in allowed)
        raise InvalidInput(
            f"Input {tensor.name!r}: {str(odd)[:40]!r} is no {tensor.datatype}.", hint="Check its datatype."
        )
    return data


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
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


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
