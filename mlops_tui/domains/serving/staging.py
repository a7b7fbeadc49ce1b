"""What a version shows before it gets traffic, asked of the very worker that is to serve it.

A worker started with an order to check answers its stored rows one by one, and its stored test rows for the metrics that were
recorded, before it says that it is ready; what is not as it should be, it says instead. So no version that was not checked is
ever routed to, whoever deployed it and however.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
import traceback
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import Unavailable, WorkbenchError
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving.wire import Ask, Failed, Ready, Unpacker

if TYPE_CHECKING:
    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.predictor import Predictor
    from mlops_tui.domains.serving.records import Deployment

TIMEOUT_S = 120
ROWS_S = 5.0
"""Stored rows are asked one by one for so long at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What to hold a version against: `most_ms` for one row (of 95 in 100 stored rows), `most_mb` of private memory, and the
    metrics recorded with it, where those are of its test rows.
    """

    most_ms: float = 500.0
    most_mb: float = 2000.0
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As it travels to the worker."""
        return {"most_ms": self.most_ms, "most_mb": self.most_mb, "metrics": self.metrics}


def order_of(version: Version, most_ms: float, most_mb: float) -> Order:
    """What to hold this version against. Metrics of a version that no pipeline made may be of other rows than its test rows."""
    return Order(most_ms, most_mb, dict(version.metrics) if version.pipeline else {})


def examine(
    registry: Registry, workspace: Workspace, deployment: Deployment, version: Version, order: Order
) -> list[Health]:
    """Check a version as before its first traffic, in a worker of its own (seconds); every check is listed, good or bad."""
    serving = registry.version(f"{deployment.model}/{max(route.version for route in deployment.versions)}")
    found = [inputs(serving.signature, version.signature)]
    said = _ask(workspace, version, registry.forced_engine(version), order)
    if isinstance(said, str):
        return [*found, Health("package", False, said)]
    checks = [Health(*one) for one in said.checks]
    if isinstance(said, Failed) and not checks:
        return [*found, Health("package", False, said.reason)]
    return [*found, *checks]


def inputs(now: dict[str, Any], new: dict[str, Any]) -> Health:
    """Whether a version takes what the one that serves now takes: name by name, of the same type."""
    old_types, new_types = ({item["name"]: item["type"] for item in one["inputs"]} for one in (now, new))
    differ = sorted(name for name in old_types | new_types if old_types.get(name) != new_types.get(name))
    said = f"other than what serves now: {', '.join(differ)}" if differ else "those of what serves now"
    return Health("inputs", not differ, said)


def refusal(checks: list[Health]) -> str:
    """One sentence of what was not as it should be, "" when all was."""
    bad = [f"{one.check}: {one.detail}" for one in checks if not one.ok]
    return f"refused before any traffic, {'; '.join(bad)}" if bad else ""


# -- in the worker


