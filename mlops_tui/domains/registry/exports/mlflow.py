"""An MLflow model folder, as `mlflow.pyfunc.load_model` reads it (https://mlflow.org/docs/latest/ml/model/).

The loader travels with the model, so that whoever loads it needs the libraries of the model and not this workbench, unless
the model holds classes of ours.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui._version import __version__
from mlops_tui.core import clock
from mlops_tui.domains.registry import package as packages

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

TYPES = {"int64": "long", "float64": "double", "bool": "boolean", "string": "string", "datetime": "datetime"}
LOADER = '''\
"""Loads the model of this folder for mlflow.pyfunc."""

import json
from pathlib import Path

import joblib


class Model:
    """Answers rows as the registry's own servers do: columns in order, bare values where it was fitted without names."""

    def __init__(self, folder):
        self.estimator = joblib.load(folder / "model.joblib")
        self.signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))

    def predict(self, rows, params=None):
        ordered = rows[[item["name"] for item in self.signature["inputs"]]]
        return self.estimator.predict(ordered if self.signature["frame"] else ordered.to_numpy())


def _load_pyfunc(path):
    return Model(Path(path))
'''


def make(version: Version, package: Path, folder: Path) -> str:
    """Turn the package folder into an MLflow model; what was checked, in a sentence."""
    described, found = packages.signature(package), packages.environment(package)
    (folder / "code").mkdir()
    loader = f"load_{version.sha[:12]}"  # modules of two models in one process must not be taken for each other
    (folder / "code" / f"{loader}.py").write_text(LOADER, encoding="utf-8")
    libraries = dict(found.get("libraries", {}))
    if holds_ours(package):
        libraries["mlops-tui"] = __version__
    needs = [f"{name}=={number}" for name, number in sorted(libraries.items())]
    (folder / "requirements.txt").write_text("".join(f"{one}\n" for one in needs), encoding="utf-8")
    python = str(found.get("python", ""))
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    _yaml(folder / "python_env.yaml", environment)
    _example(package, folder, described)
    _yaml(folder / "MLmodel", _mlmodel(version, described, python, loader))
    return "Load it with mlflow.pyfunc.load_model(FOLDER)."


def _mlmodel(version: Version, described: dict[str, Any], python: str, loader: str) -> dict[str, Any]:
    inputs = [{"name": item["name"], "type": TYPES[item["type"]], "required": True} for item in described["inputs"]]
    return {
        "flavors": {
            "python_function": {
                "code": "code",
                "data": "package",
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": loader,
                "python_version": python,
            }
        },
        "metadata": {"model": version.ref, "package_sha256": version.sha},
        "model_uuid": uuid.UUID(version.sha[:32]).hex,
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "type": "dataframe",
        },
        "signature": {"inputs": json.dumps(inputs), "outputs": None, "params": None},
        "utc_time_created": str(clock.iso(version.created_at)).replace("T", " ").rstrip("Z"),
    }


def _example(package: Path, folder: Path, described: dict[str, Any]) -> None:
    rows = packages.sample(package).head(5)[[item["name"] for item in described["inputs"]]]
    text = rows.to_json(orient="split", index=False, date_format="iso")
    (folder / "input_example.json").write_text(text + "\n", encoding="utf-8")


def _yaml(path: Path, value: dict[str, Any]) -> None:
    """JSON is YAML: nothing else is needed to write it."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def holds_ours(package: Path) -> bool:
    """Whether the pickle names classes of this workbench."""
    return b"mlops_tui" in (package / packages.MODEL).read_bytes()
