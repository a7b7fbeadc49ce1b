"""The reference: the estimator asked as it was fitted, with a frame whose columns have the types of training."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from mlops_tui.domains.registry.package import prepare

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, list[Any]]
Answers = tuple[list[Any], list[list[float]] | None]

# Classifiers of scikit-learn whose `predict` is the label of the greatest `predict_proba`, by their source (1.9): asking for
# both would do the work twice. Checked again on the golden rows of each model.
_LIKELIEST = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "RandomForestClassifier",
    }
)


# Numbers may differ by this, relative to their size, where sums are taken in another order; labels not at all.
TOLERANCE = 1e-9


class Engine(Protocol):
    """Answers rows given column by column: one prediction per row, and probabilities where the signature has them.

    Its numbers may differ from the reference's by `tolerance`, relative to their size.
    """

    name: str
    tolerance: float

    def answer(self, columns: Columns, rows: int) -> Answers: ...


class FrameEngine:
    """Builds a DataFrame and asks the estimator; right for every model, and what others are compared with.

    `described` is the package's signature; `sample` its golden rows, whose column types the requests are brought to.
    """

    name = "frame"
    tolerance = TOLERANCE

    def __init__(self, estimator: Any, described: dict[str, Any], sample: pd.DataFrame) -> None:
        self.estimator = estimator
        self._described = described
        self._types = {str(name): sample[name].dtype for name in sample.columns}
        self._all_floats = all(str(kind) == "float64" for kind in self._types.values())
        self._probabilities = any(item["name"] == "probabilities" for item in described["outputs"])
        self._labels = likeliest_labels(estimator, prepare(described, sample)) if self._probabilities else None

    def answer(self, columns: Columns, rows: int) -> Answers:
        return self.ask(prepare(self._described, self.frame(columns)))

    def ask(self, table: Any) -> Answers:
        """Ask for rows in the form the estimator takes."""
        probabilities = self.estimator.predict_proba(table) if self._probabilities else None
        if self._labels is not None and probabilities is not None:
            predicted = plain(self._labels[probabilities.argmax(axis=1)])
        else:
            predicted = plain(self.estimator.predict(table))
        return predicted, plain(probabilities) if probabilities is not None else None

    def frame(self, columns: Columns) -> pd.DataFrame:
        """Rows of a request as the estimator was given them in training."""
        import numpy as np
        import pandas as pd

        if self._all_floats:  # one block, several times cheaper than a column at a time; None becomes NaN
            matrix = np.array(list(columns.values()), dtype="float64").T
            return pd.DataFrame(matrix, columns=list(columns), copy=False)
        return pd.DataFrame({name: self._typed(name, values) for name, values in columns.items()})

    def _typed(self, name: str, values: list[Any]) -> Any:
        """One column with the type it had in training; whole numbers and truths with nulls become floats."""
        import numpy as np
        import pandas as pd

        wanted: Any = self._types[name]
        missing = None in values
        if isinstance(wanted, np.dtype) and wanted.kind in "fiub":
            return np.array(values, dtype="float64" if missing else wanted)
        if pd.api.types.is_datetime64_any_dtype(wanted):
            times = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601")
            return (times if getattr(wanted, "tz", None) else times.dt.tz_localize(None)).astype(wanted)
        if isinstance(wanted, pd.CategoricalDtype):  # a level the model never saw is a missing value to it
            known = set(wanted.categories)
            return pd.array([value if value in known else None for value in values], dtype=wanted)
        return pd.array(values, dtype=wanted)


class ArrayEngine:
    """Asks the estimator with a bare matrix of numbers: no frame is built, no column name checked."""

    name = "arrays"
    tolerance = TOLERANCE

    def __init__(self, reference: FrameEngine, names: list[str]) -> None:
        self._reference = reference
        self._names = names

    def answer(self, columns: Columns, rows: int) -> Answers:
        import numpy as np

        matrix = np.array([columns[name] for name in self._names], dtype="float64").T
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return self._reference.ask(matrix)


def likeliest_labels(estimator: Any, rows: Any) -> Any:
    """Return the labels in the order of `predict_proba` if the greatest probability is all that `predict` says, else None."""
    kind = type(last_step(estimator))
    if not kind.__module__.startswith("sklearn.") or kind.__name__ not in _LIKELIEST:
        return None
    labels = last_step(estimator).classes_
    agree = bool((labels[estimator.predict_proba(rows).argmax(axis=1)] == estimator.predict(rows)).all())
    return labels if agree else None


def last_step(estimator: Any) -> Any:
    """Return the estimator at the end of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def columns_of(sample: pd.DataFrame) -> Columns:
    """Return rows as a request would carry them: nulls for missing values, ISO 8601 for times."""
    import pandas as pd

    columns: Columns = {}
    for name in sample.columns:
        values = sample[name]
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            listed: list[Any] = [None if pd.isna(value) else value.isoformat() for value in values]
        else:
            absent = values.isna().tolist()
            listed = [None if gone else value for value, gone in zip(values.tolist(), absent, strict=True)]
        columns[str(name)] = [value.item() if hasattr(value, "item") else value for value in listed]
    return columns


@contextlib.contextmanager
def single_threaded(estimator: Any) -> Iterator[None]:
    """Set every `n_jobs` inside an estimator to 1 for a while: threads cost a single row twice the CPU."""
    before = _n_jobs(estimator)
    try:
        if before:
            estimator.set_params(**dict.fromkeys(before, 1))
        yield
    finally:
        if before:
            estimator.set_params(**before)


def one_thread(estimator: Any) -> None:
    """Set every `n_jobs` inside an estimator to 1 for good; no answer changes."""
    with contextlib.suppress(Exception):  # one that refuses serves as it is
        estimator.set_params(**dict.fromkeys(_n_jobs(estimator), 1))


def _n_jobs(estimator: Any) -> dict[str, Any]:
    try:
        return {
            name: value
            for name, value in estimator.get_params(deep=True).items()
            if name.rpartition("__")[2] == "n_jobs" and value != 1
        }
    except Exception:  # not a scikit-learn estimator
        return {}


def plain(values: Any) -> list[Any]:
    """Return an array as lists of Python values."""
    listed: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
