"""A model package: one folder that holds a fitted estimator and everything needed to serve and watch it.

    model.joblib      the estimator (pickle; classes of `__main__` and of project files travel by value)
    signature.json    {"task", "target", "inputs": [{"name", "type"}], "outputs": [{"name", "type"}], "labels", "frame"}
    sample.parquet    at most 200 input rows: the golden requests
    profile.json      the reference profile (see `profile.py`), when a reference was given
    engine.json       which engine serves it, and what each showed on the sample (see `engines/`)
    test.parquet      test rows with their truth, and what the model scores on them in test.json (see `proof.py`)
    environment.json  {"python": "3.11.7", "libraries": {"scikit-learn": "1.9.1", ...}}

Types are int64, float64, bool, string and datetime. `frame` says whether the estimator takes a DataFrame or bare values,
`texts` (when there) that it takes a list of texts.
The first output is `prediction`; `probabilities` (one number per label) follows where there is a `predict_proba`.
Unpickling runs code: load only packages whose hash the registry recorded, and only in worker processes or aside (`aside.py`).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
import warnings
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.registry.package_environment import EnvironmentMismatch, current_environment, mismatches
from mlops_tui.domains.registry.package_signature import describe, names_of, one_line, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    import pandas as pd

__all__ = [
    "ENGINE",
    "ENVIRONMENT",
    "MODEL",
    "PROFILE",
    "SAMPLE",
    "SAMPLE_ROWS",
    "SIGNATURE",
    "TEST_ROWS",
    "EnvironmentMismatch",
    "check",
    "current_environment",
    "decode",
    "describe",
    "engine",
    "environment",
    "load",
    "mismatches",
    "prepare",
    "profile",
    "sample",
    "save",
    "signature",
]
SAMPLE_ROWS = 200
# Engines are compared on so many test rows too.
TEST_ROWS = 2000
MODEL, SIGNATURE, SAMPLE, PROFILE, ENVIRONMENT, ENGINE = (
    "model.joblib",
    "signature.json",
    "sample.parquet",
    "profile.json",
    "environment.json",
    "engine.json",
)


def save(
    folder: Path,
    estimator: Any,
    *,
    sample: pd.DataFrame,
    task: str,
    target: str,
    labels: Sequence[Any] | None = None,
    reference: pd.DataFrame | None = None,
    predictions: Any = None,
    truth: Any = None,
    held_out: tuple[pd.DataFrame, Any] | None = None,
    learned: bool = False,
    modules: Sequence[ModuleType] = (),
    graph: bool = True,
) -> None:
    """Write a model package to `folder`, which must be absent or empty; nothing is left there on an error.

    `sample`: input rows with the columns the estimator takes; the first 200 are kept. `reference`: the rows behind the
    reference profile with their `predictions` and `truth`; predictions are computed when left out. `held_out`: test rows
    and their truth, which the version has to score the same on before it gets traffic; `learned`: it learned from them all
    the same. `labels` default to `classes_` of a classifier. `modules`: project modules to store by value, since a server
    cannot import them. `graph`: whether an ONNX graph is made as well, where skl2onnx is installed.
    Raises InvalidInput when the estimator cannot be pickled or cannot answer its own sample.
    """
    import pandas as pd

    frame = sample if isinstance(sample, pd.DataFrame) else pd.DataFrame(sample, columns=names_of(estimator, sample))
    frame = frame.head(SAMPLE_ROWS).reset_index(drop=True)
    if frame.empty:
        raise InvalidInput("A model package needs at least one sample row.", hint="Pass sample=X_valid.head(200).")
    described = describe(estimator, frame, task=task, target=target, labels=labels)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    staged.mkdir()
    try:
        _dump(estimator, staged / MODEL, modules)
        _write_json(staged / SIGNATURE, described)
        _write_json(staged / ENVIRONMENT, current_environment(estimator))
        frame.to_parquet(staged / SAMPLE, index=False)
        more = None if held_out is None else held_out[0]
        _write_json(staged / ENGINE, _engine(estimator, described, frame, staged, more, graph=graph))
        if held_out is not None:
            _keep_test_rows(staged, estimator, described, frame, held_out, learned=learned)
        if reference is not None:
            _write_json(staged / PROFILE, _profile(estimator, described, reference, predictions, truth, held_out))
        staged.replace(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def load(folder: Path) -> Any:
    """Unpickle the estimator of a package; warns EnvironmentMismatch where the versions differ.

    Raises NotFound (no package there), Unavailable (a library is missing), InvalidInput (the file cannot be read).
    """
    import joblib

    path = _member(folder, MODEL)
    problems = mismatches(environment(folder))
    hint = "Saved under other versions: " + "; ".join(problems) if problems else "Train and register it again."
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Trying to unpickle")  # said below, once and in one sentence
            estimator = joblib.load(path)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"The model in {folder} needs the package {error.name!r}, which is not installed.",
            hint=f"Install it into this environment: pip install {str(error.name).partition('.')[0]}",
        ) from error
    except Exception as error:
        raise InvalidInput(f"The model in {folder} cannot be loaded: {one_line(error)}.", hint=hint) from error
    if problems:
        warnings.warn(EnvironmentMismatch("; ".join(problems)), stacklevel=2)
    return estimator


def signature(folder: Path) -> dict[str, Any]:
    """Return the signature; raises NotFound when there is none and InvalidInput when it is damaged."""
    return _read_json(_member(folder, SIGNATURE))


def environment(folder: Path) -> dict[str, Any]:
    """Return the versions the package was saved under."""
    return _read_json(_member(folder, ENVIRONMENT))


def check(folder: Path) -> None:
    """Raise NotFound unless every required file is there. The estimator itself is not touched: unpickling runs code."""
    for name in (MODEL, SIGNATURE, SAMPLE, ENVIRONMENT):
        _member(folder, name)


def engine(folder: Path) -> str:
    """Return the engine that the trial at registration chose, "" when the package was saved without one."""
    return str(_read_json(folder / ENGINE)["engine"]) if (folder / ENGINE).exists() else ""


def profile(folder: Path) -> dict[str, Any] | None:
    """Return the reference profile, or None when the package was saved without a reference."""
    return _read_json(folder / PROFILE) if (folder / PROFILE).exists() else None


def sample(folder: Path) -> pd.DataFrame:
    """Return the golden requests: at most 200 input rows. Raises InvalidInput when the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = _member(folder, SAMPLE)
    try:
        # No thread: workers are forked from a process that has done this once, and threads do not come along.
        table = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(use_threads=False)
        frame: pd.DataFrame = table.to_pandas(use_threads=False)
        return frame
    except (ValueError, OSError) as error:  # Arrow raises its own kinds of both
        raise InvalidInput(
            f"The stored rows of {folder.name} cannot be read.", hint="Register the model again."
        ) from error


