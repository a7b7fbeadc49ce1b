"""Saved views: queries kept under a name, by list, in `views.toml` of the workspace, where a person may edit them too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.ids import check_name, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.core.workspace import Workspace


class Views:
    """The saved views of a workspace; a `desk` is the list they are for: runs, models, features, jobs, alerts, ..."""

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.root / "views.toml"
        self._lock = workspace.run / "views.lock"

    def list(self, desk: str) -> dict[str, str]:
        """Queries by name. Raises InvalidInput when the file cannot be read as what it should be."""
        found = self._read().get(desk, {})
        if not isinstance(found, dict) or not all(isinstance(query, str) for query in found.values()):
            raise InvalidInput(
                f'{self._path}: [{desk}] is not a table of name = "query".', hint="Correct or remove the file."
            )
        return dict(sorted(found.items()))

    def get(self, desk: str, name: str) -> str:
        """One query. Raises NotFound with the nearest name, or all of them."""
        views = self.list(desk)
        if name not in views:
            there = "There are: " + ", ".join(views) if views else f"Save one: mlops {desk} list QUERY --save-view NAME"
            raise NotFound(f"There is no view '{name}' of {desk}.", hint=did_you_mean(name, views, there))
        return views[name]

    def save(self, desk: str, name: str, query: str) -> None:
        """Keep a query under a name, in place of one that has it. Raises InvalidInput for a name that cannot be one."""
        check_name("view", name)
        self.list(desk)  # a damaged file is not written over
        with self._document() as document:
            document.setdefault(desk, {})[name] = query

    def remove(self, desk: str, name: str) -> None:
        """Forget a view. Raises NotFound."""
        self.get(desk, name)
        with self._document() as document:
            document[desk].pop(name, None)

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise InvalidInput(f"{self._path} cannot be read: {error}.", hint="Correct or remove the file.") from error

    @contextlib.contextmanager
    def _document(self) -> Iterator[Any]:
        """The file to be changed, with its comments; replaced as a whole, one writer at a time."""
        import tomlkit  # 30 ms, and only for saving

        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            with self._lock.open("a") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)
                document = tomlkit.parse(self._path.read_text(encoding="utf-8") if self._path.exists() else "")
                yield document
                _replace(self._path, tomlkit.dumps(document))
        except OSError as error:
            raise Unavailable(
                f"{self._path} could not be written: {error.strerror}.", hint="Check the disk and its rights."
            ) from error


def _replace(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with staged.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
