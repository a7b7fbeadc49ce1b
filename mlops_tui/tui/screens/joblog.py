"""The log of a job: opened live from a desk, and its end beside a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlops_tui.tui.screens.frame import Frame


def open_log(desk: Frame, job_id: int, title: str, cancel: Callable[[int], None]) -> None:
    """Put the log of a job in front of the desk; `cancel` is what its key c does."""
    from mlops_tui.tui.widgets.log import JobLog

    desk.app.push_screen(JobLog(job_id, title, lambda: cancel(job_id)))


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log file, or that there are none yet."""
    if not path.exists():
        return "no output yet"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 8192))
        found = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(found[-lines:]) or "no output yet"
