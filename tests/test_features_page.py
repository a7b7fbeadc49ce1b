"""The newcomer's page of feature tables is true: its commands run as written, top to bottom, in one folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_tui.cli.app import main

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "rooms" / "features.md"
OF_THE_DAEMON = "mlops daemon start"
MAY_SAY_NO = ("features check", "features skew")
# The shell does what the page has of its own at once and writes the words of our commands down, for this process to run.
SHELL = """
mlops() { if [ "$1" = init ]; then mkdir -p "$2"; fi; printf '%s\\0' "$@" >> "$WORDS"; printf '\\n\\0' >> "$WORDS"; }
set -e
"""


def blocks(text: str) -> Iterator[str]:
    """The blocks of commands: fenced and of no language. Those that need a daemon have tests of their own."""
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if not language and OF_THE_DAEMON not in body:
            yield body


def commands(folder: Path) -> list[list[str]]:
    """The words of every `mlops` command of the page, after the shell took quotes and substitutions out."""
    words = folder / "words"
    script = SHELL + "".join(blocks(PAGE.read_text(encoding="utf-8")))
    subprocess.run(["bash", "-c", script], cwd=folder, env={"WORDS": str(words), "PATH": "/usr/bin:/bin"}, check=True)
    found: list[list[str]] = [[]]
    for word in words.read_text(encoding="utf-8").split("\0")[:-1]:
        if word == "\n":
            found.append([])
        else:
            found[-1].append(word)
    return found[:-1]


@pytest.mark.slow
def test_every_command_of_the_page_of_features_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.delenv("MLOPS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "shop"))
    run = commands(tmp_path)
    assert len(run) > 40
    for words in run:
        with pytest.raises(SystemExit) as ended:
            main(words)
        _, said = capsys.readouterr()
        line = " ".join(words)
        allowed = (0, 1) if line.startswith(MAY_SAY_NO) else (0,)
        assert (ended.value.code or 0) in allowed, f"mlops {line}\n{said}"
        if words[0] == "init":
            monkeypatch.chdir(tmp_path / "shop")
