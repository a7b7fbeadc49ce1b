"""Request bodies to columns: what is taken, and the sentence for what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving import protocol, scoring
from mlops_tui.domains.serving.records import Column, Signature

SIGNATURE = Signature(
    task="classification",
    inputs=(Column("age", "float64"), Column("visits", "int64"), Column("plan", "string")),
    outputs=(Column("prediction", "int64"), Column("probabilities", "float64")),
    labels=(0, 1),
)
NUMBERS = Signature("regression", (Column("x", "float64"), Column("y", "float64")), (Column("prediction", "float64"),))
ONE = Signature("regression", (Column("x", "float64"),), (Column("prediction", "float64"),))
TYPED = Signature("regression", (Column("on", "bool"), Column("when", "datetime")), (Column("prediction", "float64"),))


def tensor(name: str, kind: str, data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape if shape is not None else [len(data)], "datatype": kind, "data": data}


def infer(*tensors: dict[str, Any], signature: Signature = SIGNATURE, **more: Any) -> protocol.Call:
    return protocol.parse_infer(json.dumps({"inputs": list(tensors), **more}).encode(), signature)


def invoke(body: Any, signature: Signature = SIGNATURE) -> protocol.Call:
    return scoring.parse_invocation(json.dumps(body).encode(), "application/json", signature)


def reply(call: protocol.Call, answer: dict[str, Any]) -> Any:
    body, json_length = protocol.infer_answer(call, SIGNATURE, name="churn", version=3, ids=["p1", "p2"], answer=answer)
    assert json_length is None
    return json.loads(body)


def whole(**changes: Any) -> list[dict[str, Any]]:
    tensors = {
        "age": tensor("age", "FP64", [31.5, 40]),
        "visits": tensor("visits", "INT64", [1, 2]),
        "plan": tensor("plan", "BYTES", ["basic", "pro"]),
    }
    return [item for item in {**tensors, **changes}.values() if item is not None]


def test_one_tensor_per_column_in_any_order() -> None:
    call = infer(*reversed(whole()), id="r1")
    assert call.columns == {"age": [31.5, 40], "visits": [1, 2], "plan": ["basic", "pro"]}
    assert list(call.columns) == ["age", "visits", "plan"]
    assert (call.rows, call.request_id) == (2, "r1")


def test_a_matrix_over_all_columns_flat_or_nested() -> None:
    flat = infer(tensor("input-0", "FP32", [1, 2, 3, 4], [2, 2]), signature=NUMBERS)
    nested = infer(tensor("input-0", "FP32", [[1, 2], [3, 4]], [2, 2]), signature=NUMBERS)
    assert flat.columns == nested.columns == {"x": [1, 3], "y": [2, 4]}


def test_a_column_of_shape_n_by_one_is_a_column() -> None:
    assert infer(tensor("x", "FP64", [[1], [2]], [2, 1]), signature=ONE).columns == {"x": [1, 2]}


def test_null_is_a_missing_value_and_whole_floats_are_whole_numbers() -> None:
    call = infer(*whole(age=tensor("age", "FP64", [None, 1]), visits=tensor("visits", "FP64", [3.0, None])))
    assert call.columns["age"] == [None, 1]
    assert call.columns["visits"] == [3, None]
    assert type(call.columns["visits"][0]) is int


def test_truths_and_times() -> None:
    call = infer(
        tensor("on", "BOOL", [True, None]),
        tensor("when", "BYTES", ["2026-01-01T00:00:00Z", "2026-01-02"]),
        signature=TYPED,
    )
    assert call.columns["on"] == [True, None]
    with pytest.raises(InvalidInput, match="ISO 8601"):
        infer(tensor("on", "BOOL", [True]), tensor("when", "BYTES", ["soon"]), signature=TYPED)
    with pytest.raises(InvalidInput, match="true or false"):
        invoke({"dataframe_records": [{"on": 2, "when": "2026-01-01"}]}, TYPED)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (whole(plan=None), "'plan' is missing"),
        (whole(extra=tensor("agee", "FP64", [1, 2])), "no input 'agee'"),
        (whole(age=tensor("age", "FP64", ["a", "b"])), "no FP64"),
        (whole(age=tensor("age", "FP99", [1, 2])), "unknown datatype 'FP99'"),
        (whole(age=tensor("age", "FP64", [1, 2], [3])), "has 2 values"),
        (whole(age=tensor("age", "FP64", [1, 2], [])), "shape"),
        (whole(age=tensor("age", "FP64", [1, 2], [-1, -2])), "shape"),
        (whole(age=tensor("age", "FP64", [1, 2, 3, 4], [2, 2])), "expected [rows]"),
        (whole(age=tensor("age", "FP64", [1])), "rows"),
        (whole(visits=tensor("visits", "FP64", [1.5, 2])), "1.5 is not a whole number"),
        (whole(visits=tensor("visits", "INT64", [1.5, 2])), "no INT64"),
        (whole(visits=tensor("visits", "INT64", [2**63, 2])), "no INT64"),
        (whole(visits=tensor("visits", "UINT64", [2**63, 2])), "not a whole number"),
        (whole(visits=tensor("visits", "UINT8", [256, 2])), "'256' is no UINT8"),
        (whole(visits=tensor("visits", "BOOL", [True, False])), "True is not a number"),
        (whole(plan=tensor("plan", "INT64", [1, 2])), "1 is not a string"),
        (whole(other=tensor("age", "FP64", [1, 2])), "given twice"),
        (whole(age=tensor("age", "FP64", [[1], [2, 3]], [2, 1])), "does not have the shape"),
        ([tensor(n, k, []) for n, k in (("age", "FP64"), ("visits", "INT64"), ("plan", "BYTES"))], "no rows"),
        ([], "missing"),
    ],
)
def test_what_does_not_fit_the_signature_is_named(tensors: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        infer(*tensors)
    assert said in caught.value.message


def test_a_matrix_of_the_wrong_width_is_named() -> None:
    with pytest.raises(InvalidInput, match="has 3 columns, the model takes 2"):
        infer(tensor("m", "FP64", [1, 2, 3], [1, 3]), signature=NUMBERS)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"inputs": 3}', b'{"inputs": [{"name": "age"}]}', b"[" * 100_000, b'{"id": 7}'],
)
def test_malformed_bodies_are_input_errors(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        protocol.parse_infer(body, SIGNATURE)
    with pytest.raises(InvalidInput):
        scoring.parse_invocation(body, "application/json", SIGNATURE)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(number: str) -> None:
    body = f'{{"inputs": [{{"name": "x", "shape": [1], "datatype": "FP64", "data": [{number}]}}]}}'
    with pytest.raises(InvalidInput):
        protocol.parse_infer(body.encode(), ONE)


def test_finite_numbers_whose_sum_overflows_are_taken() -> None:
    assert infer(tensor("x", "FP64", [1e308, 1e308, 1e308]), signature=ONE).rows == 3


def test_every_mlflow_form_means_the_same_rows() -> None:
    rows = [{"age": 31.5, "visits": 1, "plan": "basic"}, {"age": 40, "visits": 2, "plan": "pro"}]
    split = {"columns": ["plan", "age", "visits"], "data": [["basic", 31.5, 1], ["pro", 40, 2]], "index": [7, 8]}
    lists = [[31.5, 1, "basic"], [40, 2, "pro"]]
    columns = {"age": [31.5, 40], "visits": [1, 2], "plan": ["basic", "pro"]}
    bodies = [
        {"dataframe_records": rows},
        {"dataframe_split": split},
        {"instances": rows},
        {"instances": lists},
        {"inputs": lists},
        {"inputs": columns},
    ]
    assert all(invoke(body).columns == columns for body in bodies)
    csv = b"plan,visits,age\r\nbasic,1,31.5\r\npro,2,40\r\n"
    assert scoring.parse_invocation(csv, "text/csv", SIGNATURE).columns == columns


def test_an_empty_csv_cell_is_missing_and_a_wrong_one_is_named() -> None:
    assert scoring.parse_invocation(b"x\n1\n\n2\n", "text/csv", ONE).columns == {"x": [1.0, 2.0]}
    assert scoring.parse_invocation(b"x,y\n,1\n", "text/csv", NUMBERS).columns == {"x": [None], "y": [1.0]}
    with pytest.raises(InvalidInput, match="row 1: 'abc'"):
        scoring.parse_invocation(b"x\n1\nabc\n", "text/csv", ONE)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": [[1, 2, "a"]], "inputs": [[1, 2, "a"]]},
        {"instances": [1, 2]},
        {"instances": [[1, 2]]},
        {"inputs": "text"},
        {"inputs": {"age": 1}},
        {"dataframe_records": []},
        {"dataframe_records": [{"age": 1}]},
        {"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["age", "visits", "plan"], "data": [[1]]}},
        {"instances": [[1, 2, "a"]], "params": {"temperature": 1}},
    ],
)
def test_mlflow_bodies_that_cannot_be_are_refused(body: Any) -> None:
    with pytest.raises(InvalidInput):
        invoke(body)


def test_a_response_carries_one_id_per_row_and_only_the_outputs_asked_for() -> None:
    answer = {"prediction": [1, 0], "probabilities": [[0.2, 0.8], [0.9, 0.1]]}
    both = reply(infer(*whole()), answer)
    assert both["id"] == "p1"
    assert both["parameters"] == {"prediction_ids": ["p1", "p2"]}
    assert both["outputs"][0] == {"name": "prediction", "datatype": "INT64", "shape": [2], "data": [1, 0]}
    assert both["outputs"][1]["shape"] == [2, 2]
    assert both["outputs"][1]["data"] == [0.2, 0.8, 0.9, 0.1]
    call = infer(*whole(), id="mine", outputs=[{"name": "prediction"}])
    one = reply(call, answer)
    assert one["id"] == "mine"
    assert [output["name"] for output in one["outputs"]] == ["prediction"]
    with pytest.raises(InvalidInput, match="no output 'score'"):
        infer(*whole(), outputs=[{"name": "score"}])


def test_metadata_names_inputs_with_their_datatypes() -> None:
    document = protocol.metadata("churn", [1, 2], SIGNATURE)
    assert document["versions"] == ["1", "2"]
    assert document["inputs"][2] == {"name": "plan", "datatype": "BYTES", "shape": [-1]}
    assert document["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]}


@pytest.mark.parametrize("huge", [2**70, -(2**70)])
def test_a_whole_number_beyond_64_bits_is_a_float(huge: int) -> None:
    values = infer(*whole(age=tensor("age", "FP64", [huge, 1]))).columns["age"]
    assert (values, type(values[0]), type(values[1])) == ([float(huge), 1], float, int)
    with pytest.raises(InvalidInput, match="finite"):
        infer(*whole(age=tensor("age", "FP64", [10**400, 1])))
