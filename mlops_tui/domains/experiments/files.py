"""Files of a run: copied into the artifact store by the training process, then named in its spool segment."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path, PurePosixPath
from typing import Any

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments import environment
from mlops_tui.domains.experiments.spool import RunWriter


class RunFiles:
    """Keeps files for one run. A disk that refuses is said on stderr; a mistake of the caller is raised."""

    def __init__(self, workspace: Workspace, writer: RunWriter) -> None:
        self._store = Artifacts(workspace.artifacts)
        self._root, self._tmp = workspace.root.resolve(), workspace.tmp.resolve()
        self._writer = writer
        self._environment = threading.Lock()
        self._environment_kept = False

    def keep_path(self, path: str | Path, name: str | None = None) -> None:
        """A copy of a file, or of a folder with all in it but the workspace, under `name` (its own by default).

        Raises NotFound when it is not there, InvalidInput for a name outside the run's folder.
        """
        source = Path(path)
        if not source.exists():
            raise NotFound(f"There is no file {source}.", hint=f"Relative paths start at {Path.cwd()}.")
        name = check_path(name or source.name)
        if not source.is_dir() and self._is_ours(source):
            raise InvalidInput(f"{source} belongs to the workspace.", hint="Copy it first, or export what is in it.")
        files = {name: source}
        if source.is_dir():
            inside = sorted(item for item in source.rglob("*") if item.is_file() and not self._is_ours(item))
            files = {f"{name}/{item.relative_to(source).as_posix()}": item for item in inside}
        kept = []
        for to, item in files.items():
            try:
                sha = self._store.put_file(item)
                kept.append((to, sha, self._store.size(sha)))  # of what was stored: the file may go on growing
            except (OSError, WorkbenchError) as error:  # it vanished while the others were copied, or the disk refuses
                self._writer.complain(f"artifact {to} was not kept: {error}")
        if kept:
            self._writer.files(kept)

    def _is_ours(self, path: Path) -> bool:
        """Whether it belongs to the workspace: reading a live database from this process would drop its locks."""
        resolved = path.resolve()
        return resolved.is_relative_to(self._root) and not resolved.is_relative_to(self._tmp)

    def keep_bytes(self, data: bytes, name: str) -> None:
        """Bytes as a file. Raises InvalidInput for a name outside the run's folder."""
        name = check_path(name)
        try:
            self._writer.files([(name, self._store.put_bytes(data), len(data))])
        except (OSError, WorkbenchError) as error:
            self._writer.complain(f"artifact {name} was not kept: {error}")

    def keep_json(self, data: Any, name: str) -> None:
        """A JSON document; what JSON does not know is written as text. Raises InvalidInput for data that holds itself."""
        try:
            text = json.dumps(data, indent=2, default=str, ensure_ascii=False) + "\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(
                f"This cannot be written as JSON: {error}.", hint="Pass dicts, lists and values."
            ) from error
        self.keep_bytes(text.encode("utf-8", "replace"), name)

    def keep_figure(self, figure: Any, name: str) -> None:
        """A Matplotlib figure as an image, or one with `write_html` (Plotly) as a page. Raises InvalidInput for others."""
        if hasattr(figure, "savefig"):
            image = io.BytesIO()
            figure.savefig(image, format=PurePosixPath(name).suffix.lstrip(".") or "png")
            self.keep_bytes(image.getvalue(), name)
        elif hasattr(figure, "write_html"):
            page = io.StringIO()
            figure.write_html(page)
            self.keep_bytes(page.getvalue().encode(), name)
        else:
            raise InvalidInput(
                f"A value of type {type(figure).__name__} is no figure.", hint="Pass a Matplotlib or Plotly figure."
            )

    def keep_environment(self) -> None:
        """Installed packages and uncommitted changes, once: in the background after the start, or at a short run's end."""
        # The end of a run waits for the background here, or a file would be named after the run's last word.
        with self._environment:
            if self._environment_kept:
                return
            self._environment_kept = True
            self.keep_bytes(environment.packages().encode(), "environment/packages.txt")
            diff = environment.git_diff(Path.cwd())
            if diff:
                self.keep_bytes(diff.encode("utf-8", "replace"), "environment/uncommitted.diff")


def check_path(name: str) -> str:
    """A relative path with forward slashes; InvalidInput for anything that would leave the run's folder."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(f"{name!r} cannot name an artifact.", hint="Use a relative path such as plots/roc.png.")
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() == "."
    if outside or not name.isprintable() or len(name) > 500:
        raise InvalidInput(f"'{name[:80]}' cannot name an artifact.", hint="Use a relative path such as plots/roc.png.")
    return path.as_posix()
