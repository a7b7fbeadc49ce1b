"""What the application may cost a line and a processor, measured from a pseudo-terminal as bench/tui.py does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import tui

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tui.workspace(tmp_path_factory.mktemp("budget"), runs=30)


def test_an_idle_desk_sends_nothing(project: Path) -> None:
    assert tui.idle(project, 2.0) == 0


@pytest.mark.parametrize("desk", ["overview", "experiments"])
def test_the_first_paint_is_at_most_ten_kib(project: Path, desk: str) -> None:
    found = b"boost" if desk == "experiments" else b"Overview"
    assert tui.first_paint(tui.application(project, desk), found).written <= 10 * tui.KIB


def test_a_page_further_in_a_million_rows_is_at_most_six_kib() -> None:
    cost = tui.page_down("thin", pages=8)
    assert 0 < cost.written <= 6 * tui.KIB


@pytest.mark.parametrize(("kind", "most"), [("bucketed", 2), ("scrolling", 8)])
def test_eight_live_charts_stay_within_their_kib_a_second(kind: str, most: int) -> None:
    assert 0 < tui.rushed(kind) <= most * tui.KIB


def test_on_a_slow_line_a_key_is_not_behind_pictures_that_nobody_needs_any_more() -> None:
    """In bytes, which no machine changes: the picture on its way and the one with the answer, never those in between."""
    (before,) = tui.before_an_answer("scrolling", presses=1)
    assert before <= 32 * tui.KIB
