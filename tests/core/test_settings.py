from __future__ import annotations

from pathlib import Path

import pytest

from mlops_tui.core import settings
from mlops_tui.core.errors import InvalidInput


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_a_missing_file_means_the_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "none.toml", {}) == settings.Settings()


def test_values_are_read(tmp_path: Path) -> None:
    loaded = settings.load(write(tmp_path, "[serving]\nport = 9000\n[daemon]\nmonitor_s = 5\n"), {})
    assert (loaded.serving.port, loaded.daemon.monitor_s) == (9000, 5.0)


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[serving]\nport = 9000\n")
    assert settings.load(path, {"MLOPS_SERVING_PORT": "9001"}).serving.port == 9001


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "[servng]\n[serving]\nprot = 1\nport = 'x'\n[daemon]\npoll_ms = 1\n")
    with pytest.raises(InvalidInput) as caught:
        settings.load(path, {"MLOPS_LAKE_THREADS": "many"})
    text = caught.value.message
    assert "5 mistakes" in text
    for part in (
        "did you mean [serving]?",
        "did you mean port?",
        "[serving] port",
        "[daemon] poll_ms",
        "$MLOPS_LAKE_THREADS",
    ):
        assert part in text


def test_a_section_that_is_a_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="must be a section"):
        settings.load(write(tmp_path, "serving = 3\n"), {})


@pytest.mark.parametrize("text", ["[serving", "a = \n", "\x00"])
def test_broken_toml_names_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"settings\.toml is not valid TOML"):
        settings.load(write(tmp_path, text), {})
