"""Records of the log as Arrow tables: one column per model input, types by the signature. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.domains.serving.records import Signature, input_column

if TYPE_CHECKING:
    import pyarrow as pa


def prediction_table(parts: list[dict[str, Any]], signature: Signature | None) -> pa.Table:
    import pyarrow as pa

    def spread(name: str) -> list[Any]:
        return [part[name] for part in parts for _ in part["ids"]]

    def listed(name: str) -> list[Any]:
        return [value for part in parts for value in part.get(name) or [None] * len(part["ids"])]

    types = {column.name: column.type for column in signature.inputs} if signature else {}
    outputs = {column.name: column.type for column in signature.outputs} if signature else {}
    names = list(dict.fromkeys([*types, *(name for part in parts for name in part["columns"])]))
    data: dict[str, pa.Array] = {
        "id": pa.array(listed("ids"), pa.string()),
        "at": pa.array(spread("at"), pa.int64()),
        "version": pa.array(spread("version"), pa.int32()),
        "latency_ms": pa.array(spread("latency_ms"), pa.float32()),
        "status": pa.array(spread("status"), pa.int16()),
        "error": pa.array(spread("error"), pa.string()),
        "prediction": _array(listed("prediction"), outputs.get("prediction", "")),
        "_score": pa.array(listed("score"), pa.float64()),
        "_model": pa.array(spread("model"), pa.string()),
        "_request_id": pa.array(spread("request_id"), pa.string()),
        "_marks": pa.array(listed("marks"), pa.string()),
        "_caller": pa.array([part.get("caller") for part in parts for _ in part["ids"]], pa.string()),
    }
    for name in names:
        values = [v for part in parts for v in part["columns"].get(name) or [None] * len(part["ids"])]
        data[input_column(name)] = _array(values, types.get(name, ""))
    return pa.table(data)


def label_table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    def numbers(value: Any) -> float | None:
        return float(value) if isinstance(value, int | float) else None

    return pa.table(
        {
            "id": pa.array([row["id"] for row in rows], pa.string()),
            "prediction_at": pa.array([row["prediction_at"] for row in rows], pa.int64()),
            "at": pa.array([row["at"] for row in rows], pa.int64()),
            "received_at": pa.array([row["received_at"] for row in rows], pa.int64()),
            "text": pa.array([str(row["label"]) for row in rows], pa.string()),
            "number": pa.array([numbers(row["label"]) for row in rows], pa.float64()),
            "kind": pa.array([type(row["label"]).__name__ for row in rows], pa.string()),
        }
    )


def _array(values: list[Any], kind: str) -> pa.Array:
    """One column by the signature's type; text where the values do not fit it (a log loses nothing)."""
    import pyarrow as pa

    types = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "string": pa.string()}
    try:
        return pa.array(values, types.get(kind))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
