"""Opening the application in a terminal: what it is told of workspace, keys and looks, and what the process is set to meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

from mlops_tui.core import clock
from mlops_tui.tui import keymap
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.history import Place
from mlops_tui.tui.preferences import FILE, Preferences, config_folder, state_folder
from mlops_tui.tui.state import Source, release_collector, spare_collector
from mlops_tui.tui.views import FILE as VIEWS_FILE
from mlops_tui.tui.views import Views
from mlops_tui.workbench import Workbench, open_workbench

SWITCH_S = 0.001
"""How long a worker that computes may keep the event loop waiting; Python's own 5 ms would add up within one picture."""


def run(
    workspace_path: str | Path | None,
    *,
    screen: str | None = None,
    actor: str | None = None,
    read_only: bool = False,
    utc: bool = False,
) -> int:
    """Open the workspace in the terminal until the user quits; the exit code. `screen` is a place such as `run/3f2`.

    Raises the errors of `open_workbench` (no workspace, wrong settings), NotFound for a place that does not exist and
    InvalidInput for a keymap with mistakes, all before the terminal is touched.
    """
    with open_workbench(workspace_path, actor=actor) as bench:
        workspace = bench.workspace
        where = _resolve(bench, screen) if screen else None
        daemon = bench.daemon_alive()
    keys = keymap.load([config_folder() / keymap.FILE, workspace.root / keymap.FILE])
    clock.show_utc(utc)
    views = Views(workspace.run / VIEWS_FILE)
    source = Source(lambda: Workbench(workspace, actor=actor), now=clock.now_ms, views=views)
    app = MlopsApp(
        source,
        project=workspace.project.name,
        home=str(workspace.root),
        where=where,
        read_only=read_only,
        keys=keys,
        preferences=Preferences.read(state_folder() / FILE),
    )
    app.spares_collector = True
    spare_collector()
    sys.setswitchinterval(SWITCH_S)
    app.daemon = daemon  # known before the first picture: the banner would move everything below it
    try:
        return app.run_in_terminal(workspace.logs)
    finally:
        release_collector()


def _resolve(bench: Workbench, where: str) -> Place:
    from mlops_tui.tui import links

    return links.resolve(bench, where)
