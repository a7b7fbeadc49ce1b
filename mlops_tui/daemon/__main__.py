"""`python -m mlops_tui.daemon --workspace ROOT [--detach | --once]`: what `start`, systemd and the tests run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon import control


def main(arguments: list[str]) -> int:
    workspace = Workspace(Path(arguments[arguments.index("--workspace") + 1]).resolve())
    detach = "--detach" in arguments
    if detach:
        # Before any thread or connection exists: the starter waits for this parent, and init inherits the child.
        if os.fork():
            os._exit(0)
        os.setsid()
    try:
        control.run(workspace, quiet=detach, once="--once" in arguments)
    except WorkbenchError as error:
        control.report_failure(workspace, error)
        print(f"{error.message} {error.hint}", file=sys.stderr)  # noqa: T201 - a process without a door of its own
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
