"""Which predictions a request asks for, by its path."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mlops_tui.core.errors import NotFound


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Predictions of a deployment (None: of the only one there is), perhaps of one version; `invocation` in MLflow's form,
    else the Open Inference Protocol's.
    """

    name: str | None
    version: int | None
    invocation: bool


def wanted_of(parts: Sequence[str]) -> Wanted | None:
    """Read the parts of a path; None when it is not for predictions. Raises NotFound for a version that is no number."""
    match parts:
        case ["v2", "models", name, "infer"]:
            return Wanted(name, None, False)
        case ["v2", "models", name, "versions", version, "infer"]:
            return Wanted(name, version_of(name, version), False)
        case ["deployments", name, "invocations"]:
            return Wanted(name, None, True)
        case ["invocations"]:
            return Wanted(None, None, True)
        case _:
            return None


def version_of(name: str, text: str) -> int:
    """Read a version in a path. Raises NotFound."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotFound(f"{name[:80]} has no version {text[:40]!r}.", hint="Versions are whole numbers.")
    return int(text)
