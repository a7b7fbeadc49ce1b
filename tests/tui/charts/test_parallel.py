"""Parallel coordinates: where lines cross their axes, and what stands at the ends."""

from __future__ import annotations

import pytest

from mlops_tui.tui.charts import parallel
from mlops_tui.tui.lines import plain, width


def test_numbers_stand_by_their_size_and_words_in_their_order() -> None:
    assert parallel.axis("lr", ["0.1", "0.3", None, "0.2"]) == parallel.Axis(
        "lr", "0.1", "0.3", (0.0, 1.0, None, pytest.approx(0.5))
    )
    assert parallel.axis("opt", ["sgd", "adam", "rms"]) == parallel.Axis("opt", "adam", "sgd", (1.0, 0.0, 0.5))
    assert parallel.axis("same", ["3", "3"]).places == (0.5, 0.5)
    assert parallel.axis("mixed", ["3", "auto"]).low == "3"
    assert parallel.axis("none", [None, "nan"]).places == (None, 0.5)


def test_the_best_line_lies_in_front_and_every_line_fits() -> None:
    axes = [parallel.axis("a", ["0", "1", "1"]), parallel.axis("b", ["1", "0", "0"])]
    found = parallel.draw(axes, 40, 12)
    assert len(found) == 12
    assert max(width(one) for one in found) <= 40
    assert plain(found[0]).split() == ["a", "b"]
    assert plain(found[-1]).split() == ["0", "0"]
    assert {role for one in found for _, role in one} >= {parallel.BEST, parallel.WORST}
    middle = found[6]
    assert any(role == parallel.BEST for _, role in middle)


def test_a_missing_value_tears_its_line() -> None:
    whole = parallel.draw([parallel.axis("a", ["1"]), parallel.axis("b", ["2"])], 40, 12)
    torn = parallel.draw([parallel.axis("a", ["1"]), parallel.axis("b", [None])], 40, 12)
    assert sum(role == parallel.BEST for one in whole for _, role in one) > 0
    assert sum(role == parallel.BEST for one in torn for _, role in one) == 0


def test_without_room_it_says_so() -> None:
    assert "too little room" in plain(parallel.draw([parallel.axis("a", ["1"])] * 5, 30, 10)[0])


def test_in_ascii_nothing_else_is_drawn() -> None:
    found = parallel.draw([parallel.axis("a", ["1", "2"]), parallel.axis("b", ["2", "1"])], 40, 12, kind="ascii")
    assert all(plain(one).isascii() for one in found)
