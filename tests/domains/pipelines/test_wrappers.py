from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.pipelines import unsupervised
from mlops_tui.domains.pipelines.wrappers import ECOD, PartlyLabelled, Thresholded, rank_correlation

pytestmark = pytest.mark.slow


def blobs(distance, seed=0):
    """Two clouds of 150 points, `distance` standard deviations apart."""
    generator = np.random.default_rng(seed)
    points = np.vstack([generator.normal(0, 1, (150, 2)), generator.normal(distance, 1, (150, 2))])
    return pd.DataFrame(points, columns=["x", "y"]), np.repeat(["a", "b"], 150)


def test_a_threshold_moves_what_is_said_and_no_probability():
    from sklearn.linear_model import LogisticRegression

    rows, labels = blobs(1.0)
    model = LogisticRegression().fit(rows, labels)
    eager = Thresholded(model, 0.2)
    assert (eager.predict_proba(rows) == model.predict_proba(rows)).all()
    assert (eager.predict(rows) == "b").tolist() == (model.predict_proba(rows)[:, 1] >= 0.2).tolist()
    assert (Thresholded(model, 0.5).predict(rows) == model.predict(rows)).all()
    assert list(eager.feature_names_in_) == ["x", "y"]


@pytest.mark.parametrize("kind", ["self-training", "spreading"])
def test_rows_without_a_label_are_learned_from(kind):
    from sklearn.linear_model import LogisticRegression
    from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

    rows, labels = blobs(4.0)
    target = pd.Series([None] * 300, dtype=object)
    target[[0, 1, 298, 299]] = ["a", "a", "b", "b"]
    inner = SelfTrainingClassifier(LogisticRegression()) if kind == "self-training" else LabelSpreading(gamma=1.0)
    model = PartlyLabelled(inner).fit(rows, target)
    assert list(model.classes_) == ["a", "b"]
    assert (model.predict(rows) == labels).mean() > 0.98
    assert model.predict_proba(rows).sum(axis=1) == pytest.approx(np.ones(300))


def test_ecod_flags_the_share_asked_for_and_the_strangest_first():
    rows, _ = blobs(0.0)
    rows.loc[:5] = [[25.0 + place, 30.0 + place] for place in range(6)]
    model = ECOD(contamination=0.02).fit(rows)
    flagged = model.predict(rows) == -1
    assert flagged.sum() == 6
    assert flagged[:6].all()
    assert (model.decision_function(rows) < 0).tolist() == flagged.tolist()
    with pytest.raises(ValueError, match="contamination"):
        ECOD(contamination=0.9).fit(rows)


def test_ecod_looks_at_the_heavy_side_of_a_skewed_column():
    """A log-normal column has its outliers on the right: its smallest value is no stranger than any other end."""
    values = pd.DataFrame({"x": np.random.default_rng(0).lognormal(size=500)})
    score = ECOD().fit(values).score_samples(values)
    assert int(np.argmin(score)) == int(values["x"].argmax())


def test_the_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    left, right = generator.integers(0, 9, 200), generator.integers(0, 9, 200)
    assert rank_correlation(left, right) == pytest.approx(spearmanr(left, right).statistic)
    assert np.isnan(rank_correlation(left, np.ones(200)))


def test_groups_that_are_there_hold_together_and_are_found_again_and_others_are_not():
    from sklearn.cluster import KMeans

    def judged(rows, count):
        again = lambda part: KMeans(count, n_init=2, random_state=0).fit(part)  # noqa: E731
        return unsupervised.judge_groups(again(rows), rows, again, rows, 0.95)

    found, intervals, more = judged(blobs(6.0)[0], 2)
    low, high = intervals["silhouette"]
    assert low < found["silhouette"] < high
    assert found["silhouette"] > 0.6
    assert found["stability"] > 0.95
    assert sum(more["groups"].values()) == 300
    blurred, _, _ = judged(blobs(0.0)[0], 5)
    assert blurred["stability"] < 0.8
    assert blurred["davies_bouldin"] > found["davies_bouldin"]


def test_one_group_alone_has_no_silhouette():
    chosen, values = unsupervised.silhouettes(np.zeros((10, 2)), np.zeros(10))
    assert len(chosen) == len(values) == 0
