"""What is drawn instead of rows, or above old ones."""

from __future__ import annotations

from mlops_tui.tui.lines import plain, width
from mlops_tui.tui.state import Failure, Versions
from mlops_tui.tui.widgets import states

MINUTE = 60_000


def said(lines: list[states.Line]) -> str:
    return "\n".join(plain(one).rstrip() for one in lines)


def test_a_skeleton_has_the_columns_of_the_list_and_stays_inside() -> None:
    drawn = states.loading(40, columns=(20, 8, 30), rows=4)
    assert all(width(one) <= 40 for one in drawn)
    assert plain(drawn[1]).split() == ["░" * 20, "░" * 8, "░" * 5]


def test_time_and_a_way_out_are_named_after_two_seconds() -> None:
    assert "esc" not in said(states.loading(60, elapsed=1.9))
    assert "loading for 3 s   esc stops waiting" in said(states.loading(60, elapsed=3.1))


def test_an_error_says_what_why_and_the_keys() -> None:
    text = said(states.failed(Failure("The disk [b]is[/b] away.", "Mount it.", "Traceback ..."), 60))
    assert "✗ The disk [b]is[/b] away." in text
    assert "Mount it." in text
    assert "Press R to try again, e for details." in text
    assert "e for details" not in said(states.failed(Failure("No."), 60))


def test_old_rows_say_how_old_they_are() -> None:
    text = plain(states.stale(Failure("The disk is away.\nmore"), 0, 3 * MINUTE))
    assert text == " ✗ The disk is away.  shown as of 3 min ago  R again"


def test_the_banner_says_what_is_away_and_for_how_long() -> None:
    assert states.banner(Versions(daemon=True), True, 0) == ()
    assert states.banner(Versions(), None, 0) == ()
    assert "No daemon: schedules" in plain(states.banner(Versions(down_since=0), False, 5000))
    assert "No daemon for 12 min" in plain(states.banner(Versions(down_since=0), False, 12 * MINUTE))
    assert "The workspace cannot be read: gone" in plain(states.banner(Versions(lost="gone"), False, 0))
