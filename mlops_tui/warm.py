"""A process with the libraries loaded, from which jobs are forked: `python -m mlops_tui.warm IDLE_S PLACE`.

It hears one JSON line per order on its standard input, a socket (`core/forkserver.py` is the other side):

                            -> {"ready": ""}
    {"folder": FOLDER, "keep": true}
                            -> {"started": FOLDER}   a shim keeps that folder now, and the job runs under it
                            -> {"failed": FOLDER}    no shim came to be
                            -> {"stale": ""}         code or libraries changed since it started: it ends, ask a new one

It never works itself, opens no database and starts no threads. It ends when the socket closes, and IDLE_S after the last order
that said `keep`; with 0 it waits for ever.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from mlops_tui import job
from mlops_tui.core import _shim, relabel
from mlops_tui.core.forkserver import MARK_PLACE
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.pipelines import warming

ROOMS = ("audit", "alerts", "jobs", "experiments", "features", "registry", "serving", "pipelines")
_SOCKET = 0


def main(arguments: list[str]) -> int:
    """Load everything, and obey."""
    idle_s, place = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warming.preload()
    for room in ROOMS:
        importlib.import_module(f"mlops_tui.domains.{room}.service")
    importlib.import_module("mlops_tui.domains.pipelines.runner")
    stamps = stamps_of()
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages that jobs share
    _say("ready", "")
    _obey(float(idle_s), place, stamps)
    return 0


def stamps_of() -> dict[str, int]:
    """When what is loaded here was last changed: each file outside of installed packages, and each folder of packages."""
    folders = [place for place in sys.path if place and Path(place).is_dir()]
    installed = (*(place for place in folders if place.endswith("-packages")), str(Path(os.__file__).parent))
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    return {
        name: _changed(name) for name in [*folders, *(one for one in files if one and not one.startswith(installed))]
    }


def _changed(name: str) -> int:
    try:
        return os.stat(name).st_mtime_ns  # noqa: PTH116 - some hundred for each order
    except OSError:
        return -1


def _obey(idle_s: float, place: str, stamps: dict[str, int]) -> None:
    orders, used = b"", time.monotonic()
    while True:
        left = max(0.0, used + idle_s - time.monotonic()) if idle_s else None
        ready, _, _ = select.select([_SOCKET], [], [], left)
        data = os.read(_SOCKET, 65536) if ready else b""
        if not data:
            return
        *lines, orders = (orders + data).split(b"\n")
        for line in lines:
            if any(_changed(name) != at for name, at in stamps.items()):
                _say("stale", "")
                return
            order = json.loads(line)
            folder = order["folder"]
            used = time.monotonic() if order["keep"] else used
            _say("started" if _fork(Path(folder), place) else "failed", folder)


def _say(what: str, about: str) -> None:
    try:
        os.write(_SOCKET, json.dumps({what: about}).encode() + b"\n")
    except OSError:  # whoever asked is gone; the order holds all the same
        pass


def _fork(folder: Path, place: str) -> bool:
    """Fork a shim for `folder`; True once it can be asked to stop."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, _SOCKET)
            os.close(nothing)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            title = "/".join(folder.parts[-2:])  # job and attempt, as `ps` shows them
            label = f"shim {title}".ljust(len(place))
            relabel.arguments(place, label)
            _shim.main(folder, lambda spec: _do(spec, label))
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _do(spec: dict[str, Any], label: str) -> int:
    """In the job's own process: be what `python -m mlops_tui.job ...` would have become."""
    try:
        root, number, attempt = spec["command"][-3:]
        relabel.environment(MARK_PLACE, spec["mark"])
        relabel.arguments(label, label.removeprefix("shim ").strip())
        os.environ.update(spec["env"], **{_shim.MARK: spec["mark"]})
        importlib.invalidate_caches()
        import numpy as np

        np.random.seed()  # every job would draw the same numbers
        return job.leave(job.run(Workspace(Path(root)), int(number), int(attempt)))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
