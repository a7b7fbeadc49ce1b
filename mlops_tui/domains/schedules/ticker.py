"""APScheduler as the clock: it wakes the daemon when a schedule is due, and decides nothing. Only the daemon starts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger


class Ticker:
    """Calls `wake()` from its own thread at each time it is set to; what is due is read from the tables afterwards.

    Jobs live in memory: the tables are the truth, and a ticker that is lost is set again by the next look at them.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._set: dict[str, int] = {}
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    def set(self, due: dict[str, int]) -> None:
        """Set the alarm of each name to its time (ms since the epoch); names not given lose theirs."""
        for name in self._set.keys() - due.keys():
            self._drop(name)
        for name, at in due.items():
            if self._set.get(name) != at:
                moment = datetime.fromtimestamp(at / 1000, UTC)
                self._scheduler.add_job(
                    self._wake,
                    DateTrigger(moment, timezone=UTC),
                    id=name,
                    replace_existing=True,
                    misfire_grace_time=None,  # however late, the tables must be looked at
                    coalesce=True,
                )
        self._set = dict(due)

    def _drop(self, name: str) -> None:
        try:
            self._scheduler.remove_job(name)
        except JobLookupError:  # it rang and is gone
            pass
