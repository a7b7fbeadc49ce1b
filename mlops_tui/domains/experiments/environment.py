"""Where a run came from: command, interpreter, user, host, git commit and installed packages. Captured once per process."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_GIT_TIMEOUT_S = 2.0
_MAX_DIFF = 1 << 20
_TORCH_UNSEEDED = 67280421310721


@dataclass(frozen=True, slots=True)
class Git:
    """The state of the working tree; empty strings outside a repository."""

    commit: str = ""
    branch: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    source: str
    command: str
    python: str
    user: str
    host: str
    git: Git


@lru_cache(maxsize=8)
def capture(folder: Path) -> Environment:
    """What can be said of this process at once (one git call, at most 2 s). Never raises.

    Kept for the life of the process: the code that runs is the code that was loaded, even if HEAD moves meanwhile.
    """
    return Environment(
        source=_source(),
        command=shlex.join([Path(sys.executable).name, *_arguments()]),
        python=platform.python_version(),
        user=_user(),
        host=socket.gethostname(),
        git=git_state(folder),
    )


def git_state(folder: Path) -> Git:
    """Commit, branch and whether tracked files differ from the commit, by one `git status`."""
    commit = branch = ""
    dirty = False
    for line in _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no").splitlines():
        if line.startswith("# branch.oid "):
            commit = line.removeprefix("# branch.oid ")
        elif line.startswith("# branch.head "):
            branch = line.removeprefix("# branch.head ")
        elif not line.startswith("#"):
            dirty = True
    return Git("" if commit == "(initial)" else commit, "" if branch == "(detached)" else branch, dirty)


@lru_cache(maxsize=8)
def git_diff(folder: Path) -> str:
    """The uncommitted change of tracked files, at most 1 MiB of it; empty when clean or no repository."""
    return _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff")[:_MAX_DIFF]


def diff_between(folder: Path, first: str, second: str) -> str:
    """The change from one commit to another, at most 1 MiB of it; empty where they are not known."""
    return _git(folder, "diff", "--no-color", "--no-ext-diff", "--end-of-options", first, second)[:_MAX_DIFF]


@lru_cache(maxsize=1)
def packages() -> str:
    """`name==version` lines of what is installed on sys.path.

    Read from the names of the `.dist-info` folders (PEP 427 puts both there): 1 ms; importlib.metadata parses every
    METADATA file for the same answer.
    """
    found: dict[str, str] = {}
    for entry in sys.path:
        try:
            folders = [path.name for path in Path(entry or ".").glob("*.dist-info")]
        except OSError:  # an entry of sys.path that is no readable folder
            continue
        for folder in folders:
            name, _, version = folder.removesuffix(".dist-info").partition("-")
            found.setdefault(name.replace("_", "-").lower(), version)
    return "".join(sorted(f"{name}=={version}\n" for name, version in found.items()))


def seeds() -> dict[str, str]:
    """Seeds that were set before now and can be told: of Python's hashes, NumPy's global generator and PyTorch.

    NumPy keeps the seed as the first word of a state that nothing was drawn from; it counts when seeding again gives that state.
    """
    found = {}
    if os.environ.get("PYTHONHASHSEED", "random") != "random":
        found["PYTHONHASHSEED"] = os.environ["PYTHONHASHSEED"]
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    try:
        if numpy is not None:
            state = numpy.random.get_state()
            seed = int(state[1][0])
            if (numpy.random.RandomState(seed).get_state()[1] == state[1]).all():
                found["numpy"] = str(seed)
        if torch is not None and torch.initial_seed() != _TORCH_UNSEEDED:
            found["torch"] = str(torch.initial_seed())
    except Exception:  # half imported, or replaced by something else: a run starts without knowing its seeds
        return found
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's own git, wherever it lies
            cwd=folder,
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git, a vanished folder or a huge tree: a run works without it
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def source_of(command: Sequence[str]) -> str:
    """The script of a command: the first word after the program that is a file, else the program."""
    scripts = (word for word in command[1:] if not word.startswith("-") and Path(word).is_file())
    return next(scripts, command[0])


def _source() -> str:
    """The script or module being run; `-c` and interactive sessions say so."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return str(path) if path else (sys.argv[0] if sys.argv and sys.argv[0] else "interactive")


def _arguments() -> list[str]:
    return list(sys.orig_argv[1:]) if len(sys.orig_argv) > 1 else list(sys.argv)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without a passwd entry
        return ""
