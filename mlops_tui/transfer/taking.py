"""One import: each run of a source taken over once, a broken one reported and left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tui.core import locks
from mlops_tui.core.errors import InvalidInput, NotAllowed, Unavailable, WorkbenchError
from mlops_tui.transfer.records import AlreadyHere, Progress, Report, Source

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


BROKEN = (WorkbenchError, OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)
"""What a source may raise that is not as it should be: its files and answers are nobody's promise."""


def take(workbench: Workbench, source: Source, progress: Progress) -> Report:
    """Take over what is new or has changed. A full disk ends it (Unavailable); the next call goes on where it stopped.

    Raises NotAllowed while another import runs on this workspace.
    """
    report = Report()
    with _alone(workbench):
        heads = list(source.heads(report))
        for done, head in enumerate(heads):
            progress(done, len(heads), head.label)
            arrivals = workbench.experiments.remote.arrivals
            standing = arrivals.standing(head.source, head.stamp)
            if standing == "same":
                report.unchanged += 1
                continue
            try:
                if standing == "removed":
                    raise InvalidInput("it was removed here; what was removed does not come back")
                arrivals.put(head.load())
            except AlreadyHere:
                report.unchanged += 1
            except Unavailable:
                raise
            except BROKEN as error:
                report.skipped.append((head.label, reason(error)))
            else:
                report.added += standing == "new"
                report.updated += standing == "changed"
        progress(len(heads), len(heads), "")
    return report


def reason(error: Exception) -> str:
    """An error on one line."""
    text = error.message if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


@contextmanager
def _alone(workbench: Workbench) -> Iterator[None]:
    lock = locks.hold(workbench.workspace.run / "import.lock", wait_s=0.2)
    if lock is None:
        raise NotAllowed("Another import runs on this workspace.", hint="Wait until it has ended.")
    try:
        yield
    finally:
        os.close(lock)
