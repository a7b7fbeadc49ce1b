"""The process that loads a package for `aside.ask`: `python -m ...aside_child ROOM PROJECT PARENT`, bounded before it loads."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import sys
import warnings
from pathlib import Path

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.identity import end_with_parent
from mlops_tui.domains.hardware.limits import read_limits
from mlops_tui.domains.registry import aside

_SHARE = 0.5
"""Of the memory that is free, so much at most: what more a model asks for is refused to it, and the machine goes on."""


def main(room: Path, project: str, parent: int) -> None:
    """Do what is ordered in `room`, in the process that `parent` made for it."""
    end_with_parent(parent)
    with contextlib.suppress(OSError):  # should memory end all the same, this is what the kernel takes
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    limit = _virtual() + int(_SHARE * _free())
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if project not in sys.path:
        sys.path.append(project)  # code of the project's own steps
    answer(room)
    sys.stdout.flush()
    os._exit(0)  # threads that the model left behind are not waited for


def answer(room: Path) -> None:
    """Call what is ordered in `room` and write what it says there, or the error it ended with."""
    order, about = aside.read(room, aside.ORDER)
    module, _, name = about["function"].partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(importlib.import_module(module), name)(Path(about["folder"]), order)
            aside.write(room, aside.ANSWER, found, {})
    except BaseException as error:  # whatever the model's code raises, to end the program among it, is an answer
        aside.write(room, aside.ANSWER, {}, _about(error))


def _about(error: BaseException) -> dict[str, str]:
    if isinstance(error, WorkbenchError):
        return {"kind": type(error).__name__, "error": error.message, "hint": error.hint}
    if isinstance(error, MemoryError):
        return {"kind": "InvalidInput", "error": "It asked for more memory than is free.", "hint": ""}
    words = " ".join(str(error).split())[:300]
    return {
        "kind": "InvalidInput",
        "error": f"It failed: {type(error).__name__}: {words}".rstrip(" :") + ".",
        "hint": "",
    }


def _virtual() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _free() -> int:
    """Bytes that this process may still take: what the machine has free, and its control group."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    kilobytes = {words[0]: int(words[1]) for words in lines}
    free, limits = (kilobytes["MemAvailable:"] + kilobytes["SwapFree:"]) * 1024, read_limits()
    if limits.memory_limit is None:
        return free
    return min(free, max(0, limits.memory_limit - (limits.memory_used or 0)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
