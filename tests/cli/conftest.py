"""The command as typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlops_tui.cli.app import main
from mlops_tui.core.workspace import Workspace


@pytest.fixture
def mlops(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; (exit code, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--workspace", str(workspace.root), *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call
