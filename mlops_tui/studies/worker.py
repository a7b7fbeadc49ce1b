"""`python -m mlops_tui.studies.worker`: one process that tries parameters until its study has enough."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.studies.book import Book
from mlops_tui.studies.searching import Limits, Search, objective_of
from mlops_tui.workbench import Workbench


def main(arguments: list[str] | None = None) -> int:
    """Exit code 5 when the objective cannot be run or failed too often."""
    parser = argparse.ArgumentParser(prog="mlops studies run", description="Try parameters.")
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--study", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--timeout", type=float)
    given = parser.parse_args(arguments)
    limits = Limits(given.trials, None if given.timeout is None else time.monotonic() + given.timeout)
    try:
        with Workbench(Workspace.find(given.workspace), actor=os.environ.get("MLOPS_ACTOR")) as bench:
            study = Book(bench).get(given.study)
            Search(bench, study, objective_of(study, given.folder)).go(limits)
    except WorkbenchError as error:
        print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - this process is a command
        if error.hint:
            print(f"Hint: {error.hint}", file=sys.stderr)  # noqa: T201
        return 5
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the trial that runs says so before it ends
    sys.exit(main())
