"""The daemon as a `systemd --user` service: restarted when it fails, started at login (or at boot, with lingering)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_tui.core import processes
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.core.workspace import Workspace

LINGER = "So that it also runs while you are not logged in: loginctl enable-linger"
Runner = Callable[[Sequence[str]], int]

_UNIT = """\
[Unit]
Description=mlops daemon of {root}

[Service]
Type=notify
ExecStart={command}
WorkingDirectory={folder}
Environment={environment}
Restart=on-failure
RestartSec=2
# Jobs and the gateway belong to their own supervisors and survive a restart of the daemon.
KillMode=process

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the unit lies, whether systemd has taken it up, and what is left to do."""

    unit: str
    path: str
    active: bool
    hint: str


def unit_name(workspace: Workspace) -> str:
    """One service per workspace: its folder's name and a few digits of its path."""
    digest = hashlib.sha256(os.fsencode(workspace.root)).hexdigest()[:8]
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in workspace.project.name)
    return f"mlops-{name}-{digest}.service"


def unit_text(workspace: Workspace) -> str:
    """The unit file."""
    command = processes.python_module("mlops_tui.daemon", "--workspace", str(workspace.root))
    path = processes.package_environment({}).get("PYTHONPATH", "")
    return _UNIT.format(
        root=_escape(str(workspace.root)),
        command=" ".join(_quoted(part) for part in command),
        folder=_escape(str(workspace.root)),
        environment=_quoted(f"PYTHONPATH={path}") if path else "",
    )


def install(workspace: Workspace, env: Mapping[str, str] | None = None, runner: Runner | None = None) -> Installed:
    """Write the unit and start it. Raises Unavailable where there is no systemd, or the folder cannot be written."""
    runner = runner or _systemctl()
    path = _path(workspace, os.environ if env is None else env)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_text(unit_text(workspace), encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        raise Unavailable(
            f"Cannot write {path}: {error.strerror}.", hint="Use `mlops daemon start` instead."
        ) from error
    active = runner(["daemon-reload"]) == 0 and runner(["enable", "--now", path.name]) == 0
    hint = LINGER if active else f"systemd did not take it up; try: systemctl --user enable --now {path.name}"
    return Installed(path.name, str(path), active, hint)


def uninstall(workspace: Workspace, env: Mapping[str, str] | None = None, runner: Runner | None = None) -> Installed:
    """Stop the service and delete the unit. Raises NotFound when it is not installed."""
    runner = runner or _systemctl()
    path = _path(workspace, os.environ if env is None else env)
    if not path.exists():
        raise NotFound("No service is installed for this workspace.", hint="Install one: mlops daemon install")
    runner(["disable", "--now", path.name])
    path.unlink()
    runner(["daemon-reload"])
    return Installed(path.name, str(path), False, "")


def _path(workspace: Workspace, env: Mapping[str, str]) -> Path:
    base = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else Path.home() / ".config"
    return base / "systemd" / "user" / unit_name(workspace)


def _systemctl() -> Runner:
    program = shutil.which("systemctl")
    if program is None:
        raise Unavailable(
            "This machine has no systemd.",
            hint="Use `mlops daemon start`, or run `mlops daemon run` under your supervisor.",
        )
    return lambda arguments: (
        subprocess.run([program, "--user", *arguments], check=False, capture_output=True).returncode
    )


def _escape(text: str) -> str:
    return text.replace("%", "%%")  # % begins a specifier in unit files


def _quoted(text: str) -> str:
    text = _escape(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"'
