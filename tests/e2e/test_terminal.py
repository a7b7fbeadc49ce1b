"""The whole application in a real terminal: every desk, other sizes, a daemon that dies, and a terminal left as it was."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.terminal.tmux_session import Tmux
from mlops_tui.core import locks
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.actions import DESKS
from mlops_tui.workbench import Workbench

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

MLOPS = [sys.executable, "-m", "mlops_tui.cli.app"]
# A process that holds the daemon's lock is, for everybody who asks, a daemon.
HOLD = """
import sys, time
from pathlib import Path
from mlops_tui.core import locks
held = locks.hold(Path(sys.argv[1]))
print("held" if held else "", flush=True)
time.sleep(120)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    workspace = Workspace.create(tmp_path / "bikes")
    with Workbench(workspace, actor="ana") as bench:
        bench.features.create("hours", ["station"])
        bench.experiments.start("hire", name="漢字 run")
        bench.alerts.raise_alert("drift", "bikes", title="Temperature has moved")
    return workspace.project


@pytest.fixture
def daemon(project: Path) -> Iterator[subprocess.Popen[str]]:
    workspace = Workspace.find(project)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workspace.daemon_lock)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    assert locks.held(workspace.daemon_lock)
    yield holder
    holder.kill()
    holder.wait()
    holder.stdout.close()


def test_a_visit_from_start_to_quit(project: Path, daemon: subprocess.Popen[str]) -> None:
    state = {
        "XDG_STATE_HOME": str(project / "state"),
        "XDG_CONFIG_HOME": str(project / "config"),
        "COLORTERM": "truecolor",
    }
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*MLOPS, "-w", str(project), "tui"]
    with Tmux(command, env={**state, **path}, columns=100, rows=30) as terminal:
        terminal.until(lambda picture: "hours" in picture or "Overview" in picture)
        terminal.until(lambda picture: "daemon" in picture and "No daemon" not in picture)
        for at in range(len(DESKS), 0, -1):
            terminal.keys(str(at))
            terminal.until(f"▐{at} ")  # the tab of this desk is the marked one
            assert "Traceback" not in terminal.look()
        terminal.keys("3")
        terminal.until("漢字 run")

        for columns, rows in ((60, 16), (140, 40), (80, 24)):
            terminal.resize(columns, rows)
            terminal.until(lambda picture: "漢字 run" in picture)
            assert max(map(len, terminal.look().splitlines())) <= columns

        daemon.send_signal(signal.SIGKILL)
        terminal.until("No daemon")
        terminal.keys("2")
        terminal.until("hours")  # what is there stays in reach

        assert terminal.ask("#{alternate_on} #{mouse_any_flag} #{cursor_flag}") == "1 1 0"
        terminal.keys("q")
        terminal.until("ended 0")
        assert terminal.ask("#{alternate_on} #{mouse_any_flag} #{cursor_flag}") == "0 0 1"
        terminal.keys("echo it is $((6*7))", "Enter")
        terminal.until("it is 42")


def test_a_terminal_that_cannot_draw_is_refused_with_a_hint(project: Path) -> None:
    with Tmux([*MLOPS, "-w", str(project), "tui"], env={"TERM": "dumb"}, columns=100, rows=10) as terminal:
        picture = terminal.until("ended 7")
    assert "cannot draw" in picture
    assert "TERM=xterm-256color" in picture