def _engine(
    estimator: Any,
    described: dict[str, Any],
    frame: pd.DataFrame,
    folder: Path,
    more: pd.DataFrame | None,
    *,
    graph: bool,
) -> dict[str, Any]:
    from mlops_tui.domains.registry.engines.choosing import choose
    from mlops_tui.domains.registry.engines.converting import convert

    refused = convert(estimator, described, frame, folder) if graph else None
    rows = None if more is None else more[[item["name"] for item in described["inputs"]]].head(TEST_ROWS)
    _, choice = choose(estimator, described, frame, folder=folder, more=rows)
    trials = [*choice.trials, *([refused] if refused is not None else [])]
    return {"engine": choice.engine, "trials": [dataclasses.asdict(trial) for trial in trials]}


def _keep_test_rows(
    folder: Path,
    estimator: Any,
    described: dict[str, Any],
    frame: pd.DataFrame,
    held_out: tuple[pd.DataFrame, Any],
    *,
    learned: bool,
) -> None:
    from mlops_tui.domains.registry import proof
    from mlops_tui.domains.registry.engines.reference import FrameEngine

    proof.keep(folder, FrameEngine(estimator, described, frame), described, *held_out, learned=learned)


def _profile(
    estimator: Any,
    described: dict[str, Any],
    reference: pd.DataFrame,
    predictions: Any,
    truth: Any,
    held_out: tuple[pd.DataFrame, Any] | None,
) -> dict[str, Any]:
    from mlops_tui.domains.registry import trust
    from mlops_tui.domains.registry.profile import build_profile

    frame = reference[[item["name"] for item in described["inputs"]]]
    inputs = prepare(described, frame)
    judged = inputs if held_out is None else prepare(described, held_out[0])
    classes = getattr(estimator, "classes_", None)
    has_probabilities = len(described["outputs"]) > 1 and classes is not None
    answers = estimator.predict(inputs) if predictions is None else predictions
    tested = (answers, truth) if held_out is None else (estimator.predict(judged), held_out[1])
    said = estimator.predict_proba(judged) if has_probabilities else None
    profile = build_profile(
        frame,
        answers,
        truth,
        task=str(described["task"]),
        probabilities=said,
        labels=None if classes is None else list(classes),
        held_out=None if held_out is None else tested,
    )
    rows = frame if held_out is None else held_out[0][list(frame.columns)]
    learned = trust.learn(str(described["task"]), rows, *tested, said, classes, held_out=held_out is not None)
    return profile | {"trust": learned}


def _dump(estimator: Any, path: Path, modules: Sequence[ModuleType]) -> None:
    # cloudpickle stores what `__main__` and the given modules define by value; joblib.load reads the result.
    import cloudpickle

    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        with path.open("wb") as file:
            cloudpickle.dump(estimator, file, protocol=5)
    except Exception as error:
        raise InvalidInput(
            f"The estimator cannot be saved: {one_line(error)}.",
            hint="An estimator must not hold open files, locks, connections or generators.",
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _member(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise NotFound(f"{folder} is no model package: {name} is missing.", hint="Write one with run.log_model(...).")
    return path


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, allow_nan=False, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {one_line(error)}.", hint="Check the disk.") from error
    return decode(data, str(path))


def decode(data: bytes, place: str) -> dict[str, Any]:
    """Read one JSON object of a package; `place` names it in the InvalidInput raised when it is damaged."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{place} is damaged: {one_line(error)}.", hint="Register the model again.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{place} is damaged: an object was expected.", hint="Register the model again.")
    return value
