"""Where screens get their data: work runs in a thread that opens its own workbench and hands back frozen values."""

from __future__ import annotations

import dataclasses
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading

T = TypeVar("T")

POLL_S = 0.25
"""How often the watcher looks at the version counters of the databases (10 microseconds each)."""
SAMPLE_S = 1.0
"""How often the machine is read while its figures are on screen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """An error as a screen shows it: what happened and what to do."""

    message: str
    hint: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """The version counter of each database and whether a daemon runs; equal values mean nothing changed."""

    catalog: int = -1
    metrics: int = -1
    telemetry: int = -1
    daemon: bool | None = None

    def changed(self, before: Versions) -> frozenset[str]:
        """The names of what differs."""
        return frozenset(
            field.name for field in dataclasses.fields(self) if getattr(self, field.name) != getattr(before, field.name)
        )


class Source:
    """Opens a workbench per piece of work, in the thread that asks. Never call it from the UI thread."""

    def __init__(self, open_: Callable[[], Workbench], *, now: Callable[[], int] = clock.now_ms) -> None:
        self._open = open_
        self.now = now

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
            return Failure(error.message, error.hint)
        except Exception as error:
            where = self._note(error)
            return Failure(f"{type(error).__name__}: {error}", f"Details: {where}" if where else "")

    def _note(self, error: Exception) -> str:
        try:
            bench = self._open()
            try:
                path = bench.context.workspace.logs / "tui.log"
            finally:
                bench.close()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as log:
                log.write(f"{clock.iso(self.now())}\n{''.join(traceback.format_exception(error))}\n")
        except (OSError, WorkbenchError):
            return ""  # a full disk or a lost workspace must not hide the error itself
        return str(path)


class Watch:
    """Polls the version counters and reports each change; one thread, one connection, until `stop`."""

    def __init__(self, source: Source, report: Callable[[Versions], object]) -> None:
        self._source = source
        self._report = report
        self._over = threading.Event()

    def stop(self) -> None:
        """End within one poll."""
        self._over.set()

    def run(self) -> None:
        """Poll until stopped. A workspace that cannot be read is tried again, one to thirty seconds later."""
        wait = 1.0
        while not self._over.is_set():
            failure = self._source.attempt(self._poll)
            if failure is None:
                return
            self._over.wait(wait)
            wait = min(30.0, wait * 2)

    def _poll(self, bench: Workbench) -> None:
        last = Versions()
        turn = 0
        while not self._over.is_set():
            daemon = bench.daemon_alive() if turn % 8 == 0 else last.daemon
            seen = Versions(*bench.changed(), daemon)
            if seen != last:
                last = seen
                self._report(seen)
            turn += 1
            self._over.wait(POLL_S)


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
