"""An ONNX graph of a model, made when it is packed: kept where it answers the stored rows as the model does, an engine then."""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.registry.engines.graph import GraphEngine
from mlops_tui.domains.registry.records import EngineTrial

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NEEDS = ("skl2onnx", "onnxruntime")


def convert(estimator: Any, described: dict[str, Any], sample: pd.DataFrame, folder: Path) -> EngineTrial | None:
    """Write `model.onnx` to `folder` if some way of converting agrees; else the reason as a trial.

    None when it was written, when the libraries are not installed, and for what is no estimator of scikit-learn's form.
    """
    from mlops_tui.domains.registry.engines.choosing import open_engine, sklearn_made

    if not sklearn_made(estimator) or not all(map(find_spec, NEEDS)):
        return None
    from mlops_tui.domains.registry.exports import onnx

    path = folder / GraphEngine.FILE
    reasons = []
    for way in onnx.WAYS:
        try:
            path.write_bytes(onnx.converted(estimator, described, way))
        except WorkbenchError as error:
            reasons.append(error.message)
            continue
        with contextlib.suppress(WorkbenchError):
            _, note = open_engine(GraphEngine.name, estimator, described, sample, folder)
            if not note:
                return None
            reasons.insert(0, note.removeprefix(f"engine {GraphEngine.name} is not used here: "))
    path.unlink(missing_ok=True)
    return EngineTrial(GraphEngine.name, False, None, 0, 0.0, 0.0, reasons[0] if reasons else "it cannot be converted")
