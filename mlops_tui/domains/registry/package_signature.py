"""What a fitted estimator takes and answers: the signature of its package, and rows as it wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


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
            f"The estimator cannot answer its own sample: {one_line(error)}.",
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


def _reads_texts(estimator: Any) -> bool:
    """Whether a pipeline begins with a vectorizer, which takes each item it is given as one text."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[0][1]
    return hasattr(estimator, "build_analyzer")


def names_of(estimator: Any, rows: Any) -> list[str]:
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


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:300]
