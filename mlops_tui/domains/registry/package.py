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
Unpickling runs code: load only packages whose hash the registry recorded, and only in worker processes.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import uuid
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    import pandas as pd

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
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
# A minor release of these may read old model files differently; others are recorded only.
STRICT_LIBRARIES = ("scikit-learn",)


class EnvironmentMismatch(UserWarning):
    """A model was loaded under other versions than it was saved with."""


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
    modules: Sequence[ModuleType] = (),
    graph: bool = True,
) -> None:
    """Write a model package to `folder`, which must be absent or empty; nothing is left there on an error.

    `sample`: input rows with the columns the estimator takes; the first 200 are kept. `reference`: the rows behind the
    reference profile with their `predictions` and `truth`; predictions are computed when left out. `held_out`: test rows
    and their truth, which the version has to score the same on before it gets traffic. `labels` default to `classes_` of a
    classifier. `modules`: project modules to store by value, since a server cannot import them. `graph`: whether an ONNX
    graph is made as well, where skl2onnx is installed.
    Raises InvalidInput when the estimator cannot be pickled or cannot answer its own sample.
    """
    import pandas as pd

    frame = sample if isinstance(sample, pd.DataFrame) else pd.DataFrame(sample, columns=_names(estimator, sample))
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
            _keep_test_rows(staged, estimator, described, frame, held_out)
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
        raise InvalidInput(f"The model in {folder} cannot be loaded: {_one_line(error)}.", hint=hint) from error
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


def prepare(described: dict[str, Any], frame: pd.DataFrame) -> Any:
    """Return `frame` as the estimator takes it: its columns in order, bare values if it was fitted without names."""
    ordered = frame[[item["name"] for item in described["inputs"]]]
    if described.get("texts"):
        return ordered.iloc[:, 0].tolist()
    return ordered if described["frame"] else ordered.to_numpy()


def describe(
    estimator: Any, frame: pd.DataFrame, *, task: str, target: str, labels: Sequence[Any] | None = None
) -> dict[str, Any]:
    """Work out the signature of a fitted estimator by asking it for the rows of `frame`.

    Raises InvalidInput when the estimator cannot answer them.
    """
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None:
        frame = _in_order(frame, [str(name) for name in known])
    # Counted but not named: fitted on bare values, and scikit-learn warns about names then. Others get what they were given.
    named = known is not None or getattr(estimator, "n_features_in_", None) is None
    texts = frame.shape[1] == 1 and _reads_texts(estimator)
    try:
        answer = estimator.predict(frame.iloc[:, 0].tolist() if texts else frame if named else frame.to_numpy())
    except Exception as error:
        raise InvalidInput(
            f"The estimator cannot answer its own sample: {_one_line(error)}.",
            hint="Pass a fitted estimator and sample rows with the columns it was fitted on.",
        ) from error
    outputs = [{"name": "prediction", "type": _type_name(answer)}]
    if task == "classification" and hasattr(estimator, "predict_proba"):
        outputs.append({"name": "probabilities", "type": "float64"})
    if labels is None:
        labels = list(getattr(estimator, "classes_", [])) if task == "classification" else []
    return {
        "task": task,
        "target": target,
        "inputs": [{"name": str(name), "type": _type_name(frame[name])} for name in frame.columns],
        "outputs": outputs,
        "labels": [_plain(label) for label in labels],
        "frame": named,
        **({"texts": True} if texts else {}),
    }


def current_environment(estimator: Any = None) -> dict[str, Any]:
    """Return the running Python and library versions, with the estimator's own library."""
    names = list(LIBRARIES)
    home = type(estimator).__module__.partition(".")[0] if estimator is not None else ""
    names += [name for name in metadata.packages_distributions().get(home, []) if name not in names]
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "libraries": versions}


def mismatches(saved: dict[str, Any]) -> list[str]:
    """Name each difference that may change what a model answers: Python and scikit-learn by minor version."""
    running = current_environment()
    pairs = [("Python", str(saved.get("python", "")), str(running["python"]))]
    libraries: dict[str, str] = saved.get("libraries", {})
    pairs += [(name, libraries.get(name, ""), str(running["libraries"].get(name, ""))) for name in STRICT_LIBRARIES]
    return [
        f"{name} {old} then, {new or 'absent'} now"
        for name, old, new in pairs
        if old and old.split(".")[:2] != new.split(".")[:2]
    ]


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
    folder: Path, estimator: Any, described: dict[str, Any], frame: pd.DataFrame, held_out: tuple[pd.DataFrame, Any]
) -> None:
    from mlops_tui.domains.registry import proof
    from mlops_tui.domains.registry.engines.reference import FrameEngine

    proof.keep(folder, FrameEngine(estimator, described, frame), described, *held_out)


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
            f"The estimator cannot be saved: {_one_line(error)}.",
            hint="An estimator must not hold open files, locks, connections or generators.",
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _reads_texts(estimator: Any) -> bool:
    """Whether a pipeline begins with a vectorizer, which takes each item it is given as one text."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[0][1]
    return hasattr(estimator, "build_analyzer")


def _names(estimator: Any, rows: Any) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [str(name) for name in names] if names is not None else [f"x{place}" for place in range(len(rows[0]))]


def _in_order(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    if names == [str(name).replace(" ", "_") for name in frame.columns]:
        return frame  # LightGBM tells its names so, and takes the frame's own
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise InvalidInput(
            f"The sample lacks the column {absent[0]!r} that the estimator was fitted on.",
            hint="Pass sample rows with all the columns of the training data.",
        )
    return frame[names]


def _type_name(values: Any) -> str:
    import pandas as pd

    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        return "bool"
    if pd.api.types.is_integer_dtype(kind):
        return "int64"
    if pd.api.types.is_float_dtype(kind):
        return "float64"
    return "datetime" if pd.api.types.is_datetime64_any_dtype(kind) else "string"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:300]


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
        raise InvalidInput(f"{path} cannot be read: {_one_line(error)}.", hint="Check the disk.") from error
    return decode(data, str(path))


def decode(data: bytes, place: str) -> dict[str, Any]:
    """Read one JSON object of a package; `place` names it in the InvalidInput raised when it is damaged."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{place} is damaged: {_one_line(error)}.", hint="Register the model again.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{place} is damaged: an object was expected.", hint="Register the model again.")
    return value
