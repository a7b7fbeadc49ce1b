"""Open Inference Protocol v2: request bodies to columns, answers to response bodies. Pure.

Specification: https://github.com/kserve/open-inference-protocol (REST), with the binary tensor data extension of Triton.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving import tensors
from mlops_tui.domains.serving.columns import checked, plain_row
from mlops_tui.domains.serving.records import Signature
from mlops_tui.domains.serving.tensors import Tensor, datatype_of

EXTENSIONS = ("binary_tensor_data", "model_repository")
# Says how many bytes of a body are JSON, when tensors follow it.
JSON_LENGTH = "inference-header-content-length"


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One checked request: values per input in the signature's order, `rows` of them; `outputs` wanted (empty: all).

    `binary` names the outputs that are wanted as bytes.
    """

    columns: dict[str, list[Any]]
    rows: int
    request_id: str = ""
    outputs: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Infer(msgspec.Struct):
    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_FLOATS = frozenset({"FP64", "FP32"})
_infer = msgspec.json.Decoder(_Infer)
_encode = msgspec.json.Encoder().encode


def parse_infer(body: bytes, signature: Signature, json_length: str | None = None) -> Call:
    """Read a v2 infer request; `json_length` is the header of that name, when tensors follow the JSON.

    Inputs are one tensor per column (shape [n] or [n, 1]) or one tensor [n, k] over all columns in the signature's order.
    Raises InvalidInput with the sentence for the client.
    """
    text, rest = _parts(body, json_length)
    request = decode(_infer, text)
    if json_length is None and len(request.inputs) == 1 and not request.outputs and not request.parameters:
        plain = _plain(request.inputs[0], signature)
        if plain is not None:
            return Call(plain, 1, request.id)
    columns = _columns(request.inputs, _blobs(request.inputs, rest), signature)
    known = [column.name for column in signature.outputs]
    outputs = request.outputs or ()
    for output in outputs:
        if output.name not in known:
            raise InvalidInput(f"The model has no output {output.name[:80]!r}.", hint=f"It has {', '.join(known)}.")
    every = (request.parameters or {}).get("binary_data_output") is True
    wishes = {output.name: (output.parameters or {}).get("binary_data", every) is True for output in outputs}
    binary = frozenset(name for name in known if wishes.get(name, every))
    values, rows = checked(signature, columns)
    return Call(values, rows, request.id, tuple(output.name for output in outputs), binary)


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
) -> tuple[bytes, int | None]:
    """Build a v2 infer response: its body, and how much of it is JSON when binary tensors follow (else None).

    `answer` maps output names to lists (probabilities: one list per row).
    """
    outputs, blobs = [], []
    for column in signature.outputs:
        values = answer.get(column.name)
        if values is None or (call.outputs and column.name not in call.outputs):
            continue
        shape, flat = [len(values)], values
        if values and isinstance(values[0], list):
            shape = [len(values), len(values[0])]
            flat = values[0] if len(values) == 1 else [item for row in values for item in row]
        datatype = datatype_of(column.type)
        output: dict[str, Any] = {"name": column.name, "datatype": datatype, "shape": shape}
        if column.name in call.binary:
            blobs.append(tensors.to_bytes(datatype, flat))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = flat
        outputs.append(output)
    reply = {
        "model_name": name,
        "model_version": str(version),
        "id": call.request_id or ids[0],
        "parameters": {"prediction_ids": ids},
        "outputs": outputs,
    }
    text = _encode(reply)
    return (b"".join([text, *blobs]), len(text)) if blobs else (text, None)


def metadata(name: str, versions: list[int], signature: Signature) -> dict[str, Any]:
    """Build the v2 model metadata; a shape of -1 is the number of rows."""
    wide = {"probabilities": len(signature.labels)}
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": "sklearn",
        "inputs": [{"name": item.name, "datatype": datatype_of(item.type), "shape": [-1]} for item in signature.inputs],
        "outputs": [
            {
                "name": item.name,
                "datatype": datatype_of(item.type),
                "shape": [-1, wide[item.name]] if item.name in wide else [-1],
            }
            for item in signature.outputs
        ],
    }


def _plain(tensor: Tensor, signature: Signature) -> dict[str, Any] | None:
    """The columns of one row of floats in one tensor, which most requests to models of numbers are; None for any other."""
    width = len(signature.names)
    if tensor.shape != [1, width] or tensor.datatype not in _FLOATS or tensor.parameters or not tensor.data:
        return None
    if not signature.all_floats or (width == 1 and tensor.name in signature.names):
        return None
    return plain_row(signature, tensor.data)


def _columns(given: list[Tensor], blobs: list[bytes | None], signature: Signature) -> dict[str, list[Any]]:
    names = [column.name for column in signature.inputs]
    if len(given) == 1 and len(given[0].shape) == 2 and (len(names) > 1 or given[0].name not in names):
        tensor = given[0]
        if tensor.shape[1] != len(names):
            raise InvalidInput(
                f"Tensor {tensor.name!r} has {tensor.shape[1]} columns, the model takes {len(names)}.",
                hint=f"In this order: {', '.join(names)}.",
            )
        flat = tensors.values_of(tensor, blobs[0])
        return {name: flat[place :: len(names)] for place, name in enumerate(names)}
    columns: dict[str, list[Any]] = {}
    for tensor, raw in zip(given, blobs, strict=True):
        if tensor.name in columns:
            raise InvalidInput(f"The input {tensor.name!r} is given twice.", hint="Send each input once.")
        if tensor.shape[1:] not in ([], [1]):
            raise InvalidInput(
                f"Input {tensor.name!r} has shape {tensor.shape[:8]}, expected [rows].", hint="Send one value per row."
            )
        columns[tensor.name] = tensors.values_of(tensor, raw)
    return columns


def _parts(body: bytes, json_length: str | None) -> tuple[bytes, memoryview]:
    if json_length is None:
        return body, memoryview(b"")
    if not json_length.isascii() or not json_length.isdigit() or len(json_length) > 12 or int(json_length) > len(body):
        raise InvalidInput(
            f"The header Inference-Header-Content-Length says {json_length[:40]!r}, the body has {len(body)} bytes.",
            hint="It is the length of the JSON before the tensors.",
        )
    return body[: int(json_length)], memoryview(body)[int(json_length) :]


def _blobs(given: list[Tensor], rest: memoryview) -> list[bytes | None]:
    """The bytes of each tensor that come after the JSON, None where it has its data there."""
    found: list[bytes | None] = []
    at = 0
    for tensor in given:
        size = tensors.binary_size(tensor)
        found.append(None if size is None else bytes(rest[at : at + size]))
        at += size or 0
    if at != len(rest):
        raise InvalidInput(
            f"{len(rest)} bytes follow the JSON, the inputs tell of {at}.",
            hint="Send the header Inference-Header-Content-Length and a binary_data_size with each such input.",
        )
    return found
