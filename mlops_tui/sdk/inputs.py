"""Naming the data a run read: feature snapshots by reference, anything else by the hash of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.experiments.records import DataInput
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.sdk.active import ActiveRun

CONTEXT = "mlflow.data.context"  # the tag under which MLflow clients look for it
_DIGEST = 16


def describe(run: ActiveRun, data: Any, name: str, context: str) -> DataInput:
    """See `ActiveRun.log_input`."""
    tags = {CONTEXT: context}
    if hasattr(data, "table") and hasattr(data, "version"):  # a Snapshot
        data = f"{data.table}@{data.version}"
    if isinstance(data, Path) or (isinstance(data, str) and Path(data).is_file()):
        return _file(Path(data), name, tags)
    if isinstance(data, str):
        return _snapshot(run, data, name, tags)
    return _table(data, name, tags)


def _snapshot(run: ActiveRun, reference: str, name: str, tags: dict[str, str]) -> DataInput:
    with Workbench(run.workspace, actor=run.actor) as bench:
        found = bench.features.snapshot(reference)
    schema = json.dumps({"columns": [{"name": column, "type": kind} for column, kind in found.columns.items()]})
    profile = json.dumps({"rows": found.rows, "bytes": found.bytes})
    source = f"{found.table}@{found.version}"
    return DataInput(name or found.table, str(found.version), "features", source, schema, profile, tags)


def _file(path: Path, name: str, tags: dict[str, str]) -> DataInput:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST]
            size = file.tell()
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}.", hint=f"Relative paths start at {Path.cwd()}."
        ) from error
    return DataInput(name or path.name, digest, "file", str(path.resolve()), "", json.dumps({"bytes": size}), tags)


def _table(data: Any, name: str, tags: dict[str, str]) -> DataInput:
    columns, rows, digest = _hashed(data)
    schema = json.dumps({"columns": [{"name": column, "type": kind} for column, kind in columns]})
    profile = json.dumps({"rows": rows, "columns": len(columns)})
    return DataInput(name or "data", digest, type(data).__name__, "", schema, profile, tags)


def _hashed(data: Any) -> tuple[list[tuple[str, str]], int, str]:
    """Columns with types, rows, and a hash of names, types and values in their order."""
    import numpy as np
    import pandas as pd

    if isinstance(data, (pd.DataFrame, pd.Series)):
        frame = data.to_frame() if isinstance(data, pd.Series) else data
        columns = [(str(column), str(kind)) for column, kind in frame.dtypes.items()]
        try:
            values = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
        except TypeError:  # cells that hold lists and the like
            values = frame.to_csv(index=False).encode()
        return columns, len(frame), _digest(json.dumps(columns).encode(), values)
    try:
        array = np.ascontiguousarray(data)
    except (ValueError, TypeError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind == "O" or array.ndim == 0:
        raise InvalidInput(
            f"A {type(data).__name__} cannot be told by its content.",
            hint="Pass a feature snapshot such as orders@12, a DataFrame, an array or a file.",
        )
    columns = [(str(at), str(array.dtype)) for at in range(array.shape[1] if array.ndim > 1 else 1)]
    return columns, len(array), _digest(f"{array.dtype} {array.shape}".encode(), array.tobytes())


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:_DIGEST]
