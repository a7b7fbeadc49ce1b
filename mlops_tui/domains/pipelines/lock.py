"""Which distributions a pipeline's code stands on, with their versions, and whether this machine has the same."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def lock(names: Iterable[str], sources: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions `names`, of those the Python texts `sources` import, and of all these require.

    "python" is the interpreter's. A module that no distribution brings (the project's own) is left out.
    """
    from importlib import metadata  # 20 ms, which who only asks for a run need not pay

    modules = {module for text in sources for module in imports(text)}
    owners = metadata.packages_distributions() if modules else {}  # reads the list of files of every distribution
    imported = [name for module in sorted(modules) for name in owners.get(module, [])]
    found: dict[str, str] = {}
    waiting = [_plain(name) for name in (*names, *imported)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # required elsewhere only, on another system or for an extra
        found[name] = distribution.version
        waiting += [_plain(match[0]) for text in distribution.requires or [] if (match := _wanted(text))]
    return {"python": ".".join(str(part) for part in sys.version_info[:3]), **dict(sorted(found.items()))}


def imports(source: str) -> set[str]:
    """The top-level names of the modules that a Python text imports. Raises SyntaxError."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


def missing(wanted: Mapping[str, str]) -> list[str]:
    """What this machine has otherwise, a sentence each: `scikit-learn 1.8.0 is wanted, 1.9.1 is installed`.

    Of Python itself the minor version counts: pickled functions do not cross it.
    """
    found = []
    for name, version in wanted.items():
        here = _installed(name)
        if name == "python" and _minor(here) == _minor(version):
            continue
        if here != version:
            found.append(f"{name} {version} is wanted, {here or 'none'} is installed")
    return found


def text(locked: Mapping[str, str]) -> str:
    """The lock as a requirements file."""
    lines = [f"{name}=={version}" for name, version in locked.items() if name != "python"]
    return f"# python {locked['python']}\n" + "\n".join(lines) + "\n"


def _installed(name: str) -> str:
    if name == "python":
        return ".".join(str(part) for part in sys.version_info[:3])
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _wanted(requirement: str) -> re.Match[str] | None:
    """The name a requirement begins with, unless it is for an extra only."""
    return None if "extra ==" in requirement else _NAME.match(requirement)


def _plain(name: str) -> str:
    """One spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
