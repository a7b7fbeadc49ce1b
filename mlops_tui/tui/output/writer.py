"""The thread between the application and the terminal: nothing waits for a slow line, and only the newest frame is sent."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Literal

from mlops_tui.tui.output.screen import ThinScreen

GATHER_S = 0.003
"""How long a frame waits for its other parts: Textual draws one picture in several writes."""
URGENT_S = 0.2
"""For so long after a key the line's frame rate does not hold a frame back."""
PATIENCE_S = 2.0
"""How long leaving waits for a terminal that takes nothing."""
_CHUNK = 1024  # small, so that a slow line holds up no more than this before newer drawings are taken in

Order = str | tuple[int, int] | Literal[True] | None
"""What is written; a new (width, height); True: send everything again; None: the end."""


class Writer(threading.Thread):
    """Owns the screen and the file descriptor. Everything reaches it through one queue, in order, from any thread.

    (A `SimpleQueue`, because its `put` may be interrupted by a signal handler that puts as well.)
    `interval_s` is the least time between two frames; `lost` is called once when the terminal has gone away, `again` when
    the application has to draw everything anew because a picture of ours was lost.
    """

    def __init__(
        self,
        file: int,
        screen: ThinScreen,
        *,
        interval_s: float,
        lost: Callable[[], object],
        again: Callable[[], object],
        encoding: str = "utf-8",
    ) -> None:
        super().__init__(daemon=True, name="mlops-output")
        self._file = file
        self._screen = screen
        self._interval_s = interval_s
        self._lost = lost
        self._again = again
        self._encoding = encoding
        self._queue: SimpleQueue[Order] = SimpleQueue()
        self._urgent_until = 0.0
        self._next = 0.0
        self._over = False
        self._dead = False
        self._plain: list[str] | None = None
        self._behind = False

    def put(self, order: Order) -> None:
        """Hand something over; never blocks."""
        self._queue.put(order)

    def hurry(self) -> None:
        """A key was pressed: its answer shall not wait for the frame rate."""
        self._urgent_until = time.monotonic() + URGENT_S

    def stop(self) -> None:
        """Send what is left (controls, not pictures) and end."""
        self._queue.put(None)
        if threading.current_thread() is not self:
            self.join(PATIENCE_S + 1)

    def run(self) -> None:
        while not self._over:
            if not self._behind:
                self._take_in(self._queue.get())
            self._behind = False
            self._gather()
            if not self._over:
                self._next = time.monotonic() + self._interval_s
                self._send(self._frame())
        self._send(self._rest())

    def _gather(self) -> None:
        """Take in what follows closely, and until the line's frame rate allows the next frame."""
        least = time.monotonic() + GATHER_S
        while not self._over:
            now = time.monotonic()
            until = least if now < self._urgent_until else max(least, self._next)
            if now >= until:
                return
            try:
                # In short steps, as a key may make the frame urgent meanwhile.
                self._take_in(self._queue.get(timeout=min(until - now, 0.02)))
            except Empty:
                continue

    def _take_in(self, order: Order) -> None:
        if order is None:
            self._over = True
        elif self._plain is not None:
            if isinstance(order, str):
                self._plain.append(order)
        else:
            try:
                self._obey(order)
            except Exception:
                self._give_up(order)

    def _obey(self, order: str | tuple[int, int] | bool) -> None:
        if isinstance(order, str):
            self._screen.write(order)
        elif isinstance(order, tuple):
            self._screen.resize(*order)
        else:
            self._screen.repaint()

    def _give_up(self, order: object) -> None:
        """A mistake of ours must not cost the picture: from now on everything goes through as it is."""
        self._plain = [self._screen.controls(), "\x1b[m", order if isinstance(order, str) else ""]
        self._again()

    def _frame(self) -> str:
        if self._plain is None:
            try:
                return self._screen.take()
            except Exception:
                self._give_up("")
        assert self._plain is not None
        text, self._plain = "".join(self._plain), []
        return text

    def _rest(self) -> str:
        return self._screen.controls() if self._plain is None else self._frame()

    def _send(self, text: str) -> None:
        data = memoryview(text.encode(self._encoding, "replace"))
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        patience = PATIENCE_S
        while data and not self._dead and patience > 0:
            started = time.monotonic()
            try:
                if poll.poll(100):
                    data = data[os.write(self._file, data[:_CHUNK]) :]
                    patience = PATIENCE_S
                elif self._over:
                    patience -= time.monotonic() - started
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                self._dead = True
                self._lost()
            self._take_in_all()

    def _take_in_all(self) -> None:
        """What was drawn while the line was busy: it changes the wanted picture, not what is being sent."""
        try:
            while True:
                self._take_in(self._queue.get_nowait())
                self._behind = True  # it has to be sent even when nothing else is ever drawn
        except Empty:
            return
