"""Whether a stored version would still serve: whole files, the same libraries, loading and answering in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.records import Health

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.domains.registry.service import Registry

TIMEOUT_S = 120

# Runs in the child: the answer's row count, or the sentence of what went wrong.
_CHILD = """
import json, sys, warnings
from pathlib import Path
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.registry import package
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
try:
    model, described, sample = package.load(folder), package.signature(folder), package.sample(folder)
    answer = model.predict(package.prepare(described, sample))
    again = model.predict(package.prepare(described, sample))
    print(json.dumps({"rows": len(answer), "same": bool((answer == again).all())}))
except WorkbenchError as error:
    print(json.dumps({"error": error.message}))
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
"""


def examine(registry: Registry, ref: str, folder: Path) -> list[Health]:
    """Check one version, laying its package out under `folder` meanwhile; every check is listed, good or bad."""
    version = registry.version(ref)
    place = folder / f"health-{uuid.uuid4().hex}"
    try:
        try:
            registry.checkout(version.ref, place)
        except WorkbenchError as error:
            return [Health("package", False, error.message)]
        found = [Health("package", True, f"every file has the hash it was stored with, {version.size:,} bytes")]
        differs = package.mismatches(package.environment(place))
        found.append(Health("environment", not differs, "; ".join(differs) or "the versions it was saved with"))
        found.append(_answers(place))
        has_profile = (place / package.PROFILE).exists()
        found.append(Health("profile", has_profile, "there" if has_profile else "none, so drift cannot be watched"))
        return found
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _answers(place: Path) -> Health:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(place)],
            capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Health("answers", False, f"gave no answer within {TIMEOUT_S} s")
    said: dict[str, Any] = {}
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            said = json.loads(line)
            break
    if not said:
        return Health("answers", False, f"the process that loaded it ended with {done.returncode}")
    if "error" in said:
        return Health("answers", False, said["error"])
    if not said["same"]:
        return Health("answers", False, "the same rows were answered differently the second time")
    return Health("answers", True, f"{said['rows']} stored requests in a fresh process")
