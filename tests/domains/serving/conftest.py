"""Registered versions whose model nobody unpickles: enough for everything but a worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.workbench import Workbench

SIGNATURE = {
    "task": "classification",
    "target": "left",
    "inputs": [
        {"name": "age", "type": "float64"},
        {"name": "visits", "type": "int64"},
        {"name": "plan", "type": "string"},
    ],
    "outputs": [{"name": "prediction", "type": "int64"}, {"name": "probabilities", "type": "float64"}],
    "labels": [0, 1],
    "frame": True,
}


@pytest.fixture
def register(workbench: Workbench, tmp_path: Path) -> Callable[..., int]:
    def register(model: str = "churn", **changes: Any) -> int:
        folder = tmp_path / f"package-{model}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "signature.json").write_text(json.dumps({**SIGNATURE, **changes}))
        (folder / "environment.json").write_text('{"python": "3.11.7", "libraries": {}}')
        (folder / "model.joblib").write_bytes(b"never unpickled here")
        (folder / "sample.parquet").write_bytes(b"never read here")
        return workbench.registry.register(model, folder).version

    return register
