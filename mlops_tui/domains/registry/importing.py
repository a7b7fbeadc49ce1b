"""Model files of others as packages: ONNX and skops by themselves, pickles only when a person trusts what they import.

A file is opened in a process of its own (see `aside`), never in the command that asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.extras import need
from mlops_tui.domains.registry import aside, package, pickles

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry

PICKLES = {".pkl", ".pickle", ".joblib"}
TIMEOUT_S = 300
# Types that skops leaves to us since crafted ones can end a process: their contents are checked after loading.
_CHECKED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
)


def import_file(
    registry: Registry,
    room: Path,
    project: Path,
    model: str,
    path: Path,
    sample: Path,
    *,
    task: str,
    trust: bool,
    description: str = "",
) -> Version:
    """Make a package of a model file and register it as the next version of `model`; `sample` is a CSV or Parquet of inputs, `room` a
    folder to work in.

    Raises NotFound (no file), InvalidInput (unknown kind, does not answer the sample, damaged), NotAllowed (a pickle without
    trust: the hint lists what it imports), Unavailable (onnxruntime or skops is missing).
    """
    for given in (path, sample):
        if not given.is_file():
            raise NotFound(f"There is no file {given}.", hint="Check the name.")
    if path.suffix.lower() in PICKLES:
        _ask_trust(path, trust)
    elif path.suffix.lower() not in {".onnx", ".skops"}:
        raise InvalidInput(f"{path.name} is no model file known here.", hint="Give .onnx, .skops, .joblib or .pkl.")
    order = {"path": str(path.resolve()), "sample": str(sample.resolve()), "task": task}
    folder = room / "package"
    try:
        aside.ask(make, folder, order, project=project, timeout_s=TIMEOUT_S)
    except InvalidInput as error:
        raise InvalidInput(f"{path.name} cannot be imported: {error.message}", hint=error.hint) from error
    return registry.register(
        model, folder, description=description, tags={"imported": path.name, "trusted": str(trust).lower()}
    )


def _ask_trust(path: Path, trust: bool) -> None:
    found = pickles.imports_of(path)
    odd = pickles.unusual(found)
    if not trust:
        listed = ", ".join(odd or found)
        what = "Unusual among its imports" if odd else "It imports"
        raise NotAllowed(
            f"{path.name} is a pickle, which may run any code when it is loaded. {what}: {listed[:600]}.",
            hint="If you trust who made it: --trust-pickle. Safer: have it sent as ONNX or skops.",
        )


def make(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Make a package at `folder` of a model file. Runs aside. Raises InvalidInput, Unavailable (a library is missing)."""
    import pandas as pd

    path, sample, task = Path(order["path"]), Path(order["sample"]), order["task"]
    rows = pd.read_parquet(sample) if sample.suffix.lower() == ".parquet" else pd.read_csv(sample)
    kind = path.suffix.lower()
    estimator = _graph(path, task, rows) if kind == ".onnx" else _skops(path) if kind == ".skops" else _pickle(path)
    package.save(folder, estimator, sample=rows, task=task, target="")
    return {}


def _pickle(path: Path) -> Any:
    import joblib

    return joblib.load(path)


def _skops(path: Path) -> Any:
    io = need("skops.io", "skops")
    wanted = io.get_untrusted_types(file=path)
    strange = [name for name in wanted if name not in _CHECKED]
    if strange:
        raise InvalidInput(
            f"It holds types that are not known to be safe: {', '.join(strange)}.", hint="Have it sent as ONNX."
        )
    estimator = io.load(path, trusted=wanted)
    from mlops_tui.domains.registry.engines.bounds import check_bounds

    check_bounds(estimator)
    return estimator


def _graph(path: Path, task: str, rows: pd.DataFrame) -> Any:
    from mlops_tui.domains.registry.engines.graph import GraphModel

    return GraphModel(path.read_bytes(), [str(name) for name in rows.columns], task)
