"""Heavy or optional libraries: loaded on use, with the install line when one is missing."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from mlops_tui.core.errors import Unavailable


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, or say how to install the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _missing(module, extra) from error


def expect(module: str, extra: str) -> None:
    """Raise what `need` would, without importing: for what a job needs later."""
    if find_spec(module) is None:
        raise _missing(module, extra)


def _missing(module: str, extra: str) -> Unavailable:
    return Unavailable(f"This needs {module}, which is not installed.", hint=f"pip install 'mlops-tui[{extra}]'")
