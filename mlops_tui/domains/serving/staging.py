"""What a version shows before it gets traffic, in a process of its own: the same inputs, answers quick enough, memory."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.registry.records import Health

if TYPE_CHECKING:
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.records import Deployment

TIMEOUT_S = 120


def examine(
    registry: Registry, tmp: Path, deployment: Deployment, ref: str, *, most_ms: float, most_mb: float
) -> list[Health]:
    """Check a version against what serves now; every check is listed, good or bad. Raises NotFound for no such version.

    `most_ms`: for one row at the 95th percentile of its stored rows; `most_mb`: private memory once it has answered them all.
    """
    version = registry.version(ref)
    serving = registry.version(f"{deployment.model}/{max(route.version for route in deployment.versions)}")
    found = [_inputs(serving.signature, version.signature)]
    place = tmp / f"staging-{uuid.uuid4().hex}"
    try:
        registry.checkout(version.ref, place)
        said = _measure(place)
    except WorkbenchError as error:
        return [*found, Health("package", False, error.message)]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if "error" in said:
        return [*found, Health("answers", False, said["error"])]
    found.append(Health("answers", True, f"{said['rows']} stored rows, one by one, by {said['engine']}"))
    found.append(Health("latency", said["ms"] <= most_ms, f"{said['ms']:.2f} ms for 95 % of them, {most_ms:g} allowed"))
    found.append(Health("memory", said["mb"] <= most_mb, f"{said['mb']:.0f} MB private, {most_mb:g} allowed"))
    return found


def _inputs(now: dict[str, Any], new: dict[str, Any]) -> Health:
    old_types, new_types = ({item["name"]: item["type"] for item in one["inputs"]} for one in (now, new))
    differ = sorted(name for name in old_types | new_types if old_types.get(name) != new_types.get(name))
    said = f"other than what serves now: {', '.join(differ)}" if differ else "those of what serves now"
    return Health("inputs", not differ, said)


def _measure(place: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "mlops_tui.domains.serving.staging", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, check=False)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"gave no answer within {TIMEOUT_S} s"}
    except (IndexError, ValueError):
        return {"error": f"the process that loaded it ended with {done.returncode}"}
    return said


def _main(place: Path) -> None:
    import time

    import psutil

    from mlops_tui.domains.registry import package
    from mlops_tui.domains.registry.engines.reference import columns_of
    from mlops_tui.domains.serving.predictor import one_line
    from mlops_tui.domains.serving.wire import Ask
    from mlops_tui.domains.serving.worker import predictor_of
    from mlops_tui.domains.serving.zygote import PRELOADED

    for name in PRELOADED:  # workers share these, so that they are no memory of the version
        importlib.import_module(name)
    out, sys.stdout = sys.stdout, sys.stderr  # what a model prints is none of our answer
    before = psutil.Process().memory_full_info().uss
    try:
        predictor, _ = predictor_of(place)
        columns = columns_of(package.sample(place))
        rows = len(next(iter(columns.values())))
        took = []
        for row in range(rows):
            ask = Ask(row, 1, {name: values[row : row + 1] for name, values in columns.items()})
            begun = time.perf_counter()
            answer = predictor.answer([ask])[0]
            took.append(time.perf_counter() - begun)
            if answer.error:
                raise ValueError(answer.error)
        said: dict[str, Any] = {
            "rows": rows,
            "engine": package.engine(place) or "an engine chosen now",
            "ms": sorted(took)[int(0.95 * (rows - 1))] * 1e3,
            "mb": (psutil.Process().memory_full_info().uss - before) / 1e6,
        }
    except WorkbenchError as error:
        said = {"error": error.message}
    except Exception as error:
        said = {"error": one_line(error)}
    print(json.dumps(said), file=out)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