def look_aside(folder: Path, predictor: Predictor, before: int, order: dict[str, Any]) -> list[Health]:
    """`look` in a forked process: scoring thousands of rows takes memory that a worker would never give back. `before`:
    `private_bytes` without the model. Raises Unavailable when that process ends without a word.
    """
    from mlops_tui.domains.serving.worker import end_with

    loaded, worker = max(0, private_bytes() - before), os.getpid()
    theirs, ours = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the other thread of a worker only waits for the gateway's end
        child = os.fork()
    if child == 0:
        try:
            os.close(theirs)
            end_with(worker)
            found = look(folder, predictor, -loaded, order)
            os.write(ours, json.dumps([(one.check, one.ok, one.detail) for one in found]).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(ours)
    with os.fdopen(theirs, "rb") as said:
        answer = said.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        how = f"by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "without a word"
        raise Unavailable(f"The process that asked it for its stored rows ended {how}.")
    return [Health(*one) for one in json.loads(answer)]


def look(folder: Path, predictor: Predictor, before: int, order: dict[str, Any]) -> list[Health]:
    """Ask a predictor for the stored rows and the test rows of its package. `before`: `private_bytes` without the model."""
    from mlops_tui.domains.registry import package
    from mlops_tui.domains.registry.engines.reference import columns_of

    columns = columns_of(package.sample(folder))
    rows, took = len(next(iter(columns.values()))), []
    end = time.monotonic() + ROWS_S
    for row in range(rows):
        ask = Ask(row, 1, {name: values[row : row + 1] for name, values in columns.items()})
        begun = time.perf_counter()
        answer = predictor.answer([ask])[0]
        took.append(time.perf_counter() - begun)
        if answer.error:
            return [Health("answers", False, f"stored row {row}: {answer.error}")]
        if time.monotonic() > end:
            break
    slow = sorted(took)[int(0.95 * (len(took) - 1))] * 1e3
    metrics = _metrics(folder, predictor, order["metrics"])
    megabytes = max(0, private_bytes() - before) / 1e6
    most_ms, most_mb = order["most_ms"], order["most_mb"]
    return [
        Health("answers", True, f"{len(took)} stored rows, one by one, by the engine {predictor.engine}"),
        Health("latency", slow <= most_ms, f"{slow:.2f} ms for 95 % of them, {most_ms:g} allowed"),
        Health("memory", megabytes <= most_mb, f"{megabytes:.0f} MB private, {most_mb:g} allowed"),
        metrics,
    ]


def prove(folder: Path, order: dict[str, Any]) -> list[Health]:
    """Load a package in this process and look at it; what cannot be loaded is a bad check as well."""
    from mlops_tui.domains.serving.worker import predictor_of

    before = private_bytes()
    try:
        return look(folder, predictor_of(folder)[0], before, order)
    except WorkbenchError as error:
        return [Health("package", False, error.message)]


def _metrics(folder: Path, predictor: Predictor, recorded: dict[str, float]) -> Health:
    from mlops_tui.domains.registry import package, proof
    from mlops_tui.domains.registry.engines.reference import columns_of

    kept = proof.stored(folder)
    if kept is None:
        return Health("metrics", True, "no test rows were kept with it")
    frame, truth, facts = kept
    answer = predictor.answer([Ask(0, len(frame), columns_of(frame))])[0]
    if answer.error:
        return Health("metrics", False, f"its {len(frame)} test rows: {answer.error}")
    found = proof.scores(package.signature(folder), (answer.prediction, answer.probabilities), truth)
    wrong = proof.apart(facts["metrics"], found)
    if facts["rows"] == facts["of"] and not facts["learned"]:  # else what was recorded is of other rows, or another fit
        wrong = proof.apart(recorded, found) | wrong
    on = f"on {facts['rows']:,} test rows"
    if wrong:
        said = ", ".join(f"{name} {was:.6g} recorded, {now:.6g} served" for name, (was, now) in wrong.items())
        return Health("metrics", False, f"{said}, {on}")
    first = ", ".join(f"{name} {values[0]:.4g}" for name, values in list(found.items())[:3])
    return Health("metrics", True, f"as recorded {on}: {first}")


def private_bytes() -> int:
    """Memory of this process that it shares with no other."""
    fields = (line.split() for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:])
    return sum(int(field[1]) * 1024 for field in fields if field[0] in {"Private_Clean:", "Private_Dirty:"})


# -- a worker for this alone


def _ask(workspace: Workspace, version: Version, engine: str, order: Order) -> Ready | Failed | str:
    """Start a worker with an order; what it said, or why nothing came."""
    path = workspace.socket_path(f"staging-{uuid.uuid4().hex[:12]}")
    command = [
        sys.executable, "-m", "mlops_tui.domains.serving.worker", "--workspace", str(workspace.root),
        "--model", version.model, "--version", str(version.version), "--package", version.sha, "--engine", engine,
        "--socket", str(path), "--key", "staging", "--gateway", str(os.getpid()), "--check", json.dumps(order.plain()),
    ]  # fmt: skip
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        door.listen(1)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            return _hear(door, process)
        finally:
            process.kill()
            process.wait()
            path.unlink(missing_ok=True)


def _hear(door: socket.socket, process: subprocess.Popen[bytes]) -> Ready | Failed | str:
    end = time.monotonic() + TIMEOUT_S
    door.settimeout(0.1)
    connection, unpacker = None, Unpacker()
    while time.monotonic() < end:
        try:
            if connection is None:
                connection, _ = door.accept()
                connection.settimeout(0.1)
            data = connection.recv(1 << 20)
        except TimeoutError:
            if process.poll() is not None:
                return f"the worker that loaded it ended with {process.returncode}"
            continue
        for message in unpacker.feed(data):
            if isinstance(message, Ready | Failed):
                return message
        if not data:
            process.wait()
            return f"the worker that loaded it ended with {process.returncode}"
    return f"it gave no answer within {TIMEOUT_S} s"
