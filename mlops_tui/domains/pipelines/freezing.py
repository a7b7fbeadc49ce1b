"""A run of a file works on the project's code as it was when the run was asked for, whatever is edited meanwhile.

Its Python files are kept as an archive with the run, and laid out in the run's folder; all else of the project is linked beside
them, so that code finds its data where it would look for them.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from mlops_tui.domains.pipelines import bundle
from mlops_tui.domains.pipelines.packages_store import archives

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.core.context import Context
    from mlops_tui.domains.pipelines.recipe import Recipe

_CACHES = "__pycache__"  # what Python compiles from the frozen files must not go into the project


def keep(context: Context, recipe: Recipe, definition: str) -> str:
    """Keep the project's files that a definition names, and those beside them; the hash of the archive, "" without such files.

    Files outside the project are left where they are. Raises NotFound for one that is not there.
    """
    files = bundle.own_code(recipe, context.workspace.project)
    if not files:
        return ""
    kept = bundle.Bundle(definition, files, {"python": platform.python_version()}, "")
    return archives(context).put_bytes(bundle.pack(kept, recipe.pipeline.name))


def lay_out(data: bytes, project: Path, aside: Path, folder: Path) -> Path:
    """Write the kept files under `folder`, and link what else lies beside them in `project`, the workspace `aside` excepted."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle.unpack(data, folder)
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        original = project / place.relative_to(folder)
        for path in original.iterdir() if original.is_dir() else ():
            target = place / path.name
            if path != aside and path.name != _CACHES and not os.path.lexists(target):
                target.symlink_to(path)
    return folder
