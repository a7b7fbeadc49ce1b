"""Keymaps: two sets without conflicts, files of the user over them, and a clear sentence for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import actions, keymap
from mlops_tui.tui.app import MlopsApp

from .conftest import desk_of, press, settle, source_of, text_of


def written(folder: Path, text: str) -> Path:
    path = folder / keymap.FILE
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", keymap.SETS)
def test_a_set_knows_only_real_actions_and_gives_no_key_two_meanings(name: str) -> None:
    keys = keymap.SETS[name]
    assert set(keys) <= {one.id for one in actions.ALL if not one.fixed}
    assert keymap.conflicts(keys) == []
    used = {key for one in actions.ALL for key in keys.get(one.id, one.keys)}
    assert not used & (set(keymap.SWALLOWED) | {"ctrl+a", "ctrl+b"})


def test_two_actions_of_different_parts_may_share_a_key_and_two_of_one_part_may_not() -> None:
    pause, resume, run = (actions.get(f"pipelines.{verb}") for verb in ("pause", "resume", "run"))
    assert not actions.meet(run, resume)
    assert actions.meet(pause, resume)
    assert actions.meet(pause, actions.get("app.undo"))


def test_no_file_means_the_keys_of_the_registry(tmp_path: Path) -> None:
    assert keymap.load([tmp_path / "none.toml"]) == {}


def test_a_file_chooses_a_set_and_single_keys_and_a_later_file_wins(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = written(tmp_path / "a", 'set = "plain"\n[keys]\nlist.filter = "f3"\n"registry.promote" = ["p", "P"]\n')
    second = written(tmp_path, '[keys]\n"list.filter" = "ctrl+f"\n')
    keys = keymap.load([first, second])
    assert keys["list.filter"] == ("ctrl+f",)
    assert keys["registry.promote"] == ("p", "P")
    assert keys["list.refresh"] == ("f5",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('set = "emacs"', "none of vim, plain"),
        ('[keys]\n"list.filtre" = "f3"', "Did you mean 'list.filter'?"),
        ('[keys]\n"list.filter" = "ctrl+h"', "terminals send it as backspace"),
        ('[keys]\n"list.filter" = "ctrl+["', "terminals send it as escape"),
        ('[keys]\n"list.filter" = 3', "needs a key"),
        ('[keys]\n"go.esc" = "b"', "cannot be changed"),
        ('[keys]\n"list.filter" = "s"', "s would mean both 'list.filter' and 'list.sort'"),
        ('[keys]\n"serving.stop" = "b"', "b would mean both 'serving.stop' and 'serving.rollback' on serving."),
        ('[colours]\nred = "x"', "neither `set` nor [keys]"),
        ("[keys", "keys.toml"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        keymap.load([written(tmp_path, text)])
    assert said in caught.value.message


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        keymap.load([written(tmp_path, '[keys]\n"a.b" = "x"\n"list.filter" = "ctrl+m"\n')])
    assert len(caught.value.message.splitlines()) == 3


async def test_keys_of_the_user_work_and_show_in_footer_and_help(filled: Workspace, tmp_path: Path) -> None:
    keys = keymap.load(
        [written(tmp_path, 'set = "plain"\n[keys]\n"pipelines.resume" = "p"\n"pipelines.pause" = "r"\n')]
    )
    app = MlopsApp(source_of(filled), project="bikes", screen="pipelines", watch=False, keys=keys)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "ctrl+f")
        assert desk_of(pilot).query_one("#filter").display
        await press(pilot, "escape", "right", "right")
        assert "r pause  p resume" in text_of(pilot)
        await press(pilot, "r")
        assert app.source.fetch(lambda bench: bench.schedules.list())[0].paused
        await press(pilot, "p")
        assert not app.source.fetch(lambda bench: bench.schedules.list())[0].paused
        await press(pilot, "f10", *"the newest act")
        assert "f8" in text_of(pilot)
        await press(pilot, "escape", "q")
        assert app.is_running
