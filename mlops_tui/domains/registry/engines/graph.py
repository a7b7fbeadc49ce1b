"""ONNX graphs: asked through onnxruntime, for models that came as one and for those a conversion agrees with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.extras import need
from mlops_tui.domains.registry.engines.reference import Answers, Columns, FrameEngine

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class GraphEngine:
    """One session with one thread; rows with nulls, which graphs take for numbers, are for the reference to answer or refuse.

    Raises Unavailable without onnxruntime, and whatever that raises for a damaged file.
    """

    name = "onnx"
    tolerance = 1e-5
    FILE = "model.onnx"

    def __init__(self, path: Path, described: dict[str, Any], reference: FrameEngine | None = None) -> None:
        self._reference = reference
        self._session = open_session(path)
        self._names = [item["name"] for item in described["inputs"]]
        self._probabilities = any(item["name"] == "probabilities" for item in described["outputs"])
        self._labels = described.get("labels") or []
        self._inputs = [(item.name, _TYPES.get(item.type, "float32")) for item in self._session.get_inputs()]
        self._outputs = [item.name for item in self._session.get_outputs()][: 2 if self._probabilities else 1]
        self._matrix = len(self._inputs) == 1 and (len(self._names) > 1 or self._inputs[0][0] not in self._names)

    def answer(self, columns: Columns, rows: int) -> Answers:
        if self._reference is not None and any(None in values for values in columns.values()):
            return self._reference.answer(columns, rows)
        if self._matrix:
            ((name, kind),) = self._inputs
            feed = {name: np.array([columns[column] for column in self._names], dtype=kind).T}
        else:
            feed = {name: np.array(columns[name], dtype=kind).reshape(-1, 1) for name, kind in self._inputs}
        found = self._session.run(self._outputs, feed)
        predicted = np.asarray(found[0])
        predicted = predicted.reshape(rows, -1)[:, 0] if predicted.size == rows else predicted
        return predicted.tolist(), np.asarray(found[1]).tolist() if self._probabilities else None


def open_session(graph: Path | bytes) -> Any:
    """Open a graph, a file or its bytes, with one thread; Unavailable without onnxruntime."""
    runtime = need("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(
        graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
    )


class GraphModel:
    """An ONNX file as an estimator: what is pickled are its bytes, and the session is opened where it is first asked."""

    def __init__(self, content: bytes, names: list[str], task: str) -> None:
        self.content = content
        self.feature_names_in_ = np.array(names, dtype=object)
        self.task = task
        self._session: Any = None

    def predict(self, rows: pd.DataFrame) -> Any:
        """Return the graph's first output, one value per row."""
        found = np.asarray(self._run(rows)[0])
        return found.reshape(len(rows), -1)[:, 0] if found.size == len(rows) else found

    def _run(self, rows: pd.DataFrame) -> list[Any]:
        if self._session is None:
            self._session = open_session(self.content)
        inputs = self._session.get_inputs()
        names = [str(name) for name in self.feature_names_in_]
        if len(inputs) == 1 and (len(names) > 1 or inputs[0].name not in names):
            kind = _TYPES.get(inputs[0].type, "float32")
            return list(self._session.run(None, {inputs[0].name: rows[names].to_numpy(dtype=kind)}))
        feed = {
            one.name: rows[one.name].to_numpy(dtype=_TYPES.get(one.type, "float32")).reshape(-1, 1) for one in inputs
        }
        return list(self._session.run(None, feed))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}
