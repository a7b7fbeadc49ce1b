"""Definition files on disk: listing them as they are, and writing one that is not there yet."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core.errors import AlreadyExists, NotAllowed
from mlops_tui.domains.pipelines import definition as definitions
from mlops_tui.domains.pipelines.records import Definition

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.domains.pipelines.recipe import Recipe

_RACY_NS = 100_000_000  # the clock of file times is coarse


def listed(folder: Path) -> list[Definition]:
    """All definitions of a folder by name; one with mistakes is listed with them."""
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    return sorted((_known(path) for path in paths), key=lambda found: found.name)


def _known(path: Path) -> Definition:
    """A file as it was read before, unless it changed since, or so lately that its time may not tell."""
    try:
        stat = path.stat()
    except OSError:
        return describe(path)
    if time.time_ns() - stat.st_mtime_ns < _RACY_NS:
        return describe(path)
    return _read(path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


@lru_cache(maxsize=1024)
def _read(path: Path, *_: int) -> Definition:
    return describe(path)


def rewrite(path: Path, text: str, before: str) -> None:
    """Put another text into a file that still holds `before`. Raises NotAllowed when somebody else changed it meanwhile."""
    staged = path.with_name(f".{path.name}")
    try:
        if path.read_text(encoding="utf-8") != before:
            raise NotAllowed(
                f"{path.name} was changed by somebody else meanwhile.", hint="Open it again; nothing was written."
            )
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)
    except OSError as error:
        raise NotAllowed(f"{path} cannot be written: {error.strerror}.", hint="Check the folder's owner.") from error
    finally:
        staged.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a new file, whole or not at all. Raises AlreadyExists, also for one that appears meanwhile, or NotAllowed."""
    if path.exists():
        raise AlreadyExists(f"{path} is there already.", hint="Edit it, or choose another name.")
    staged = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(text, encoding="utf-8")
        os.link(staged, path)  # fails where a rename would silently replace a file that appeared meanwhile
    except FileExistsError:
        raise AlreadyExists(f"{path} is there already.", hint="Edit it, or choose another name.") from None
    except PermissionError as error:
        raise NotAllowed(f"{path} cannot be written: {error.strerror}.", hint="Check the folder's owner.") from error
    finally:
        staged.unlink(missing_ok=True)


def describe(path: Path) -> Definition:
    """One file as listed; its mistakes are in `problems`."""
    try:
        recipe, problems = definitions.examine(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        return Definition(path.stem, str(path), problems=[f"{path.name} cannot be read: {error}"])
    if recipe is None or problems:
        return Definition(path.stem, str(path), problems=[str(problem) for problem in problems])
    return Definition(
        name=recipe.pipeline.name,
        path=str(path),
        description=recipe.pipeline.description,
        owner=recipe.pipeline.owner,
        task=recipe.model.task,
        estimator=recipe.model.estimator,
        spine=recipe.data.spine,
        features=recipe.data.features,
        target=recipe.data.target,
        model=recipe.model_name,
        deploy_to=recipe.deploy.to,
        deployment=recipe.deployment_name if recipe.deploy.to != "none" else "",
        triggers=triggers_of(recipe),
    )


def triggers_of(recipe: Recipe) -> list[dict[str, Any]]:
    """The triggers of a recipe as dicts with every field of [[triggers]]."""
    return [msgspec.to_builtins(trigger) for trigger in recipe.triggers]
