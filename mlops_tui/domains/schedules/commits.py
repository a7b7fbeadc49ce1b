"""The branches of the project's git repository, read from its files: what a look costs must be next to nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from mlops_tui.core.errors import Unavailable

_TIMEOUT_S = 10.0
_TREE_S = 300.0  # a large repository takes its time


def head(project: Path, branch: str) -> str:
    """The newest commit of a branch; empty when there is no such branch, or no repository."""
    folder = _folder(project)
    return _ref(folder, f"refs/heads/{branch}") if folder else ""


def checked_out(project: Path) -> tuple[str, str]:
    """(branch, commit) of the working tree; the branch is empty when a commit is checked out, both without a repository."""
    folder = _folder(project)
    if folder is None:
        return "", ""
    text = _text(folder / "HEAD")
    if text.startswith("ref: refs/heads/"):
        branch = text.removeprefix("ref: refs/heads/")
        return branch, _ref(folder, f"refs/heads/{branch}")
    return "", text


@lru_cache(maxsize=256)
def subject(project: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return _git(project, "log", "-1", "--format=%s", commit).strip()


@lru_cache(maxsize=256)
def touched(project: Path, old: str, new: str, paths: tuple[str, ...]) -> bool:
    """Whether anything under `paths` differs between two commits; True when that cannot be told."""
    if not old or not paths:
        return True
    return _git(project, "diff", "--quiet", old, new, "--", *paths, code=True) != "0"


@contextmanager
def tree(project: Path, commit: str, folder: Path) -> Iterator[Path]:
    """The project as it is at a commit, in a working tree of its own inside `folder` for as long as the block lasts.

    Raises Unavailable in git's words when it cannot be made.
    """
    top = _git(project, "rev-parse", "--show-toplevel").strip()
    place = Path(tempfile.mkdtemp(dir=folder)) / "tree"
    try:
        done = subprocess.run(
            ["git", "worktree", "add", "--detach", "--quiet", str(place), commit],  # noqa: S607
            cwd=project,
            capture_output=True,
            text=True,
            timeout=_TREE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Unavailable(f"Commit {commit[:10]} cannot be checked out: {done.stderr.strip()}")
        yield place / project.resolve().relative_to(Path(top).resolve())
    finally:
        _git(project, "worktree", "remove", "--force", str(place))
        shutil.rmtree(place.parent, ignore_errors=True)


def _folder(project: Path) -> Path | None:
    """The git folder of a working tree, found upwards; that of a linked tree is named in a file."""
    for place in (project, *project.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return (place / _text(git).removeprefix("gitdir: ")).resolve()
    return None


def _ref(folder: Path, name: str) -> str:
    common = folder / _text(folder / "commondir") if (folder / "commondir").is_file() else folder
    for place in (folder, common):
        if (place / name).is_file():
            return _text(place / name)
    for line in _text(common / "packed-refs").splitlines():
        commit, _, found = line.partition(" ")
        if found == name:
            return commit
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):  # packed away or rewritten this moment: the next look sees it
        return ""


def _git(project: Path, *arguments: str, code: bool = False) -> str:
    """Its output, or with `code` its exit code as text; empty when git cannot be run."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's own git, wherever it lies
            cwd=project,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return str(done.returncode) if code else done.stdout.decode("utf-8", "replace")
