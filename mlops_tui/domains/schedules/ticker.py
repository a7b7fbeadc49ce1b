"""APScheduler as the clock: it wakes the daemon when a schedule is due, and decides nothing. Only the daemon starts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

_ALARM = "next"


class Ticker:
    """Calls `wake()` from its own thread at each time it is set to; what is due is read from the tables afterwards.

    Jobs live in memory: the tables are the truth, and a ticker that is lost is set again by the next look at them.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._set: int | None = None
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    def set(self, at: int | None) -> None:
        """Set the alarm to a time (ms since the epoch), in place of the one before; None: to none.

        One is enough, however many schedules there are: after it has rung the next is known.
        """
        if at == self._set:
            return
        self._set = at
        if at is None:
            self._drop()
            return
        self._scheduler.add_job(
            self._wake,
            DateTrigger(datetime.fromtimestamp(at / 1000, UTC), timezone=UTC),
            id=_ALARM,
            replace_existing=True,
            misfire_grace_time=None,  # however late, the tables must be looked at
            coalesce=True,
        )

    def _drop(self) -> None:
        try:
            self._scheduler.remove_job(_ALARM)
        except JobLookupError:  # it rang and is gone
            pass
