"""The filter line."""

from __future__ import annotations

import pytest

from mlops_tui.tui.filtering import matches, parse

TITLES = ["Run", "State", "Started"]
ROW = ["boost-3", "◐ running", "2 h ago"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("BOOST", True),
        ("boost running", True),
        ("boost failed", False),
        ("-failed", True),
        ("-running", False),
        ("state:running", True),
        ("state:boost", False),
        ("st:run", True),
        ("-state:run", False),
        ("state:", True),
        ("-", True),
        ("nocolumn:x", False),
        ("boost-3", True),
    ],
)
def test_words_columns_and_negation(text: str, holds: bool) -> None:
    assert matches(parse(text), TITLES, ROW) is holds
