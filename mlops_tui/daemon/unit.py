"""The daemon as a `systemd --user` service: restarted when it fails, started at login (or at boot, with lingering)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace

LINGER = "So that it also runs while you are not logged in: loginctl enable-linger"
Runner = Callable[[Sequence[str]], int]

_UNIT = """\
[Unit]
Description=mlops daemon of {root}
# A daemon that cannot start is not started for ever.
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
WorkingDirectory={folder}
Environment={environment}
Restart=on-failure
RestartSec=2
# A loop that stands still for two minutes is restarted.
WatchdogSec=120
# Jobs and the gateway belong to their own supervisors and survive a restart of the daemon.
KillMode=process
# The daemon, its jobs and the gateway together; one job that is killed for memory does not end the others.
OOMPolicy=continue
{bounds}
[Install]
WantedBy=default.target
"""


_BYTES = re.compile(r"\d+(\.\d+)?[KMGT]|\d+%")
_PERCENT = re.compile(r"\d+%")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the service may take, jobs and gateway included, as systemd writes it; empty is no bound."""

    memory: str = ""  # "8G", or "75%" of the machine's
    cpu: str = ""  # "150%" is one and a half processors
    tasks: int = 4096

    def lines(self) -> str:
        """The lines of the unit. Raises InvalidInput for an amount that systemd would not read."""
        if self.memory and not _BYTES.fullmatch(self.memory):
            raise InvalidInput(f"'{self.memory}' is not an amount of memory.", hint="Write 8G, 500M or 75%.")
        if self.cpu and not _PERCENT.fullmatch(self.cpu):
            raise InvalidInput(f"'{self.cpu}' is not a share of processors.", hint="Write 150% for one and a half.")
        found = [f"TasksMax={self.tasks}", "LimitNOFILE=65536"]
        found += [f"MemoryMax={self.memory}"] if self.memory else []
        found += [f"CPUQuota={self.cpu}"] if self.cpu else []
        return "\n".join([*found, "CPUWeight=50", "IOWeight=50", ""])


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the unit lies, whether systemd has taken it up, and what is left to do."""

    unit: str
    path: str
    active: bool
    hint: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What `install` would do: the unit's text, where it would lie, and the commands after that."""

    unit: str
    path: str
    text: str
    commands: tuple[str, ...]
    hint: str


def unit_name(workspace: Workspace) -> str:
    """One service per workspace: its folder's name and a few digits of its path."""
    digest = hashlib.sha256(os.fsencode(workspace.root)).hexdigest()[:8]
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in workspace.project.name)
    return f"mlops-{name}-{digest}.service"


def unit_text(workspace: Workspace, bounds: Bounds | None = None) -> str:
    """The unit file. Raises InvalidInput for bounds that cannot be."""
    command = processes.python_module("mlops_tui.daemon", "--workspace", str(workspace.root))
    path = processes.package_environment({}).get("PYTHONPATH", "")
    return _UNIT.format(
        root=_escape(str(workspace.root)),
        command=" ".join(_quoted(part) for part in command),
        folder=_escape(str(workspace.root)),
        environment=_quoted(f"PYTHONPATH={path}") if path else "",
        bounds=(bounds or Bounds()).lines(),
    )


def plan(workspace: Workspace, env: Mapping[str, str] | None = None, bounds: Bounds | None = None) -> Planned:
    """What `install` would write and run, with nothing done. Raises InvalidInput for bounds that cannot be."""
    path = _path(workspace, os.environ if env is None else env)
    commands = tuple(f"systemctl --user {' '.join(arguments)}" for arguments in _commands(path.name))
    return Planned(path.name, str(path), unit_text(workspace, bounds), commands, LINGER)


def _commands(name: str) -> list[list[str]]:
    # restart, not --now: a unit that was written anew must be read by the service that runs already.
    return [["daemon-reload"], ["enable", name], ["restart", name]]


def install(
    workspace: Workspace,
    env: Mapping[str, str] | None = None,
    runner: Runner | None = None,
    bounds: Bounds | None = None,
) -> Installed:
    """Write the unit and start it, or start it anew with what it says now.

    Raises Unavailable where there is no systemd, or the folder cannot be written."""
    runner = runner or _systemctl()
    path = _path(workspace, os.environ if env is None else env)
    text = unit_text(workspace, bounds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        raise Unavailable(
            f"Cannot write {path}: {error.strerror}.", hint="Use `mlops daemon start` instead."
        ) from error
    active = all(runner(arguments) == 0 for arguments in _commands(path.name))
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
