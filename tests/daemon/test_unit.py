from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon import unit


class Systemctl:
    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str]) -> int:
        self.calls.append(list(arguments))
        return self.code


def test_the_unit_restarts_the_daemon_and_spares_its_jobs(workspace: Workspace, tmp_path: Path) -> None:
    systemctl = Systemctl()
    installed = unit.install(workspace, {"XDG_CONFIG_HOME": str(tmp_path)}, systemctl)
    text = Path(installed.path).read_text()
    assert Path(installed.path).parent == tmp_path / "systemd" / "user"
    assert "KillMode=process\n" in text
    assert "Restart=on-failure\n" in text
    assert f'"--workspace" "{workspace.root}"' in text
    assert systemctl.calls == [["daemon-reload"], ["enable", installed.unit], ["restart", installed.unit]]
    assert installed.active
    assert "enable-linger" in installed.hint


def test_bounds_stand_in_the_unit_and_a_dry_run_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    planned = unit.plan(workspace, {"XDG_CONFIG_HOME": str(tmp_path)}, unit.Bounds(memory="75%", cpu="150%"))
    lines = planned.text.splitlines()
    assert {"MemoryMax=75%", "CPUQuota=150%", "OOMPolicy=continue", "WatchdogSec=120"} <= set(lines)
    assert planned.commands[-1] == f"systemctl --user restart {planned.unit}"
    assert not Path(planned.path).exists()
    for wrong in (unit.Bounds(memory="lots"), unit.Bounds(cpu="2"), unit.Bounds(memory="1G\nExecStart=/bin/x")):
        with pytest.raises(InvalidInput):
            unit.plan(workspace, {}, wrong)


def test_odd_letters_in_the_path_cannot_change_the_unit(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / 'a "b" 100% $HOME')
    text = unit.unit_text(workspace)
    assert '\\"b\\" 100%% $$HOME' in text
    assert unit.unit_name(workspace).replace("-", "").removesuffix(".service").isalnum()


def test_refusal_by_systemd_is_told_and_uninstall_takes_the_file_away(workspace: Workspace, tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    installed = unit.install(workspace, env, Systemctl(code=1))
    assert not installed.active
    assert "systemctl --user enable" in installed.hint
    unit.uninstall(workspace, env, Systemctl())
    assert not Path(installed.path).exists()
    with pytest.raises(NotFound):
        unit.uninstall(workspace, env, Systemctl())


def test_without_systemd_nothing_is_written(workspace: Workspace, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unit.shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="no systemd"):
        unit.install(workspace, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert list(tmp_path.glob("systemd/**/*.service")) == []
