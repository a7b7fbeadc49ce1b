"""Follows the log file of a job until the job ends; scrolling up stops following, G goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Log

from mlops_tui.tui.lines import clean, line, state
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.tui.app import MlopsApp

CHUNK = 64 * 1024
MAX_LINES = 10_000
EVERY_S = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Tail:
    """The next piece of a log and the state of its job."""

    text: str
    offset: int
    state: str
    note: str
    over: bool
    more: bool


def read_on(bench: Workbench, job_id: int, offset: int) -> Tail:
    """The next at most 64 KiB after `offset` bytes; a log that does not exist yet is empty."""
    job = bench.jobs.get(job_id)
    path = Path(bench.jobs.log_path(job_id))
    data = b""
    if path.exists():
        with path.open("rb") as log:
            size = path.stat().st_size
            offset = 0 if size < offset else offset  # a new attempt starts a new file
            log.seek(offset)
            data = log.read(CHUNK)
    over = str(job.state) in ("succeeded", "failed", "cancelled", "lost")
    if not over and (cut := data.rfind(b"\n") + 1) and cut < len(data):
        data = data[:cut]  # whole lines only, so that no character is torn
    done = (
        f"{job.progress.done}/{job.progress.total} {job.progress.note}" if job.progress and job.progress.total else ""
    )
    if str(job.state) == "queued":
        done = "it starts when the daemon takes it"
    return Tail(data.decode("utf-8", "replace"), offset + len(data), str(job.state), done, over, len(data) == CHUNK)


class JobLog(ModalScreen[None]):
    """The log of one job, live."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("g,home", "ends(False)", show=False),
        Binding("G,end", "ends(True)", show=False),
        Binding("c", "cancel", show=False),
    ]

    class Read(Message):
        """A worker has read on."""

        def __init__(self, tail: Tail | Failure) -> None:
            super().__init__()
            self.tail = tail

    def __init__(self, job_id: int, title: str, cancel: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.job_id, self._title, self._cancel = job_id, title, cancel
        self._offset = 0
        self._busy = self._over = False

    def compose(self) -> ComposeResult:
        yield Bar(id="log-title")
        yield Log(max_lines=MAX_LINES, id="log")
        yield Bar(id="log-keys")

    def on_mount(self) -> None:
        cancel = line((" c", "key"), " cancel job ") if self._cancel else ()
        follow = line((" g G", "key"), " top, follow ")
        self.query_one("#log-keys", Bar).show(
            [(line((" esc", "key"), " back "), "dismiss"), (follow, ""), (cancel, "cancel")]
        )
        self._head("", "")
        self.query_one("#log").focus()
        self._read()
        self.set_interval(EVERY_S, self._read)

    def _head(self, now: str, note: str) -> None:
        parts = line((f" Job {self.job_id} ", "title"), clean(self._title), "  ", state(now) if now else ("", "text"))
        self.query_one("#log-title", Bar).show([((*parts, (f"  {clean(note)}", "muted")), "")])

    def _read(self) -> None:
        if self._busy or self._over:
            return
        self._busy = True
        app: MlopsApp = self.app  # type: ignore[assignment]
        offset = self._offset
        self.run_worker(
            lambda: self.post_message(self.Read(app.source.attempt(lambda bench: read_on(bench, self.job_id, offset)))),
            thread=True,
            group="log",
            exit_on_error=False,
        )

    @on(Read)
    def _shown(self, message: Read) -> None:
        self._busy = False
        log = self.query_one(Log)
        tail = message.tail
        if isinstance(tail, Failure):
            log.write_line(f"! {tail.message} {tail.hint}")
            self._over = True
            return
        following = log.is_vertical_scroll_end
        if tail.text:
            log.write("\n".join(clean(one) for one in tail.text.split("\n")), scroll_end=following)
        self._offset = tail.offset
        self._over = tail.over and not tail.more
        self._head(tail.state, tail.note)
        if tail.more:
            self._read()

    def action_scroll(self, lines: int) -> None:
        self.query_one(Log).scroll_relative(y=lines, animate=False)

    def action_ends(self, last: bool) -> None:
        log = self.query_one(Log)
        log.scroll_end(animate=False) if last else log.scroll_home(animate=False)

    def action_cancel(self) -> None:
        if self._cancel is not None and not self._over:
            self._cancel()
