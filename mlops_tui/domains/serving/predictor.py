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
        self._prepare = prepare
        self._probabilities = any(item["name"] == "probabilities" for item in described["outputs"])

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
        predicted = _plain(self._estimator.predict(rows))
        wide = _plain(self._estimator.predict_proba(rows)) if self._probabilities else None
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
        import pandas as pd

        first = asks[0].columns
        columns = first if len(asks) == 1 else {name: [v for ask in asks for v in ask.columns[name]] for name in first}
        return pd.DataFrame({name: self._typed(name, values) for name, values in columns.items()})

    def _typed(self, name: str, values: list[Any]) -> Any:
        """One column with the type it had in training; whole numbers and truths with nulls become floats."""
        import pandas as pd

        wanted = self._types[name]
        if pd.api.types.is_datetime64_any_dtype(wanted):
            times = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601")
            return (times if getattr(wanted, "tz", None) else times.dt.tz_localize(None)).astype(wanted)
        if isinstance(wanted, pd.CategoricalDtype):  # a level the model never saw is a missing value to it
            known = set(wanted.categories)
            return pd.Series([value if value in known else None for value in values], dtype=wanted)
        if None in values and (pd.api.types.is_integer_dtype(wanted) or pd.api.types.is_bool_dtype(wanted)):
            return pd.Series(values, dtype="Float64" if pd.api.types.is_extension_array_dtype(wanted) else "float64")
        return pd.Series(values, dtype=wanted)


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
