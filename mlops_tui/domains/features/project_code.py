"""Functions of the project: found by import path, kept as text, and run from that text ever after."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.derived_records import Transform


def find_source(place: str, project: Path) -> str:
    """The text of the module in `module:function` or `file.py:function`. Raises NotFound, InvalidInput."""
    module, colon, function = place.partition(":")
    if not colon or not function.isidentifier():
        raise InvalidInput(f"'{place}' names no function.", hint="Write module:function, as in features_code:ratios")
    path = project / module if module.endswith(".py") else _origin(module, project)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{path} cannot be read: {error}.", hint="Paths start in the project folder.") from error


def _origin(module: str, project: Path) -> Path:
    near = project.joinpath(*module.split("."))
    for path in (near.with_suffix(".py"), near / "__init__.py"):
        if path.is_file():
            return path
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise NotFound(
            f"There is no module '{module}'.", hint=f"Put {module}.py into {project}, or install the package."
        )
    return Path(spec.origin)


def load(one: Transform, project: Path) -> Callable[..., Any]:
    """The function of a transformation, from the text that was kept when it was registered. Raises InvalidInput."""
    place, _, name = one.body.partition(":")
    module = types.ModuleType(f"mlops_transform_{one.code_hash}")
    if not place.endswith(".py") and "." in place:
        module.__package__ = place.rpartition(".")[0]
    module.__file__ = f"<{one.reference} {place}>"
    if str(project) not in sys.path:
        sys.path.append(str(project))  # what the module itself imports
    sys.modules[module.__name__] = module  # dataclasses and pickle look there
    try:
        exec(compile(one.source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - the user's own registered code
    except Exception as error:
        del sys.modules[module.__name__]
        raise InvalidInput(f"{place} cannot be run: {type(error).__name__}: {error}.", hint="Correct it.") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise NotFound(
            f"{place} has no function '{name}'.", hint=did_you_mean(name, known, f"It has: {', '.join(known)}.")
        )
    return found  # type: ignore[no-any-return]
