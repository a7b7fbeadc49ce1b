"""Completion of SQL: tables, versions, columns, keywords, by where the cursor stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_tui.tui import sql_history
from mlops_tui.tui.sql_words import Words, offers, quoted, word

KNOWN = Words(
    {"hours": ("station", "at", "hires"), "stations": ("station", "docks"), "odd name": ("x y",)}, {"hours": 2}
)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SELECT * FROM ", ["hours", "stations", '"odd name"']),
        ("SELECT * FROM sta", ["stations"]),
        ("SELECT * FROM hours h JOIN st", ["stations"]),
        ("SELECT * FROM hours@", ['"hours@2"', '"hours@1"']),
        ("SELECT * FROM hours WHERE hi", ["hires"]),
        ("SELECT * FROM hours h WHERE h.a", ['h."at"']),
        ("SELECT * FROM hours h WHERE h.st", ["h.station"]),
        ("SELECT * FROM hours WHER", ["WHERE"]),
        ("select * from hours wher", ["where"]),
        ("SELECT cou", ["count(*)", "count(DISTINCT "]),
    ],
)
def test_what_is_offered_depends_on_where_the_cursor_stands(text: str, first: list[str]) -> None:
    assert offers(text, len(text), KNOWN)[: len(first)] == first


def test_a_column_of_a_table_that_is_not_in_the_query_is_not_offered() -> None:
    text = "SELECT doc FROM hours"
    assert "docks" not in offers(text, 10, KNOWN)
    assert offers("SELECT doc", 10, KNOWN) == ["docks"]


def test_nothing_is_offered_for_nothing_and_for_what_is_there_already() -> None:
    assert offers("", 0, KNOWN) == []
    assert offers("SELECT * FROM stations", 22, KNOWN) == []
    assert word("SELECT ab", 9) == 7


def test_names_that_are_no_plain_words_or_mean_something_are_quoted() -> None:
    assert [quoted(name) for name in ("hires", "at", "a b", 'a"b')] == ["hires", '"at"', '"a b"', '"a""b"']


def test_what_was_run_is_there_in_the_next_session_and_a_broken_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "run" / sql_history.FILE
    assert sql_history.remembered(file) == []
    sql_history.keep(file, ["SELECT 1", "SELECT\n2"])
    with file.open("a", encoding="utf-8") as handle:
        handle.write("{broken\n")
    assert sql_history.remembered(file) == ["SELECT 1", "SELECT\n2"]
    sql_history.keep(file, [str(n) for n in range(1000)])
    assert sql_history.remembered(file)[0] == "700"
