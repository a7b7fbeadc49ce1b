"""The page of hardware is true: its commands run as written, in any workspace."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mlops_tui.cli.app import main
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.nvml_facts import FACTS
from mlops_tui.rules import SERIES

PAGE = (Path(__file__).parent.parent / "docs" / "rooms" / "hardware.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_runs_as_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.project)
    monkeypatch.delenv("MLOPS_WORKSPACE", raising=False)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    assert len(lines) > 10
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "mlops"
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0, f"{line}: {capsys.readouterr().err}"
    assert "mlops_daemon_up" in (workspace.project / "mlops.prom").read_text()


def test_the_rules_of_the_page_look_at_series_there_are() -> None:
    named = set(re.findall(r"--series ((?:deployment|monitor)\.\w+)", PAGE))
    assert len(named) >= 3
    assert named <= set(SERIES)


def test_the_page_counts_the_facts_of_a_gpu() -> None:
    assert f"{len(FACTS) + 2} facts" in PAGE  # those of all NVLinks together are not in the table
