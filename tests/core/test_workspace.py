from __future__ import annotations

from pathlib import Path

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace


def test_a_new_workspace_is_found_from_below(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "shop")
    below = tmp_path / "shop" / "notebooks" / "deep"
    below.mkdir(parents=True)
    assert Workspace.find(env={}, cwd=below) == made
    assert made.pipelines.is_dir()


def test_both_the_project_and_its_storage_folder_name_it(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path)
    assert Workspace.find(tmp_path, env={}) == made
    assert Workspace.find(tmp_path / "storage", env={}) == made


def test_the_option_wins_over_the_variable_and_the_variable_over_the_folder(tmp_path: Path) -> None:
    places = [Workspace.create(tmp_path / name) for name in ("a", "b", "c")]
    env = {"MLOPS_WORKSPACE": str(tmp_path / "b")}
    assert Workspace.find(tmp_path / "a", env=env, cwd=tmp_path / "c") == places[0]
    assert Workspace.find(env=env, cwd=tmp_path / "c") == places[1]
    assert Workspace.find(env={}, cwd=tmp_path / "c") == places[2]


def test_without_any_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no workspace") as caught:
        Workspace.find(env={"XDG_DATA_HOME": str(tmp_path / "none")}, cwd=tmp_path)
    assert "mlops init" in caught.value.hint


def test_a_named_place_without_one_is_an_error_even_when_a_parent_has_one(tmp_path: Path) -> None:
    Workspace.create(tmp_path)
    (tmp_path / "sub").mkdir()
    with pytest.raises(NotFound):
        Workspace.find(tmp_path / "sub", env={})


def test_a_file_is_not_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="is a file"):
        Workspace.find(tmp_path / "file", env={})


def test_making_one_twice_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path)
    made.settings_file.write_text("# mine\n")
    with pytest.raises(AlreadyExists):
        Workspace.create(tmp_path)
    assert made.settings_file.read_text() == "# mine\n"


def test_a_place_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="Cannot make a workspace"):
        Workspace.create(tmp_path / "file" / "below")


def test_a_socket_path_always_fits(tmp_path: Path) -> None:
    long = Workspace(tmp_path / ("x" * 90) / "storage")
    assert len(str(long.socket_path("worker-model-12"))) < 108
