"""ONNX: the model as a graph that onnxruntime answers, written only when it answers the stored rows as the model does."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.core.extras import need
from mlops_tui.domains.registry import package as packages

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

    Array = Any

FILE, REPORT = "model.onnx", "agreement.json"
TOLERANCE = 1e-4
"""Of numbers, relative to the spread of the model's answers: single precision has seven digits, trees compare thresholds."""
SAME_LABELS = 1.0
EXTRA = "onnx-export"


def make(version: Version, package: Path, folder: Path) -> str:
    """Convert, ask both for every stored row, write graph and report; what was found, in a sentence.

    Raises Unavailable (skl2onnx or onnxruntime is missing), InvalidInput (a part cannot be converted, or the answers differ).
    """
    convert, runtime = need("skl2onnx", EXTRA), need("onnxruntime", EXTRA)
    described, rows = packages.signature(package), packages.sample(package)
    estimator = packages.load(package)
    given = packages.prepare(described, rows)
    reports: list[str] = []
    for double in (True, False):  # exact where every part can be; else in single precision
        try:
            content = _convert(convert, estimator, described, double)
            report = agreement(runtime, content, estimator, described, given)
        except WorkbenchError as error:
            reports.append(error.message)
            continue
        if report["ok"]:
            (folder / FILE).write_bytes(content)
            report["precision"] = "double" if double else "single"
            (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            for name in (packages.MODEL, packages.PROFILE):
                (package / name).unlink(missing_ok=True)
            return f"{report['words']} over {report['rows']} stored rows, {report['precision']} precision."
        reports.append(f"ONNX answers differ from the model's: {report['words']} over {report['rows']} stored rows.")
    raise InvalidInput(
        f"{version.ref} cannot be exported as ONNX. {reports[-1]}", hint="Export it as container or mlflow."
    )


def _convert(convert: Any, estimator: Any, described: dict[str, Any], double: bool) -> bytes:
    kinds = _types(convert, described, double)
    unwrapped = _unwrapped(estimator)
    options = {id(unwrapped): {"zipmap": False}} if hasattr(unwrapped, "predict_proba") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = convert.to_onnx(unwrapped, initial_types=kinds, options=options)
    except Exception as error:  # the converter has a kind of exception for each part it does not know
        first = " ".join(str(error).split())[:200]
        raise InvalidInput(f"{type(error).__name__}: {first}") from error
    return bytes(graph.SerializeToString())


def _unwrapped(estimator: Any) -> Any:
    """The estimator itself; ours around it have no counterpart in ONNX, so they are refused by name."""
    module = type(estimator).__module__
    if module.startswith("mlops_tui."):
        raise InvalidInput(f"ONNX knows no {type(estimator).__name__}, which this model is wrapped in.")
    return estimator


def _types(convert: Any, described: dict[str, Any], double: bool) -> list[tuple[str, Any]]:
    """A column each by name, or all together where the model was fitted without names."""
    types = convert.common.data_types
    number = types.DoubleTensorType if double else types.FloatTensorType
    if not described["frame"]:
        return [("rows", number([None, len(described["inputs"])]))]
    known = {"int64": types.Int64TensorType, "bool": types.BooleanTensorType, "string": types.StringTensorType}
    bad = [item["name"] for item in described["inputs"] if item["type"] == "datetime"]
    if bad:
        raise InvalidInput(f"ONNX has no times, which the input {bad[0]!r} is.")
    return [(item["name"], known.get(item["type"], number)([None, 1])) for item in described["inputs"]]


def agreement(runtime: Any, content: bytes, estimator: Any, described: dict[str, Any], given: Any) -> dict[str, Any]:
    """Ask graph and model for the same rows: `ok`, the share of equal labels or the largest difference, in `words` too."""
    import numpy as np

    try:
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        answers = session.run(None, _feed(session, given))
    except Exception as error:  # onnxruntime has a kind of exception for each trouble, none of them public
        raise InvalidInput(f"onnxruntime: {' '.join(str(error).split())[:200]}") from error
    theirs, ours = np.asarray(answers[0]).ravel(), np.asarray(estimator.predict(given)).ravel()
    if len(described["outputs"]) < 2 and ours.dtype.kind in "fiu":
        worst = float(np.max(np.abs(theirs.astype(float) - ours.astype(float)))) if len(ours) else 0.0
        spread = float(np.std(ours)) or 1.0
        ok = worst <= TOLERANCE * max(spread, 1e-12)
        return {"ok": ok, "rows": len(ours), "largest_difference": worst, "words": f"largest difference {worst:.2g}"}
    same = float(np.mean(theirs.astype(str) == ours.astype(str)))
    worst = 0.0
    if len(answers) > 1 and hasattr(estimator, "predict_proba"):
        worst = float(np.max(np.abs(np.asarray(answers[1]) - np.asarray(estimator.predict_proba(given)))))
    ok = same >= SAME_LABELS and worst <= TOLERANCE
    words = f"{same:.1%} of the labels are the same, probabilities differ by {worst:.2g} at most"
    return {"ok": ok, "rows": len(ours), "same_labels": same, "largest_difference": worst, "words": words}


def _feed(session: Any, given: Any) -> dict[str, Array]:
    import numpy as np

    dtypes = {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int64)": np.int64,
        "tensor(bool)": np.bool_,
    }
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].name == "rows":
        return {"rows": np.asarray(given).astype(dtypes[inputs[0].type])}
    return {
        one.name: np.asarray(given[one.name]).astype(dtypes.get(one.type, np.object_)).reshape(-1, 1) for one in inputs
    }
