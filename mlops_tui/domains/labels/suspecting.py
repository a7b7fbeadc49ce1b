"""Labels that may be wrong, by confident learning from cross-validated probabilities.

C. Northcutt, L. Jiang, I. Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels. JAIR 70 (2021), 1373-1411.
A row labelled i is counted to the true class j when its probability of j reaches the mean probability of j over the rows
labelled j (and is the largest that does): the confident joint. What is off its diagonal is suspect; all rows are ranked by
normalized margin, the probability of the label less the largest of the others (section 3.2, equation 8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.labels.records import Item, Suspect

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

FOLDS = 5
LEAST = 2  # labels of a class, so that every fold can learn it
LONG_TEXT = 30  # letters on average from which a text is words rather than a name
MOST_LEVELS = 50


def confident_joint(labels: npt.NDArray[np.int64], probabilities: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The k x k counts of (label, likely true class), and per row whether it lies off the diagonal."""
    classes = probabilities.shape[1]
    thresholds = np.array([probabilities[labels == one, one].mean() for one in range(classes)])
    reached = np.where(probabilities >= thresholds - 1e-12, probabilities, -1.0)
    counted = reached.max(axis=1) >= 0
    likely = reached.argmax(axis=1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[counted], likely[counted]), 1)
    return joint, counted & (likely != labels)


def margins(labels: npt.NDArray[np.int64], probabilities: Floats) -> Floats:
    """Probability of the label less the largest of the others, -1 (surely wrong) to 1."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1.0
    return np.asarray(probabilities[rows, labels] - others.max(axis=1), dtype=np.float64)


def ranked(items: Sequence[Item], given: Sequence[str], classes: Sequence[str], probabilities: Floats) -> list[Suspect]:
    """Rows off the diagonal of the confident joint, then others whose likeliest class is not the label; worst margin first."""
    numbers = np.array([classes.index(one) for one in given])
    worst, off = margins(numbers, probabilities), confident_joint(numbers, probabilities)[1]
    found = []
    for at in np.lexsort((worst, ~off)):
        if worst[at] >= 0 and not off[at]:
            continue
        others = probabilities[at].copy()
        others[numbers[at]] = -1.0
        best = int(others.argmax())
        shares = round(float(probabilities[at, numbers[at]]), 4), round(float(probabilities[at, best]), 4)
        found.append(Suspect(items[at].position, items[at].key, given[at], classes[best], *shares, bool(off[at])))
    return found


def cross_validated(frame: pd.DataFrame, labels: Sequence[str], *, seed: int) -> tuple[list[str], Floats]:
    """Classes and, per row, their probabilities from models that did not see the row (stratified folds, logistic regression).

    Raises InvalidInput for fewer than two classes, a class with a single label, or no usable column.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    counts = Counter(labels)
    rare = [name for name, count in counts.items() if count < LEAST]
    if len(counts) < 2 or rare:
        said = f"only one label is '{rare[0]}'" if rare else "the labels are all of one class"
        raise InvalidInput(f"Nothing can be said of suspect labels yet: {said}.", hint="Label more rows.")
    folds = StratifiedKFold(min(FOLDS, min(counts.values())), shuffle=True, random_state=seed)
    probabilities = cross_val_predict(_model(frame), frame, list(labels), cv=folds, method="predict_proba")
    return sorted(counts), np.asarray(probabilities, dtype=np.float64)


def _model(frame: pd.DataFrame) -> Any:
    """Numbers scaled, names as indicators, long texts as weighted words, into a logistic regression."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts: list[tuple[str, Any, Any]] = []
    for name in frame.columns:
        kind = kind_of(frame[name])
        if kind == "number":
            parts.append((name, make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [name]))
        elif kind == "name":
            parts.append((name, OneHotEncoder(handle_unknown="ignore", max_categories=MOST_LEVELS), [name]))
        elif kind == "text":
            parts.append((name, TfidfVectorizer(max_features=5000, sublinear_tf=True), name))
    if not parts:
        raise InvalidInput(
            "No column of the rows says anything about the label.", hint="Name columns that do: --column NAME"
        )
    return make_pipeline(ColumnTransformer(parts), LogisticRegression(max_iter=1000))


def kind_of(column: pd.Series[Any]) -> str:
    """number, name, text, or "" for a column that is empty, constant, or different in (nearly) every row."""
    import pandas as pd

    known = column.dropna()
    distinct = known.astype(str).nunique()
    if distinct < 2:
        return ""
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    if known.astype(str).str.len().mean() >= LONG_TEXT:
        return "text"
    return "name" if distinct <= max(2, len(known) // 2) else ""


def features_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the columns the model takes: flags as numbers, everything that is no number as text, missing texts empty."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    for name in frame.columns:
        known = frame[name].dropna()
        if len(known) and all(isinstance(value, (bool, int, float)) for value in known):
            frame[name] = frame[name].astype(float)
        else:
            frame[name] = ["" if value is None else str(value) for value in frame[name]]
    return frame
