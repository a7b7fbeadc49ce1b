from __future__ import annotations

import dataclasses
import enum

import pytest

from mlops_tui.cli import output
from mlops_tui.core.errors import NotAllowed


class Colour(enum.StrEnum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Thing:
    name: str
    at: int
    colour: Colour
    score: float


THING = Thing("a", 1_760_000_000_000, Colour.RED, float("nan"))


def test_json_has_iso_times_plain_enums_and_null_for_nan() -> None:
    assert output.jsonable(THING) == {"name": "a", "at": "2025-10-09T08:53:20Z", "colour": "red", "score": None}


def test_a_table_is_aligned_and_numbers_stand_right(capsys) -> None:
    output.emit([{"name": "a", "n": 5}, {"name": "longer", "n": 1234}], [("name", "Name"), ("n", "N")])
    assert capsys.readouterr().out.splitlines() == ["Name       N", "a          5", "longer  1234"]


def test_an_empty_list_says_what_to_do_on_stderr_and_an_empty_array_as_json(capsys) -> None:
    output.emit([], [("name", "Name")], empty="Nothing yet. Make one: mlops init")
    out, err = capsys.readouterr()
    assert (out, "mlops init" in err) == ("", True)
    output.emit([], [("name", "Name")], as_json=True)
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2_500_000, "2.5 MB"), (3e12, "3.0 TB")]
)
def test_bytes_are_shown_as_disks_are_sold(count: float, text: str) -> None:
    assert output.human_bytes(count) == text


def test_without_a_terminal_nobody_says_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    output.confirm("Remove it?", yes=True)
    with pytest.raises(NotAllowed, match="Nobody is there"):
        output.confirm("Remove it?", yes=False)


def test_progress_is_silent_without_a_terminal(capsys) -> None:
    with output.progress_bar("reading") as report:
        report(1, 2, "half")
    assert capsys.readouterr() == ("", "")


def test_following_a_file_survives_its_rotation_and_prints_the_end(tmp_path, capsys) -> None:
    path = tmp_path / "log"
    path.write_text("a long first line\n")
    turns = iter([False, False, True])

    def finished() -> bool:
        turn = next(turns)
        if turn:
            path.write_text("new\n")
        return turn

    output.follow(path, finished, poll_s=0)
    assert capsys.readouterr().out == "a long first line\nnew\n"
