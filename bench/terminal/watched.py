"""`python watched.py REPORT ARGUMENTS...`: `mlops ARGUMENTS` with every turn of its event loop timed.

REPORT gets one line of JSON per callback of the loop that took MENTION_S or longer: when it began (the clock that all
processes share), seconds, processor seconds of its thread, and what it was.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

MENTION_S = 0.01


def watch(report: Path) -> None:
    """Time all callbacks that event loops of this process run from now on."""
    file = report.open("a", encoding="utf-8", buffering=1)
    run = asyncio.Handle._run  # type: ignore[attr-defined]  # noqa: SLF001

    def timed(handle: Any) -> None:
        began, cpu = time.monotonic(), time.thread_time()
        run(handle)
        took = time.monotonic() - began
        if took >= MENTION_S:
            file.write(json.dumps([began, took, time.thread_time() - cpu, _what(handle)]) + "\n")

    asyncio.Handle._run = timed  # type: ignore[attr-defined]  # noqa: SLF001


def _what(handle: Any) -> str:
    task = getattr(handle._callback, "__self__", None)  # noqa: SLF001
    return task.get_name() if isinstance(task, asyncio.Task) else repr(handle)[:200]


if __name__ == "__main__":
    from mlops_tui.cli.app import main

    watch(Path(sys.argv[1]))
    main(sys.argv[2:])
