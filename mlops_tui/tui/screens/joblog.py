"""Opening the live log of a job from a desk."""

from __future__ import annotations

from collections.abc import Callable

from mlops_tui.tui.screens.frame import Frame


def open_log(desk: Frame, job_id: int, title: str, cancel: Callable[[int], None]) -> None:
    """Put the log of a job in front of the desk; `cancel` is what its key c does."""
    from mlops_tui.tui.widgets.log import JobLog

    desk.app.push_screen(JobLog(job_id, title, lambda: cancel(job_id)))
