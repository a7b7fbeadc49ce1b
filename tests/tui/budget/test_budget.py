"""What the application may cost a line and a processor, measured from a pseudo-terminal as bench/tui.py does."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from bench import tui

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tui.workspace(tmp_path_factory.mktemp("budget"), runs=30)


def test_an_idle_desk_sends_nothing(project: Path) -> None:
    assert tui.idle(project, 3.0) == 0


@pytest.mark.parametrize("desk", ["overview", "experiments"])
def test_the_first_paint_is_at_most_ten_kib(project: Path, desk: str) -> None:
    found = b"boost" if desk == "experiments" else b"Overview"
    assert tui.first_paint(tui.application(project, desk), found).written <= 10 * tui.KIB


def test_a_page_further_in_a_million_rows_is_at_most_six_kib() -> None:
    cost = tui.page_down("thin", pages=20)
    assert 0 < cost.written <= 6 * tui.KIB


def test_eight_live_charts_are_at_most_two_kib_a_second_with_a_bucketed_axis() -> None:
    assert 0 < tui.live(tui.subject("bucketed", "thin"), 10.0).written <= 2 * tui.KIB


def test_eight_live_charts_are_at_most_eight_kib_a_second_when_they_scroll() -> None:
    assert 0 < tui.live(tui.subject("scrolling", "thin"), 6.0).written <= 8 * tui.KIB


def test_on_a_slow_line_under_live_charts_a_key_is_answered_at_once() -> None:
    took = tui.key_to_paint("scrolling", "thin", presses=5)
    assert len(took) == 5
    assert statistics.median(took) < 0.2
