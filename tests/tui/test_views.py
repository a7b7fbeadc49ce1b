"""What a list looks like is remembered, and a broken memory never costs the session."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_tui.tui.views import View, Views


def test_a_view_comes_back_in_the_next_session(tmp_path: Path) -> None:
    view = View("state:failed", "Started", True, ("Run", "State"), ("By",))
    Views(tmp_path / "run" / "tui-state.json").put("experiments.runs", view)
    again = Views(tmp_path / "run" / "tui-state.json")
    assert again.get("experiments.runs") == view
    assert again.get("registry.models") == View()


def test_a_view_that_is_as_it_was_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "tui-state.json"
    views = Views(path)
    views.put("a", View())
    assert not path.exists()
    views.put("a", View("x"))
    views.put("a", View())
    assert path.read_text() == "{}"


@pytest.mark.parametrize(
    "text", ["", "not json", "[1]", '{"a": 3}', '{"a": {"order": 3, "filter": null, "reverse": "yes"}}']
)
def test_a_file_with_nonsense_is_no_memory(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tui-state.json"
    path.write_text(text)
    view = Views(path).get("a")
    assert (view.sort, view.reverse, view.order) == ("", False, ())


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    views = Views(blocked / "tui-state.json")
    views.put("a", View("x"))
    assert views.get("a") == View("x")
