"""The thread beside a training script that moves its records into the database twice a second. One per process and workspace."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from mlops_tui.domains.experiments.machine import Sampler
from mlops_tui.domains.experiments.spool import RunWriter

INTERVAL_S = 0.5
HEARTBEAT_S = 5.0
_JOIN_S = 10.0


class TakesIn(Protocol):
    """The part of the service that is needed here."""

    def take_in(self, *, wait: bool = True) -> int: ...


class Rooms(Protocol):
    """The part of the workbench that is needed here."""

    @property
    def experiments(self) -> TakesIn: ...


Open = Callable[[], AbstractContextManager[Rooms]]


class Mover:
    """Runs while at least one writer is entered. Whatever goes wrong here is said once and leaves the training alone."""

    def __init__(self, open_rooms: Open) -> None:
        self.open_rooms = open_rooms
        self.owner = os.getpid()
        self.writers: list[RunWriter] = []
        self._first: list[Callable[[], None]] = []
        self._watched: dict[
            RunWriter, tuple[float, float]
        ] = {}  # seconds between looks at the machine, and the next one
        self._sampler: Sampler | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, writer: RunWriter, first: Callable[[], None], machine_s: float | None) -> None:
        with self._lock:
            self.writers.append(writer)
            if machine_s is not None:
                self._watched[writer] = (machine_s, time.monotonic() + machine_s)
            self._first.append(first)
            if self._thread is None:
                self._stop.clear()
                thread = threading.Thread(target=self._work, name="mlops-mover", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError:  # the interpreter is shutting down: `leave` takes everything in
                    pass

    def leave(self, writer: RunWriter) -> None:
        """Take in what is left; the thread ends with the last writer."""
        with self._lock:
            if writer in self.writers:
                self.writers.remove(writer)
            self._watched.pop(writer, None)
            if not self.writers and self._thread is not None:
                self._stop.set()
                self._thread.join(_JOIN_S)
                self._thread = None
        try:
            with self.open_rooms() as rooms:
                rooms.experiments.take_in()
        except Exception as error:
            _complain(writer, error)

    def _work(self) -> None:
        beat = time.monotonic()
        while not self._stop.is_set():
            try:
                with self.open_rooms() as rooms:
                    while not self._stop.wait(INTERVAL_S):
                        while self._first:
                            self._first.pop()()
                        if time.monotonic() - beat >= HEARTBEAT_S:
                            beat = time.monotonic()
                            for writer in self.writers.copy():
                                writer.alive()
                        self._look()
                        rooms.experiments.take_in(wait=False)
            except Exception as error:
                for writer in self.writers.copy():
                    _complain(writer, error)
                self._stop.wait(10 * INTERVAL_S)

    def _look(self) -> None:
        """One look at the machine for all runs whose turn it is."""
        now = time.monotonic()
        due = [writer for writer, (_, at) in list(self._watched.items()) if at <= now]
        if not due:
            return
        try:
            if self._sampler is None:
                self._sampler = Sampler()
                due = []  # the first sample is of the time since now
            values = self._sampler.sample() if due else {}
        except Exception as error:  # a container may hide /proc: that must not keep records from being moved
            for writer in due:
                self._watched.pop(writer, None)
                writer.complain(f"the machine is not watched: {error}")
            return
        for writer in due:
            writer.metrics([(key, None, value) for key, value in values.items()])
        for writer, (every, at) in list(self._watched.items()):
            if at <= now:
                self._watched[writer] = (every, now + every)


def _complain(writer: RunWriter, error: Exception) -> None:
    writer.complain(f"what is logged stays in the spool for now ({error}); it is taken in later")


_movers: dict[str, Mover] = {}


def enter(writer: RunWriter, open_rooms: Open, *, first: Callable[[], None], machine_s: float | None = None) -> None:
    """Have the records of a writer moved; `first` is called once in the background.

    `machine_s`: so often what the run takes of the machine is logged to it, None for never.
    """
    mover = _movers.get(writer.place)
    if mover is None or mover.owner != os.getpid():  # a forked child has no threads of its parent
        mover = _movers[writer.place] = Mover(open_rooms)
    mover.enter(writer, first, machine_s)


def leave(writer: RunWriter) -> None:
    """The writer has ended: take in what is left of it."""
    mover = _movers.get(writer.place)
    if mover is not None and mover.owner == os.getpid():
        mover.leave(writer)
