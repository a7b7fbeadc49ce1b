"""Text as values: cutting, wrapping, states, numbers."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mlops_tui.tui.blocks import Fields, Grid, Text, text_of
from mlops_tui.tui.lines import clean, crop, fit, number, plain, size, state, wrap


def test_control_characters_of_users_cannot_reach_the_terminal() -> None:
    assert clean("a\x1b[31mb\nc\x07\x9b") == "a·[31mb c··"


@pytest.mark.parametrize("text", ["short", "a long text that is cut", "日本語のテキスト", "[bold]no markup[/]"])
def test_a_fitted_text_takes_exactly_the_cells_asked(text: str) -> None:
    assert cell_len(fit(text, 9)) == 9
    assert cell_len(fit(text, 9, right=True)) == 9
    assert fit(text, 0) == ""


def test_a_cut_line_ends_with_an_ellipsis() -> None:
    assert plain(crop((("abc", "text"), ("defgh", "bad")), 5)) == "abcd…"


def test_words_are_wrapped_and_long_ones_cut() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert wrap("", 4) == [""]


def test_a_state_is_a_glyph_and_a_word_with_a_role() -> None:
    assert state("running") == ("◐ running", "busy")
    assert state("Production") == ("● Production", "good")
    assert state("never heard") == ("· never heard", "muted")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        (0.031234, "0.03123"),
        (3.0, "3"),
        (2.5e8, "250,000,000"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_written_for_people(value: float | None, text: str) -> None:
    assert number(value) == text


def test_sizes_have_units() -> None:
    assert [size(count) for count in (None, 0, 999, 1536, 3 * 2**30)] == ["-", "0 B", "999 B", "1.5 kB", "3.2 GB"]


def test_blocks_leave_out_what_is_empty() -> None:
    fields = Fields((("Name", "x"), ("Error", ("", "bad"))), title="Head")
    assert text_of([fields, Grid(("A",), ()), Text("end")]) == "Head\nName  x\n\nend"


def test_a_grid_is_cut_at_the_edge() -> None:
    rows = text_of([Grid(("A", "B"), (("x" * 30, "y"),))], 20).splitlines()
    assert all(cell_len(row) <= 20 for row in rows)


def test_the_last_cell_of_a_grid_wraps_under_itself() -> None:
    rows = text_of([Grid(("Step", "Why"), (("gate", "the champion cannot be asked today"),))], 26).splitlines()
    assert rows == ["Step  Why", "gate  the champion cannot", "      be asked today"]


def test_a_table_with_columns_too_many_says_how_many_are_left_out() -> None:
    row = ("errors", "0/110", "0/173", "6.0%", "10.0%", "1", "enough")
    heads = ("Evidence", "Canary", "Others", "At most", "Margin", "Against", "Verdict")
    shown = text_of([Grid(heads, (row,))], 47).splitlines()
    assert shown[0].rstrip().endswith("Margin  +2")
    assert shown[1].rstrip().endswith("10.0%")
    assert "…" not in "".join(shown)
    assert "Verdict" in text_of([Grid(heads, (row,))], 80)


def test_a_long_title_goes_on_in_the_next_line() -> None:
    assert text_of([Fields((), title="version 2 predicts worse than it did")], 20).splitlines() == [
        "version 2 predicts",
        "worse than it did",
    ]
