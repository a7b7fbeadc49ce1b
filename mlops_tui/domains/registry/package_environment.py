"""Python and the libraries that a model was saved under, and which differences from those may matter."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Any

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
# A minor release of these may read old model files differently; others are recorded only.
STRICT_LIBRARIES = ("scikit-learn",)


class EnvironmentMismatch(UserWarning):
    """A model was loaded under other versions than it was saved with."""


def current_environment(estimator: Any = None) -> dict[str, Any]:
    """Return the running Python and library versions, with the estimator's own library."""
    names = list(LIBRARIES)
    home = type(estimator).__module__.partition(".")[0] if estimator is not None else ""
    if home not in ("", "sklearn"):
        names += [name for name in _distributions().get(home, ()) if name not in names]
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "libraries": versions}


@cache  # 80 ms: it reads what every installed package says of itself; what is loaded stays what it is
def _distributions() -> Mapping[str, Sequence[str]]:
    return metadata.packages_distributions()


def mismatches(saved: dict[str, Any]) -> list[str]:
    """Name each difference that may change what a model answers: Python and scikit-learn by minor version."""
    running = current_environment()
    pairs = [("Python", str(saved.get("python", "")), str(running["python"]))]
    libraries: dict[str, str] = saved.get("libraries", {})
    pairs += [(name, libraries.get(name, ""), str(running["libraries"].get(name, ""))) for name in STRICT_LIBRARIES]
    return [
        f"{name} {old} then, {new or 'absent'} now"
        for name, old, new in pairs
        if old and old.split(".")[:2] != new.split(".")[:2]
    ]
