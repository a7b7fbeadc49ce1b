"""Right and wrong answers of two sides, from labelled predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.domains.serving.evidence import Counts

if TYPE_CHECKING:
    import pandas as pd

SHARE = 0.8
NEEDS = 50


def bound_of(labelled: pd.DataFrame) -> float | None:
    """The absolute error that four in five answers stay under; None with fewer than 50 labels. Rows: prediction, label."""
    import pandas as pd

    errors = (pd.to_numeric(labelled["prediction"]) - pd.to_numeric(labelled["label"])).abs().dropna()
    return float(errors.quantile(SHARE)) if len(errors) >= NEEDS else None


def count(labelled: pd.DataFrame, version: int, since: int, beyond: float | None) -> tuple[Counts, int]:
    """Count what became known after `since` (ms), and say until when; `beyond` is the bound of wrong for numbers.

    Rows: version, prediction, label, known_at. Each prediction counts once, when its first label came in by our clock: a label
    that is sent again is no new evidence, and a sender whose clock is ahead does not hide the labels of others.
    """
    import pandas as pd

    fresh = labelled[labelled["known_at"] > since]
    if fresh.empty:
        return Counts(0, 0, 0, 0), since
    if beyond is None:
        wrong = fresh["prediction"].astype(str) != fresh["label"].astype(str)
    else:
        wrong = (pd.to_numeric(fresh["prediction"]) - pd.to_numeric(fresh["label"])).abs() > beyond
    mine = fresh["version"] == version
    counts = Counts(int(mine.sum()), int(wrong[mine].sum()), int((~mine).sum()), int(wrong[~mine].sum()))
    return counts, int(fresh["known_at"].max())
