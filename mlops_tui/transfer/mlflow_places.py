"""Where the files of an MLflow store lie on this machine: only below the folders it was said to have, wherever its records point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.experiments.arrivals import Kept

_TAIL = 4  # experiment / models / id / artifacts


class Places:
    """Looks artifact addresses up below `roots`. A moved store is found by the last parts of its addresses."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.resolve() for root in roots if root.is_dir()]

    def folder(self, uri: str) -> Path | None:
        """The folder an address means, or None when it is elsewhere."""
        parts = [part for part in unquote(urlsplit(uri).path).split("/") if part]
        if not parts or ".." in parts or urlsplit(uri).scheme not in ("", "file", "mlflow-artifacts"):
            return None
        candidates = [Path("/", *parts)]
        candidates += [
            root.joinpath(*parts[-n:]) for root in self._roots for n in range(_TAIL, 1, -1) if len(parts) >= n
        ]
        for candidate in candidates:
            if candidate.is_dir() and any(candidate.resolve().is_relative_to(root) for root in self._roots):
                return candidate.resolve()
        return None


def keep_folder(store: Artifacts, folder: Path) -> list[Kept]:
    """Put every file of a folder into the store, links that lead out of it left out."""
    kept: list[Kept] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not path.resolve().is_relative_to(folder):
            continue
        try:
            kept.append((path.relative_to(folder).as_posix(), store.put_file(path), path.stat().st_size))
        except WorkbenchError as error:
            raise type(error)(f"artifact {path.name}: {error.message}", hint=error.hint) from error
    return kept
