"""A model folder for MLServer (https://mlserver.readthedocs.io), which KServe runs for the Open Inference Protocol as well.

Its runtime travels with the model, so that whoever serves it needs the libraries of the model and not this workbench, unless
the model holds classes of ours. Inputs and outputs are called and shaped as at our own gateway.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui._version import __version__
from mlops_tui.domains.registry import package as packages
from mlops_tui.domains.registry.exports import container, mlflow

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL"}
RUNTIME = '''\
"""Serves the package of this folder: named columns in, `prediction` and `probabilities` out."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from mlserver import MLModel
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse, ResponseOutput

FOLDER = Path(__file__).parent / "package"
DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL"}


class Model(MLModel):
    async def load(self):
        self.estimator = joblib.load(FOLDER / "model.joblib")
        self.signature = json.loads((FOLDER / "signature.json").read_text(encoding="utf-8"))
        return True

    async def predict(self, payload):
        rows = self._rows(payload)
        ask = {"prediction": self.estimator.predict, "probabilities": getattr(self.estimator, "predict_proba", None)}
        outputs = [self._output(one, np.asarray(ask[one["name"]](rows))) for one in self.signature["outputs"]]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)

    def _rows(self, payload):
        """Columns in order, bare values where it was fitted without names, texts where it takes those."""
        given = {one.name: one for one in payload.inputs}
        missing = [one["name"] for one in self.signature["inputs"] if one["name"] not in given]
        if missing:
            raise InferenceError(f"The input {missing[0]} is missing.")
        columns = {one["name"]: self._values(given[one["name"]], one["type"]) for one in self.signature["inputs"]}
        if len({len(values) for values in columns.values()}) > 1:
            raise InferenceError("The inputs differ in length.")
        frame = pd.DataFrame(columns)
        if self.signature.get("texts"):
            return frame.iloc[:, 0].tolist()
        return frame if self.signature["frame"] else frame.to_numpy()

    def _values(self, given, kind):
        values = list(given.data)
        if values and isinstance(values[0], list):
            values = [value for row in values for value in row]
        values = [value.decode() if isinstance(value, bytes) else value for value in values]
        try:
            if kind == "datetime":
                return pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=True)
            if kind == "string":
                return pd.Series(values, dtype="str")
            if any(value is None for value in values):
                return pd.Series(values, dtype="float64")
            return pd.Series(values, dtype=kind)
        except (ValueError, TypeError) as error:
            raise InferenceError(f"The input {given.name} holds no {kind}: {error}") from error

    @staticmethod
    def _output(described, values):
        datatype = DATATYPES.get(described["type"], "BYTES")
        flat = values.ravel().tolist()
        data = [str(value) for value in flat] if datatype == "BYTES" else flat
        return ResponseOutput(name=described["name"], datatype=datatype, shape=list(values.shape), data=data)
'''
README = """\
# {ref} for MLServer

Package sha256 `{sha}`; every file's hash is in `export.json` (`mlops models verify FOLDER`).

    pip install -r requirements.txt mlserver
    mlserver start .
    curl http://127.0.0.1:8080/v2/models/{name}/infer -H 'Content-Type: application/json' -d @request.json

`settings.json` keeps the model in the server's own process: with the default of one worker, MLServer 1.7 does not become ready
beside uvloop 0.22 and later.
"""


def make(version: Version, package: Path, folder: Path) -> str:
    """Write model and server settings, the runtime, requirements and an example request beside the package."""
    described, found = packages.signature(package), packages.environment(package)
    runtime = f"runtime_{version.sha[:12]}"  # modules of two models in one server must not be taken for each other
    (folder / f"{runtime}.py").write_text(RUNTIME, encoding="utf-8")
    _write(folder / "model-settings.json", _settings(version, described, f"{runtime}.Model"))
    _write(folder / "settings.json", {"parallel_workers": 0})
    _write(folder / "request.json", container.request(package))
    libraries = dict(found.get("libraries", {}))
    if mlflow.holds_ours(package):
        libraries["mlops-tui"] = __version__
    pinned = "".join(f"{name}=={number}\n" for name, number in sorted(libraries.items()))
    (folder / "requirements.txt").write_text(pinned, encoding="utf-8")
    text = README.format(ref=version.ref, sha=version.sha, name=version.model)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return "Serve it there with: mlserver start FOLDER"


def _settings(version: Version, described: dict[str, Any], implementation: str) -> dict[str, Any]:
    return {
        "name": version.model,
        "implementation": implementation,
        "platform": "mlops-tui",
        "inputs": [_tensor(one) for one in described["inputs"]],
        "outputs": [_tensor(one) for one in described["outputs"]],
        "parameters": {
            "version": str(version.version),
            "uri": "./package",
            "extra": {"model": version.ref, "package_sha256": version.sha},
        },
    }


def _tensor(column: dict[str, str]) -> dict[str, Any]:
    wide = column["name"] == "probabilities"
    datatype = DATATYPES.get(column["type"], "BYTES")
    return {"name": column["name"], "datatype": datatype, "shape": [-1, -1] if wide else [-1]}


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
