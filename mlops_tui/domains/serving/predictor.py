"""Asks to answers: one model, whatever has arrived predicted in one call, a bad request kept from its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.serving.wire import Answer, Ask

if TYPE_CHECKING:
    import pandas as pd

MAX_BATCH_ROWS = 4096
# What scikit-learn and numpy raise for values they cannot take: the rows are at fault, not the model.
_INPUT_ERRORS = (ValueError, TypeError, OverflowError)
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


class Predictor:
    """Answers asks with `estimator`.

    `described`: the package's signature; `sample`: its golden rows, whose column types the requests are brought to;
    `prepare(described, frame)` gives a frame the form in which the estimator was fitted.
    """

    def __init__(
        self,
        estimator: Any,
        described: dict[str, Any],
        sample: pd.DataFrame,
        prepare: Callable[[dict[str, Any], pd.DataFrame], Any],
    ) -> None:
        one_thread(estimator)
        self._estimator = estimator
        self._described = described
        self._types = {str(name): sample[name].dtype for name in sample.columns}
        self._all_floats = all(str(kind) == "float64" for kind in self._types.values())
        self._prepare = prepare
        self._probabilities = any(item["name"] == "probabilities" for item in described["outputs"])
        self._labels = likeliest_labels(estimator, prepare(described, sample)) if self._probabilities else None

    def answer(self, asks: Sequence[Ask]) -> list[Answer]:
        """Answer all asks; those that may share a batch are predicted together."""
        answers: dict[int, Answer] = {}
        for batch in batches(asks):
            answers.update((answer.id, answer) for answer in self._batch(batch))
        return [answers[ask.id] for ask in asks]

    def _batch(self, asks: list[Ask]) -> list[Answer]:
        try:
            return self._predict(asks)
        except Exception as error:
            if len(asks) > 1:  # someone's row is bad: each alone, so that only its sender hears of it
                return [answer for ask in asks for answer in self._batch([ask])]
            blame = "input" if isinstance(error, _INPUT_ERRORS) else "model"
            return [Answer(asks[0].id, error=one_line(error), blame=blame)]

    def _predict(self, asks: list[Ask]) -> list[Answer]:
        rows = self._prepare(self._described, self._frame(asks))
        probabilities = self._estimator.predict_proba(rows) if self._probabilities else None
        if self._labels is not None and probabilities is not None:
            predicted = _plain(self._labels[probabilities.argmax(axis=1)])
        else:
            predicted = _plain(self._estimator.predict(rows))
        wide = _plain(probabilities) if probabilities is not None else None
        total = sum(ask.rows for ask in asks)
        if len(predicted) != total:
            raise RuntimeError(f"the model gave {len(predicted)} predictions for {total} rows")
        answers, start = [], 0
        for ask in asks:
            end = start + ask.rows
            answers.append(Answer(ask.id, predicted[start:end], wide[start:end] if wide is not None else None))
            start = end
        return answers

    def _frame(self, asks: list[Ask]) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        first = asks[0].columns
        columns = first if len(asks) == 1 else {name: [v for ask in asks for v in ask.columns[name]] for name in first}
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


def batches(asks: Sequence[Ask]) -> list[list[Ask]]:
    """Group asks for shared calls: those marked `alone` by themselves, others up to MAX_BATCH_ROWS together."""
    groups: list[list[Ask]] = []
    room = 0
    for ask in asks:
        if ask.alone:
            groups.append([ask])
            room = 0
        elif ask.rows <= room:
            groups[-1].append(ask)
            room -= ask.rows
        else:
            groups.append([ask])
            room = MAX_BATCH_ROWS - ask.rows
    return groups


def likeliest_labels(estimator: Any, rows: Any) -> Any:
    """Return the labels in the order of `predict_proba` if the greatest probability is all that `predict` says, else None."""
    final = estimator
    while hasattr(final, "steps"):
        final = final.steps[-1][1]
    kind = type(final)
    if not kind.__module__.startswith("sklearn.") or kind.__name__ not in _LIKELIEST:
        return None
    labels = final.classes_
    agree = bool((labels[estimator.predict_proba(rows).argmax(axis=1)] == estimator.predict(rows)).all())
    return labels if agree else None


def golden_request(sample: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the first golden row as columns of a request: nulls for missing values, ISO 8601 for times."""
    import pandas as pd

    first = sample.head(1)
    columns: dict[str, list[Any]] = {}
    for name in first.columns:
        value = first[name].iloc[0]
        if pd.isna(value):
            value = None
        elif isinstance(value, pd.Timestamp):
            value = value.isoformat()
        columns[str(name)] = [value.item() if hasattr(value, "item") else value]
    return columns


def one_thread(estimator: Any) -> None:
    """Set every `n_jobs` inside an estimator to 1: threads cost a single row twice the CPU and change no answer."""
    try:
        parameters = estimator.get_params(deep=True)
        wanted = {name: 1 for name in parameters if name.rpartition("__")[2] == "n_jobs"}
        if wanted:
            estimator.set_params(**wanted)
    except Exception:  # not a scikit-learn estimator, or one that refuses: it serves as it is
        return


def one_line(error: BaseException) -> str:
    """Return the first sentence of an error's text, at most 300 characters, without its final stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.partition(". ")[0].rstrip(".")[:300]


def _plain(values: Any) -> list[Any]:
    listed: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
