"""Whether a stored version would still serve: whole files, the same libraries, loading and answering in a fresh process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.registry import aside, package
from mlops_tui.domains.registry.records import Health

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.domains.registry.service import Registry


def examine(registry: Registry, ref: str, room: Path, project: Path) -> list[Health]:
    """Check one version, laying its package out in the folder `room`; every check is listed, good or bad."""
    version, place = registry.version(ref), room / "package"
    try:
        registry.checkout(version.ref, place)
    except WorkbenchError as error:
        return [Health("package", False, error.message)]
    found = [Health("package", True, f"every file has the hash it was stored with, {version.size:,} bytes")]
    differs = package.mismatches(package.environment(place))
    found.append(Health("environment", not differs, "; ".join(differs) or "the versions it was saved with"))
    found.append(_answers(place, project))
    has_profile = (place / package.PROFILE).exists()
    found.append(Health("profile", has_profile, "there" if has_profile else "none, so drift cannot be watched"))
    return found


def _answers(place: Path, project: Path) -> Health:
    try:
        said = aside.ask(answer_twice, place, {}, project=project)
    except WorkbenchError as error:
        return Health("answers", False, error.message)
    if not said["same"]:
        return Health("answers", False, "the same rows were answered differently the second time")
    return Health("answers", True, f"{said['rows']} stored requests in a fresh process")


def answer_twice(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Ask a package for its stored rows two times: how many, and whether the answers were the same. Runs aside."""
    import numpy as np

    model, described, sample = package.load(folder), package.signature(folder), package.sample(folder)
    answer, again = (np.asarray(model.predict(package.prepare(described, sample))) for _ in range(2))
    return {"rows": len(answer), "same": bool((answer == again).all())}
