"""Markdown as lines: what notes and reports use, and what is not understood stays as it was written."""

from __future__ import annotations

from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens.markdown import draw_markdown


def texts(text: str, width: int = 40) -> list[str]:
    return [plain(one) for one in draw_markdown(text, width)]


def test_headings_lists_quotes_and_rules_lose_their_marks() -> None:
    assert texts("# Title\n\n- one\n2. two\n> said\n---") == ["Title", "", "• one", "2. two", "▌ said", "─" * 40]


def test_a_long_item_hangs_under_its_text() -> None:
    assert texts("- " + "word " * 6, 16) == ["• word word word", "  word word word"]


def test_emphasis_code_and_links_have_roles() -> None:
    (row,) = draw_markdown("a **b** `c` [d](http://e) snake_case_name", 60)
    assert row == (("a ", "text"), ("b", "title"), (" ", "text"), ("c", "accent"), (" ", "text"), ("d", "accent"),
                   (" (http://e)", "muted"), (" snake_case_name", "text"))  # fmt: skip


def test_code_is_left_alone_even_when_it_is_never_closed() -> None:
    assert texts("```\n# no title\n**x**") == ["  │ # no title", "  │ **x**"]


def test_a_table_has_columns() -> None:
    assert texts("| a | bb |\n|---|:-:|\n| 1 | 2 |") == ["a  bb", "1  2 "]


def test_control_characters_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in "".join(texts("# \x1b[31m red\n\n`\x1b]0;x`\n\n```\n\x1b[2J\n```"))
