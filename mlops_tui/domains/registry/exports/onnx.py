"""ONNX: the model as a graph that onnxruntime answers, written only when it answers the stored rows as the model does."""

from __future__ import annotations

import copy
import importlib
import json
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.core.extras import need
from mlops_tui.domains.registry import package as packages
from mlops_tui.domains.registry.engines.boosters import library_of

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry

    Array = Any

FILE, REPORT = "model.onnx", "agreement.json"
TIMEOUT_S = 300.0
TOLERANCE = 1e-4
"""Of numbers, relative to the spread of the model's answers: single precision has seven digits, trees compare thresholds."""
WAYS = ("double", "mixed", "single")
"""How numbers are computed: as the model does if that can be, else with the rounding of ONNX; the stored rows decide."""
SINGLE = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree", "GradientBoosting")
"""Estimators that compare in single precision."""
BACK = ("expm1", "exp", "square")
EXTRA = "onnx-export"
# The newest form of trees that the converters of XGBoost and LightGBM write.
OPSETS = {"": 15, "ai.onnx.ml": 3}
BOOSTERS = {"xgboost": "XGBoost", "lightgbm": "LightGbm"}


def make(registry: Registry, version: Version, package: Path, folder: Path) -> str:
    """Convert, ask both for every stored row, write graph and report; what was found, in a sentence.

    Raises Unavailable (skl2onnx or onnxruntime is missing), InvalidInput (a part cannot be converted, or the answers differ).
    """
    need("skl2onnx", EXTRA)
    need("onnxruntime", EXTRA)
    said = registry.ask(version.ref, convert, {"ref": version.ref, "to": str(folder)}, timeout_s=TIMEOUT_S)["said"]
    for name in (packages.MODEL, packages.PROFILE):
        (package / name).unlink(missing_ok=True)
    return str(said)


