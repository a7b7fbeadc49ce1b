"""Where screens get their data: work runs in a thread that opens its own workbench and hands back frozen values."""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui.views import Views
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading

T = TypeVar("T")

POLL_S = 0.25
"""How often the watcher looks at the version counters of the databases (10 microseconds each)."""
DAEMON_S = 2.0
"""How often a running daemon is looked for."""
SAMPLE_S = 1.0
"""How often the machine is read while its figures are on screen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """An error as a screen shows it: what happened and what to do."""

    message: str
    hint: str = ""
    details: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """The version counter of each database and whether a daemon runs; equal values mean nothing changed.

    `down_since` is when the daemon was seen to be gone, `lost` why the workspace cannot be read ("" = it can).
    """

    catalog: int = -1
    metrics: int = -1
    telemetry: int = -1
    daemon: bool | None = None
    down_since: int | None = None
    lost: str = ""

    def changed(self, before: Versions) -> frozenset[str]:
        """The names of what differs."""
        return frozenset(
            field.name for field in dataclasses.fields(self) if getattr(self, field.name) != getattr(before, field.name)
        )


class Source:
    """Opens a workbench per piece of work, in the thread that asks. Never call it from the UI thread.

    `views` is where the lists keep how they are shown.
    """

    def __init__(
        self, open_: Callable[[], Workbench], *, now: Callable[[], int] = clock.now_ms, views: Views | None = None
    ) -> None:
        self._open = open_
        self.now = now
        self.views = views or Views()

    def fetch(self, work: Callable[[Workbench], T]) -> T:
        """Run `work` with a fresh workbench; whatever it raises is raised."""
        bench = self._open()
        try:
            return work(bench)
        finally:
            bench.close()

    def attempt(self, work: Callable[[Workbench], T]) -> T | Failure:
        """Like `fetch`, but an error comes back as a value; the unexpected ones also go to the log file."""
        try:
            return self.fetch(work)
        except WorkbenchError as error:
            return Failure(error.message, error.hint, _traceback(error))
        except Exception as error:
            where = self._note(error)
            hint = f"Details: {where}" if where else ""
            return Failure(f"{type(error).__name__}: {error}", hint, _traceback(error))

    def _note(self, error: Exception) -> str:
        try:
            bench = self._open()
            try:
                path = bench.context.workspace.logs / "tui.log"
            finally:
                bench.close()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as log:
                log.write(f"{clock.iso(self.now())}\n{_traceback(error)}\n")
        except (OSError, WorkbenchError):
            return ""  # a full disk or a lost workspace must not hide the error itself
        return str(path)


def spare_collector() -> None:
    """Keep what lives as long as the process out of the garbage collector's way.

    Modules, style sheets and the widgets of a desk are some 300,000 objects; going through them all took the event loop
    70 ms every few seconds of typing. What is waste just now stays for good with it, so only call it once per desk.
    """
    gc.freeze()


def release_collector() -> None:
    """Give everything back to the collector before the process ends: libraries complain of what is never freed."""
    gc.unfreeze()


class Backoff:
    """Seconds to wait before the next try: 1, 2, 4 ... 30; `reset` after a success."""

    FIRST_S, MOST_S = 1.0, 30.0

    def __init__(self) -> None:
        self._next = self.FIRST_S

    def reset(self) -> None:
        self._next = self.FIRST_S

    def step(self) -> float:
        """The wait before the next try; the one after it is twice as long."""
        wait, self._next = self._next, min(self.MOST_S, self._next * 2)
        return wait


class Watch:
    """Polls the version counters and reports each change; one thread, one connection, until `stop`."""

    def __init__(self, source: Source, report: Callable[[Versions], object]) -> None:
        self._source = source
        self._report = report
        self._over = threading.Event()
        self._last = Versions()
        self._look_at = 0.0
        self._backoff = Backoff()

    def stop(self) -> None:
        """End within one poll."""
        self._over.set()

    def run(self) -> None:
        """Poll until stopped. A workspace that cannot be read is reported once and tried again, 1 to 30 seconds later."""
        backoff = Backoff()
        while not self._over.is_set():
            failure = self._source.attempt(lambda bench: self._poll(bench, backoff))
            if failure is None:
                return
            self._tell(dataclasses.replace(self._last, lost=failure.message))
            self._over.wait(backoff.step())

    def _poll(self, bench: Workbench, backoff: Backoff) -> None:
        while not self._over.is_set():
            self._tell(self.look(bench, time.monotonic()))
            backoff.reset()
            self._over.wait(POLL_S)

    def _tell(self, seen: Versions) -> None:
        if seen != self._last:
            self._last = seen
            self._report(seen)

    def look(self, bench: Workbench, at: float) -> Versions:
        """The state at `at` (monotonic seconds). A daemon is looked for every 2 s, a missing one 1 to 30 s apart.

        A write to the workspace may be its: then it is looked for at once.
        """
        counters = bench.changed()
        last = self._last
        daemon, down_since = last.daemon, last.down_since
        if at >= self._look_at or counters != (last.catalog, last.metrics, last.telemetry):
            daemon = bench.daemon_alive()
            if daemon:
                self._backoff.reset()
                down_since = None
            elif down_since is None:
                down_since = self._source.now()
            self._look_at = at + (DAEMON_S if daemon else self._backoff.step())
        return Versions(*counters, daemon, down_since)


class Sampler:
    """Reads the machine once a second while somebody looks; keeps the last two minutes. One thread, one probe."""

    def __init__(
        self, source: Source, wanted: Callable[[], bool], report: Callable[[tuple[Reading, ...]], object]
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._report = report
        self._readings: deque[Reading] = deque(maxlen=120)
        self._over = threading.Event()

    def stop(self) -> None:
        """End within one second."""
        self._over.set()

    def run(self) -> None:
        """Sample until stopped; a probe that fails is tried again a second later."""
        while not self._over.is_set():
            if self._wanted():
                self._source.attempt(self._sample)
            self._over.wait(SAMPLE_S)

    def _sample(self, bench: Workbench) -> None:
        while not self._over.is_set() and self._wanted():
            self._readings.append(bench.hardware.read())
            self._report(tuple(self._readings))
            self._over.wait(SAMPLE_S)


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
