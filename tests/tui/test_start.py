"""Starting: nothing heavy on the way to the first paint, real "no colour", and threads that end with the application."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import pytest
from textual.css import stylesheet

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.state import Source, Versions, Watch
from mlops_tui.workbench import Workbench

from .conftest import desk_of, source_of, text_of

HEAVY = (
    "pandas",
    "numpy",
    "sklearn",
    "duckdb",
    "pyarrow",
    "scipy",
    "river",
    "apscheduler",
    "psutil",
    "sqlite_utils",
    "uvicorn",
)

HYGIENE = """
import json, sys
from importlib import import_module
from pkgutil import iter_modules
import mlops_tui.tui.opening
first = sorted(sys.modules)
for folder in ("screens", "widgets"):  # as the application does once its first picture stands
    package = import_module(f"mlops_tui.tui.{folder}")
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(found.name)
print(json.dumps([first, sorted(sys.modules)]))
"""


def test_the_import_path_of_the_application_loads_nothing_heavy_and_no_desk() -> None:
    done = subprocess.run([sys.executable, "-c", HYGIENE], capture_output=True, text=True, check=True)
    first, all_ = json.loads(done.stdout)
    assert not [name for name in first if name.partition(".")[0] in HEAVY]
    assert "mlops_tui.tui.screens.features" not in first
    assert not [name for name in all_ if name.partition(".")[0] in HEAVY]


def test_the_key_page_needs_no_screen() -> None:
    code = "import sys; from mlops_tui.tui import actions; actions.markdown(); assert 'textual' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_only_the_desk_that_was_asked_for_is_built_before_the_first_picture(filled: Workspace) -> None:
    async with MlopsApp(source_of(filled), screen="registry", watch=False).run_test(size=(80, 24)) as pilot:
        assert list(pilot.app._screen_stacks) == ["registry"]


async def test_style_sheets_are_read_once_and_again_for_another_theme(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    parse = stylesheet.parse

    def noted(scope: str, css: str, read_from: Any, **more: Any) -> Any:
        read.append((scope, css, read_from, more["tie_breaker"]))
        return parse(scope, css, read_from, **more)

    monkeypatch.setattr(stylesheet, "parse", noted)
    async with MlopsApp(source_of(filled), screen="registry", watch=False).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await pilot.press("1")
        assert len(read) == len(set(read))
        before = len(read)
        await pilot.press("T")
        await pilot.pause()
        assert len(read) > before


async def test_a_change_by_another_process_is_on_screen_within_a_second(filled: Workspace) -> None:
    app = MlopsApp(source_of(filled), project="bikes", screen="monitoring")
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(50):
            await pilot.pause(0.1)
            if "Temperature" in text_of(pilot):
                break
        with Workbench(filled, actor="ben") as other:
            other.alerts.raise_alert("latency", "trial", title="Seen at once")
        for _ in range(30):
            await pilot.pause(0.1)
            if "Seen at once" in text_of(pilot):
                return
        pytest.fail(text_of(pilot))


async def test_an_idle_workspace_is_not_read_again(filled: Workspace) -> None:
    app = MlopsApp(source_of(filled), project="bikes", screen="registry")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(1.0)
        loads = []
        desk_of(pilot).load = lambda section: loads.append(section.id)  # type: ignore[method-assign]
        await pilot.pause(1.2)
        assert loads == []


def test_the_watcher_reports_only_what_changed() -> None:
    assert Versions(2, 1, 1, True).changed(Versions(1, 1, 1, True)) == {"catalog"}
    assert Versions(1, 1, 1, False).changed(Versions(1, 1, 1, True)) == {"daemon"}


def test_the_watcher_outlives_a_workspace_that_cannot_be_read() -> None:
    calls: list[int] = []

    def open_() -> Workbench:
        calls.append(1)
        watch.stop()
        raise OSError("gone")

    watch = Watch(Source(open_), lambda versions: None)
    watch.run()
    assert calls


@pytest.mark.e2e
@pytest.mark.parametrize("no_color", [False, True])
def test_in_a_real_terminal_it_paints_and_no_color_means_none(filled: Workspace, no_color: bool) -> None:
    code = f"from mlops_tui.tui.opening import run; run({str(filled.root)!r}, screen='registry')"
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
    env.pop("NO_COLOR", None)
    if no_color:
        env["NO_COLOR"] = "1"
    seen = in_terminal([sys.executable, "-c", code], env, b"q", b"hire")
    assert b"hire" in seen
    coloured = b"\x1b[38;2;" in seen or b";38;2;" in seen
    assert coloured is not no_color
    assert b"\x1b[?1049l" in seen  # the terminal is given back


def in_terminal(command: list[str], env: dict[str, str], last: bytes, wait_for: bytes) -> bytes:
    """Everything the command writes to a terminal of 80x24; `last` is typed once `wait_for` is there."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["COLUMNS"], os.environ["LINES"] = "80", "24"
        os.execve(command[0], command, {**env, "COLUMNS": "80", "LINES": "24"})
    seen, typed, end = b"", False, time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        elif wait_for in seen:
            os.write(terminal, last)
            typed = True
    assert typed
    os.waitpid(child, 0)
    os.close(terminal)
    return seen