def convert(package: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Write graph and report of a package to the folder `to`: what was found is `said`. Runs aside. Raises as `make`."""
    folder, runtime = Path(order["to"]), need("onnxruntime", EXTRA)
    described, rows = packages.signature(package), packages.sample(package)
    estimator = packages.load(package)
    given = packages.prepare(described, rows)
    reasons: list[str] = []
    for way in WAYS:
        try:
            content = converted(estimator, described, way)
            report = {**agreement(runtime, content, estimator, described, given), "precision": way}
        except WorkbenchError as error:
            reasons.append(error.message)
            continue
        if report["ok"]:
            (folder / FILE).write_bytes(content)
            (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            return {"said": f"{report['words']} over {report['rows']} stored rows, {way} precision."}
        reasons.append(f"ONNX answers otherwise: {report['words']} over {report['rows']} stored rows")
    reason = next((one for one in reasons if one.startswith("ONNX answers")), reasons[0])
    raise InvalidInput(
        f"{order['ref']} cannot be exported as ONNX: {reason}.", hint="Export it as container or mlflow."
    )


def converted(estimator: Any, described: dict[str, Any], way: str) -> bytes:
    """The graph of an estimator. A target that was transformed is transformed back by nodes of ours.

    Raises Unavailable without skl2onnx, InvalidInput for a part that cannot be converted.
    """
    convert = need("skl2onnx", EXTRA)
    know_boosters(convert)
    estimator, back = _unwrapped(estimator)
    prepared = _cast(convert, estimator) if way == "mixed" else estimator
    last = prepared.steps[-1][1] if hasattr(prepared, "steps") else prepared
    options = {id(last): {"zipmap": False}} if hasattr(last, "predict_proba") else None
    kinds = _types(convert, estimator, described, single=way == "single")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            more = {"target_opset": OPSETS} if library_of(last) else {}
            graph = convert.to_onnx(_nameless(prepared), initial_types=kinds, options=options, **more)
    except Exception as error:  # the converter has a kind of exception for each part it does not know
        raise InvalidInput(_said(error)) from error
    return bytes((_undone(graph, back) if back else graph).SerializeToString())


def _nameless(estimator: Any) -> Any:
    """XGBoost's converter takes only columns that are called f0, f1, ...: it gets the same trees without names."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if library_of(last) != "xgboost":
        return estimator
    changed = copy.deepcopy(estimator)
    (changed.steps[-1][1] if hasattr(changed, "steps") else changed).get_booster().feature_names = None
    return changed


def know_boosters(convert: Any) -> None:
    """Tell the converter about XGBoost and LightGBM, where onnxmltools is installed."""
    if find_spec("onnxmltools") is None:
        return
    shapes = need("skl2onnx.common.shape_calculator", EXTRA)
    for library, prefix, short in (("xgboost", "XGBoost", "XGB"), ("lightgbm", "LightGbm", "LGBM")):
        if find_spec(library) is None:
            continue
        tools = importlib.import_module(f"onnxmltools.convert.{library}.operator_converters.{BOOSTERS[library]}")
        function = getattr(tools, f"convert_{library}")
        for kind, shape in (
            ("Classifier", shapes.calculate_linear_classifier_output_shapes),
            ("Regressor", shapes.calculate_linear_regressor_output_shapes),
        ):
            model = getattr(importlib.import_module(library), f"{short}{kind}")
            options = {"zipmap": [True, False, "columns"], "nocl": [True, False]} if kind == "Classifier" else None
            convert.update_registered_converter(model, f"{prefix}{short}{kind}", shape, function, options=options)


def _unwrapped(estimator: Any) -> tuple[Any, str]:
    """The estimator without what only changes its target, and the name of the function that changes it back ("" for none)."""
    from sklearn.pipeline import Pipeline

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    for one in (estimator, last):
        if type(one).__module__.startswith("mlops_tui."):
            raise InvalidInput(f"ONNX has no counterpart of {type(one).__name__}, which this model is wrapped in")
    if type(last).__name__ != "TransformedTargetRegressor":
        return estimator, ""
    back = getattr(getattr(last.transformer_, "inverse_func", None), "__name__", "")
    if back not in BACK:
        raise InvalidInput(f"ONNX has no counterpart of the target transformation {back or 'of this model'}")
    inner = last.regressor_
    return (Pipeline([*estimator.steps[:-1], ("model", inner)]) if last is not estimator else inner), back


def _said(error: Exception) -> str:
    """What the converter could not do, short."""
    text = " ".join(str(error).split())
    found = re.search(r"for type '<class '([\w.]+)'>", text)
    return (
        f"ONNX has no counterpart of {found[1].rpartition('.')[2]}"
        if found
        else f"{type(error).__name__}: {text[:160]}"
    )


def _cast(convert: Any, estimator: Any) -> Any:
    """Trees of scikit-learn compare in single precision what was prepared in double: a cast between the two does the same."""
    from sklearn.pipeline import Pipeline

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if not type(last).__name__.startswith(SINGLE):
        raise InvalidInput("no part of it is computed in single precision")
    before = list(estimator.steps[:-1]) if hasattr(estimator, "steps") else []
    cast = convert.sklapi.CastTransformer()
    return Pipeline([*before, ("to_single", cast), ("model", last)])


def _undone(graph: Any, back: str) -> Any:
    """The graph with the target transformed back behind it."""
    helper, numpy_helper = need("onnx.helper", EXTRA), need("onnx.numpy_helper", EXTRA)
    import numpy as np

    output = graph.graph.output[0]
    kind = output.type.tensor_type.elem_type
    name, values = output.name, f"{output.name}_transformed"
    for node in graph.graph.node:
        for at, each in enumerate(node.output):
            if each == name:
                node.output[at] = values
    one = np.ones(1, dtype=helper.tensor_dtype_to_np_dtype(kind))
    graph.graph.initializer.append(numpy_helper.from_array(one, "back_one"))
    raised = f"{name}_raised"
    nodes = {
        "expm1": [("Exp", [values], raised), ("Sub", [raised, "back_one"], name)],
        "exp": [("Exp", [values], name)],
        "square": [("Mul", [values, values], name)],
    }[back]
    graph.graph.node.extend(helper.make_node(kind_, inputs, [out]) for kind_, inputs, out in nodes)
    return graph


def _types(convert: Any, estimator: Any, described: dict[str, Any], *, single: bool) -> list[tuple[str, Any]]:
    """A column each where the first part takes columns by name, else all together as one matrix."""
    types = convert.common.data_types
    number = types.FloatTensorType if single else types.DoubleTensorType
    first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
    if type(first).__name__ != "ColumnTransformer":
        words = [item["name"] for item in described["inputs"] if item["type"] in {"string", "datetime"}]
        if words:
            raise InvalidInput(
                f"the input {words[0]!r} is no number, and nothing in the model turns it into one by name"
            )
        return [("rows", number([None, len(described["inputs"])]))]
    times = [item["name"] for item in described["inputs"] if item["type"] == "datetime"]
    if times:
        raise InvalidInput(f"ONNX has no times, which the input {times[0]!r} is")
    # Whole numbers go in as the others do: the parts that join columns want one type.
    return [
        (item["name"], (types.StringTensorType if item["type"] == "string" else number)([None, 1]))
        for item in described["inputs"]
    ]


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
    ok = same == 1.0 and worst <= TOLERANCE
    words = f"{same:.1%} of the labels are the same, probabilities differ by {worst:.2g} at most"
    return {"ok": ok, "rows": len(ours), "same_labels": same, "largest_difference": worst, "words": words}


def _feed(session: Any, given: Any) -> dict[str, Array]:
    """The rows as the graph takes them: one matrix, or a column each in their order (names may have been made plain)."""
    import numpy as np

    dtypes = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].name == "rows":
        return {"rows": np.asarray(given).astype(dtypes[inputs[0].type])}
    return {
        one.name: np.asarray(given.iloc[:, at]).astype(dtypes.get(one.type, np.object_)).reshape(-1, 1)
        for at, one in enumerate(inputs)
    }
