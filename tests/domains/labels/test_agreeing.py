"""Agreement beyond chance, against scikit-learn and a worked example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from mlops_tui.domains.labels.agreeing import agreement, cohen_kappa, fleiss_kappa, majority
from mlops_tui.domains.labels.records import Label


def labels(**rows):
    """labels(ana="gbx-") are the labels ana gave rows 1 to 4: good, bad, x, none."""
    return [
        Label(position, None if letter == "-" else letter, who, "", 0)
        for who, letters in rows.items()
        for position, letter in enumerate(letters, 1)
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40))
def test_cohens_kappa_is_that_of_scikit_learn(pairs):
    one, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ours = cohen_kappa(one, other)
    if len({*one, *other}) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(cohen_kappa_score(one, other))


def test_fleiss_kappa_is_that_of_the_worked_example():
    """Ten rows, fourteen raters, five classes: 0.210 (Fleiss 1971 as worked out in Wikipedia's article on the measure)."""
    counts = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    rows = [[str(name) for name, count in enumerate(row) for _ in range(count)] for row in counts]
    assert fleiss_kappa(rows) == pytest.approx(0.210, abs=0.0005)


def test_only_rows_that_two_people_labelled_count():
    found = agreement(labels(ana="ggbb-", ben="gbbb", cleo="-"))
    assert (found.rows, found.disputed, found.labellers) == (4, 1, ("ana", "ben"))
    (pair,) = found.pairs
    assert (pair.one, pair.other, pair.rows, pair.agreed) == ("ana", "ben", 4, 0.75)
    assert pair.kappa == pytest.approx(0.5)
    assert found.fleiss is None


def test_three_people_have_three_pairs_and_fleiss_kappa():
    found = agreement(labels(ana="gbgb", ben="gbgg", cleo="gbg"))
    assert [(pair.one, pair.other, pair.rows) for pair in found.pairs] == [
        ("ana", "ben", 4),
        ("ana", "cleo", 3),
        ("ben", "cleo", 3),
    ]
    assert found.fleiss is not None
    assert 0 < found.fleiss < 1


def test_without_labels_there_is_nothing_to_agree_on():
    assert agreement([]).pairs == ()
    assert fleiss_kappa([]) is None


def test_the_majority_leaves_ties_out():
    assert majority(labels(ana="gg-", ben="gb-", cleo="g--")) == {1: "g"}
