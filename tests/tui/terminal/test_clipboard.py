"""Where a copy goes: into tmux inside it, to the terminal while it takes that much, else into a file whose path is said."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from mlops_tui.core.errors import Unavailable
from mlops_tui.tui import clipboard

HERE = {"PATH": os.environ["PATH"]}


def put(text: str, setting: str = "", env: dict[str, str] | None = None) -> tuple[str, list[str]]:
    sent: list[str] = []
    said = clipboard.copy(text, env={**HERE, **(env or {})}, setting=setting, write=sent.append)
    return said, sent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_short_text_goes_to_the_terminal() -> None:
    said, sent = put("naïve 漢")
    assert said == "Copied naïve 漢"
    assert sent == [f"\x1b]52;c;{base64.b64encode('naïve 漢'.encode()).decode()}\x07"]


def test_the_most_a_terminal_takes_and_one_byte_more(folder: Path) -> None:
    _, sent = put("x" * clipboard.OSC52_BYTES)
    assert len(sent[0]) <= 100_000
    said, sent = put("x" * (clipboard.OSC52_BYTES + 1))
    (file,) = folder.iterdir()
    assert sent == []
    assert said == f"Too much for the clipboard: written to {file}"
    assert file.stat().st_size == clipboard.OSC52_BYTES + 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_setting_decides(folder: Path) -> None:
    taken = folder / "taken"
    said, sent = put("run/1", f"sh -c 'cat > {taken}'")
    assert (said, sent) == ("Copied run/1", [])
    assert taken.read_text(encoding="utf-8") == "run/1"
    assert put("run/1", "osc52", {"TMUX": "x,1,0"})[1]
    said, _ = put("run/1", "file")
    assert Path(said.removeprefix("In ")).read_text(encoding="utf-8") == "run/1"
    with pytest.raises(Unavailable, match="more than a terminal takes"):
        put("x" * 80_000, "osc52")


def test_what_a_program_does_not_take_is_in_a_file(folder: Path) -> None:
    said, _ = put("run/1", "no-such-program -i")
    (file,) = folder.iterdir()
    assert said == f"no-such-program did not take it: written to {file}"


def test_without_any_place_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(Unavailable, match="Nothing took the text"):
        put("run/1", "file")


def test_a_long_text_is_said_by_its_beginning() -> None:
    assert clipboard.short("a\nb  c") == "a b c"
    assert clipboard.short("x" * 200) == f"{'x' * 60}… (200 characters)"


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_inside_tmux_it_is_in_its_buffer() -> None:
    name = f"mlops-copy-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    outside = {key: value for key, value in os.environ.items() if not key.startswith("TMUX")}

    def tmux(*arguments: str) -> str:
        command = ["tmux", "-L", name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=outside).stdout

    tmux("new-session", "-d", "sleep 60")
    try:
        where = tmux("display-message", "-p", "#{socket_path},#{pid},0").strip()
        said, sent = put("run/abc\nline", env={"TMUX": where})
        assert (said, sent) == ("Copied run/abc line", [])
        assert tmux("show-buffer") == "run/abc\nline"
    finally:
        tmux("kill-server")
