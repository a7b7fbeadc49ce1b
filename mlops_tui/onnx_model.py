"""An ONNX model as an estimator, so that it is kept, registered and served like any other. Answers come from onnxruntime."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.extras import need

_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def load(content: bytes) -> OnnxModel:
    """The model in these bytes, with `predict_proba` where it has a second output. Raises InvalidInput, Unavailable."""
    outputs = OnnxModel(content).outputs
    return OnnxClassifier(content) if len(outputs) > 1 else OnnxModel(content)


class OnnxModel:
    """`predict(rows)` is the first output. Columns go in by name, or all together where there is one input."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._loaded: Any = None

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return [one.name for one in self._session().get_outputs()]

    def predict(self, rows: Any) -> Any:
        """One answer a row."""
        answer = self._run(rows)[0]
        return answer.ravel() if answer.ndim == 2 and answer.shape[1] == 1 else answer

    def _run(self, rows: Any) -> list[Any]:
        import numpy as np

        session = self._session()
        inputs = session.get_inputs()
        if len(inputs) == 1:
            given = {inputs[0].name: np.asarray(rows).astype(_type(inputs[0]))}
        else:
            given = {one.name: np.asarray(rows[one.name]).astype(_type(one)).reshape(-1, 1) for one in inputs}
        return list(session.run(None, given))

    def _session(self) -> Any:
        if self._loaded is None:
            runtime = need("onnxruntime", "onnx")
            try:
                self._loaded = runtime.InferenceSession(self.content, providers=["CPUExecutionProvider"])
            except Exception as error:  # onnxruntime has a kind of exception for each trouble, none of them public
                first = str(error).strip().splitlines()[:1]
                raise InvalidInput(f"This is no ONNX model that can be run: {' '.join(first)[:200]}.") from error
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_loaded": None}


class OnnxClassifier(OnnxModel):
    """The second output holds a probability a class: an array, or one dict a row as converters write it.

    `classes_` is known once it has answered; an array has its columns 0, 1, ... for names.
    """

    def predict_proba(self, rows: Any) -> Any:
        """Rows by classes."""
        import numpy as np

        answer = self._run(rows)[1]
        if isinstance(answer, list):
            self.classes_ = list(answer[0]) if answer else []
            return np.array([list(row.values()) for row in answer])
        self.classes_ = list(range(answer.shape[1]))
        return answer


def _type(one: Any) -> str:
    if one.type not in _TYPES:
        raise InvalidInput(f"The input '{one.name}' of the ONNX model is a {one.type}, which no table holds.")
    return _TYPES[one.type]
