"""The OpenAPI document of a gateway: per deployment its own schema and an example that its model answers. Pure.

Specification: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from mlops_tui.domains.serving.records import Column, Signature
from mlops_tui.domains.serving.tensors import datatype_of

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "int64": {"type": ["integer", "null"]},
    "float64": {"type": ["number", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "string": {"type": ["string", "null"]},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
}
_PLAIN: dict[str, Any] = {"int64": 0, "float64": 0.0, "bool": False, "string": "", "datetime": "2026-01-01T00:00:00Z"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "hint": {"type": "string"}},
}
_STATUSES = {
    "400": "The request cannot be understood, or its values do not fit the model.",
    "401": "A token is needed, or this one is worth nothing.",
    "403": "This token may not do that.",
    "404": "There is no such deployment or version.",
    "413": "The body is too large.",
    "415": "The content type is not read here.",
    "429": "The token's rate is used up.",
    "500": "The model failed on these rows.",
    "503": "No worker is ready.",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """One deployment: the versions it serves, the newest one's signature and a request that its model answers."""

    name: str
    versions: tuple[int, ...]
    signature: Signature
    example: dict[str, list[Any]] | None = None


def document(deployments: Iterable[Served], version: str) -> dict[str, Any]:
    """The whole document; paths hold the deployments' names, so that each has its own schema and example."""
    paths: dict[str, Any] = {}
    for one in deployments:
        paths[f"/v2/models/{one.name}"] = {"get": _reading(one, f"What {one.name} takes and gives")}
        paths[f"/v2/models/{one.name}/infer"] = {"post": _asking(one, _infer_schema(one), infer_example(one), "infer")}
        paths[f"/deployments/{one.name}/invocations"] = {
            "post": _asking(one, _records_schema(one), records_example(one), "invocations")
        }
    paths["/v1/feedback"] = {"post": _feedback()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlops gateway", "version": version},
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
        "paths": paths,
    }


def records_example(one: Served) -> dict[str, Any]:
    """A body for MLflow scoring."""
    return {"dataframe_records": [{column.name: _value(one, column) for column in one.signature.inputs}]}


def infer_example(one: Served) -> dict[str, Any]:
    """A body for the Open Inference Protocol."""
    return {
        "inputs": [
            {"name": column.name, "shape": [1], "datatype": datatype_of(column.type), "data": [_value(one, column)]}
            for column in one.signature.inputs
        ]
    }


def _value(one: Served, column: Column) -> Any:
    if one.example is not None and one.example.get(column.name):
        return one.example[column.name][0]
    return _PLAIN.get(column.type, "")


def _asking(one: Served, schema: dict[str, Any], example: dict[str, Any], form: str) -> dict[str, Any]:
    versions = ", ".join(map(str, one.versions))
    words = "Open Inference Protocol v2" if form == "infer" else "MLflow scoring"
    return {
        "tags": [one.name],
        "summary": f"Predict with {one.name}: {words}",
        "description": f"A {one.signature.task or 'model'} with {len(one.signature.inputs)} inputs; versions {versions}.",
        "operationId": f"{form}-{one.name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"200": _good(_answer_schema(one, form)), **_failures()},
    }


def _reading(one: Served, summary: str) -> dict[str, Any]:
    return {
        "tags": [one.name],
        "summary": summary,
        "operationId": f"metadata-{one.name}",
        "responses": {"200": _good({"type": "object"}), **_failures("400", "413", "415", "500")},
    }


def _feedback() -> dict[str, Any]:
    row = {
        "type": "object",
        "required": ["id", "label"],
        "properties": {
            "id": {"type": "string", "description": "the prediction's id", "pattern": "^p[0-9a-f]{23}$"},
            "label": {"type": ["string", "number", "boolean"]},
            "at": {"type": ["string", "integer", "null"], "description": "when it became known"},
        },
    }
    example = {"rows": [{"id": "p19ad2f0c1b31a1b2c3d4e5f", "label": 1}]}
    schema = {
        "type": "object",
        "required": ["rows"],
        "properties": {"rows": {"type": "array", "minItems": 1, "items": row}},
    }
    return {
        "tags": ["feedback"],
        "summary": "Report what was true",
        "operationId": "feedback",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"200": _good({"type": "object"}), **_failures("404")},
    }


def _records_schema(one: Served) -> dict[str, Any]:
    columns = {column.name: _JSON_TYPES.get(column.type, {}) for column in one.signature.inputs}
    row = {"type": "object", "required": list(columns), "properties": columns, "additionalProperties": False}
    return {
        "type": "object",
        "required": ["dataframe_records"],
        "properties": {"dataframe_records": {"type": "array", "minItems": 1, "items": row}},
    }


def _infer_schema(one: Served) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string", "enum": [column.name for column in one.signature.inputs]},
            "shape": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string", "enum": sorted({datatype_of(c.type) for c in one.signature.inputs})},
            "data": {"type": "array"},
            "parameters": {"type": ["object", "null"]},
        },
    }
    output = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "enum": [column.name for column in one.signature.outputs]}},
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": ["object", "null"]},
            "inputs": {"type": "array", "minItems": 1, "items": tensor},
            "outputs": {"type": ["array", "null"], "items": output},
        },
    }


def _answer_schema(one: Served, form: str) -> dict[str, Any]:
    ids = {"type": "array", "items": {"type": "string"}}
    if form == "invocations":
        kind = next((column.type for column in one.signature.outputs if column.name == "prediction"), "")
        values = {"type": "array", "items": _JSON_TYPES.get(kind, {})}
        return {"type": "object", "properties": {"predictions": values, "prediction_ids": ids}}
    names = {"model_name": {"type": "string"}, "model_version": {"type": "string"}, "id": {"type": "string"}}
    return {"type": "object", "properties": {**names, "outputs": {"type": "array", "items": {"type": "object"}}}}


def _good(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}


def _failures(*left_out: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {code: {"description": text, "content": content} for code, text in _STATUSES.items() if code not in left_out}
