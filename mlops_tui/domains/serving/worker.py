"""One process that holds one model version and answers the gateway over its unix socket.

Started by `python -m mlops_tui.domains.serving.worker`, or forked in a fifth of a second from the zygote (`zygote.py`).
It reads whatever has arrived and predicts it in one call (no timer), and ends when its gateway does.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Before any library that starts threads: on busy cores they cost a single row twenty times the CPU.
THREAD_LIMITS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS"), "1"
)
_CHUNK = 1 << 20


def main(arguments: list[str] | None = None) -> int:
    """Run one worker until its gateway goes."""
    parser = argparse.ArgumentParser(prog="worker", description="Serve one model version to the gateway.")
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--version", required=True, type=int)
    parser.add_argument("--package", required=True, help="manifest hash of the model package")
    parser.add_argument("--engine", default="", help="how to ask the model; by default what its package says")
    parser.add_argument("--socket", required=True, type=Path, help="the gateway's unix socket")
    parser.add_argument("--key", required=True, help="the word by which the gateway knows this worker")
    parser.add_argument("--check", default="null", type=json.loads, help="what to look at before it may serve, as JSON")
    parser.add_argument("--gateway", type=int, default=os.getppid(), help="process to live and die with")
    given = parser.parse_args(arguments)
    limit_threads(os.environ)
    if given.check:  # what workers of the gateway share with each other is no memory of this version
        from mlops_tui.domains.serving.zygote import PRELOADED

        for name in PRELOADED:
            importlib.import_module(name)
    return run(given.workspace, given.package, given.socket, given.key, given.gateway, given.engine, given.check)


def run(
    root: Path,
    package_sha: str,
    socket_path: Path,
    key: str,
    gateway: int,
    engine: str = "",
    check: dict[str, Any] | None = None,
) -> int:
    """Dial the gateway, load the package and answer until the gateway hangs up; 0, or 1 when the model failed to load or
    did not meet `check` (see `staging.Order`).
    """
    from mlops_tui.domains.serving.staging import refusal
    from mlops_tui.domains.serving.wire import Failed, Hello, Ready, pack

    end_with(gateway)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C in a terminal reaches the whole group; the gateway drains first
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(socket_path))
        connection.sendall(pack(Hello(key, os.getpid())))
        try:
            predictor, sample, note, checks = _load(root, package_sha, engine, check)
        except Exception as error:
            from mlops_tui.domains.serving.predictor import one_line

            connection.sendall(pack(Failed(one_line(error))))
            return 1
        found = [(one.check, one.ok, one.detail) for one in checks]
        if refused := refusal(checks):
            connection.sendall(pack(Failed(refused, found)))
            return 1
        connection.sendall(pack(Ready(sample, note, found, predictor.formula)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _answer(connection, predictor)
    return 0


def limit_threads(environment: Mapping[str, str] | os._Environ[str]) -> None:
    """Ask numeric libraries for one thread each, unless someone set their own number."""
    for name, value in THREAD_LIMITS.items():
        if name not in environment:
            os.environ[name] = value


def limit_memory(megabytes: int) -> None:
    """Let this process take so much more memory than it has now; asking for more ends it, and it is started again."""
    if megabytes:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def end_with(pid: int) -> None:
    """End this process when that one does, even in the middle of a prediction."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        os._exit(0)

    def wait() -> None:
        select.select([watched], [], [])
        os._exit(0)

    threading.Thread(target=wait, name="end-with-gateway", daemon=True).start()


def _load(root: Path, package_sha: str, engine: str, check: dict[str, Any] | None):  # type: ignore[no-untyped-def]
    from mlops_tui.core.artifacts import Artifacts
    from mlops_tui.core.settings import load
    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.registry import package
    from mlops_tui.domains.serving import staging
    from mlops_tui.domains.serving.predictor import golden_request

    before = staging.private_bytes() if check else 0
    workspace = Workspace(root)
    folder = workspace.tmp / f"worker-{os.getpid()}-{package_sha[:12]}"
    if str(workspace.project) not in sys.path:
        sys.path.append(str(workspace.project))  # code of the project's own steps
    try:
        # Every hash is checked before anything is unpickled.
        Artifacts(workspace.artifacts).checkout(package_sha, folder)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", package.EnvironmentMismatch)
            predictor, note = predictor_of(folder, engine)
        golden = golden_request(package.sample(folder))
        checks = staging.look_aside(folder, predictor, before, check) if check else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    limit_memory(load(workspace.settings_file, os.environ).serving.worker_memory_mb)
    notes = [str(item.message) for item in said if issubclass(item.category, package.EnvironmentMismatch)]
    return predictor, golden, "; ".join([*notes, note] if note else notes), checks


def predictor_of(folder: Path, engine: str = ""):  # type: ignore[no-untyped-def]
    """Load a package with the engine named, else with the one its trial chose; the predictor, and what is worth saying.

    A package without a trial gets one now. An engine that answers the sample otherwise here than there is not used.
    """
    from mlops_tui.domains.registry import package
    from mlops_tui.domains.registry.engines import choosing
    from mlops_tui.domains.registry.engines.reading import formula_of
    from mlops_tui.domains.registry.engines.reference import one_thread
    from mlops_tui.domains.serving.guards import guard_of
    from mlops_tui.domains.serving.predictor import Predictor

    estimator, described, sample = package.load(folder), package.signature(folder), package.sample(folder)
    one_thread(estimator)
    wanted = engine or package.engine(folder)
    if wanted:
        chosen, note = choosing.open_engine(wanted, estimator, described, sample, folder)
    else:
        (chosen, _), note = choosing.choose(estimator, described, sample, folder=folder), ""
    formula = formula_of(chosen, estimator, described, sample)
    return Predictor(chosen, guard_of(described, sample, package.profile(folder)), formula), note


def _answer(connection: socket.socket, predictor) -> None:  # type: ignore[no-untyped-def]
    """Answer until the other side hangs up."""
    from mlops_tui.domains.serving.wire import Ask, Unpacker, pack

    unpacker = Unpacker()
    room = memoryview(bytearray(_CHUNK))
    while size := connection.recv_into(room):  # everything that has arrived since the last answers
        asks = [message for message in unpacker.feed(room[:size]) if isinstance(message, Ask)]
        if asks:
            connection.sendall(b"".join(map(pack, predictor.answer(asks))))


if __name__ == "__main__":
    sys.exit(main())
