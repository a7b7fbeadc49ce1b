"""Labelling row by row: one key a row. What is said is on its way to the store while the next row is on screen already."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from mlops_tui.tui.lines import Line, clean, fit, line
from mlops_tui.tui.screens import label_lines
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.labels.records import Item, Progress, Queue, Suspect

AHEAD = 24
"""Rows read ahead with each write, so that the next one is always there."""
MOST_SUSPECTS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What a worker brings: the queue, rows ahead, how far the labeller is, a row that came back, what was published."""

    queue: Queue
    items: tuple[Item, ...]
    progress: Progress
    back: Item | None = None
    said: str = ""
    doubts: Mapping[int, Suspect] = dataclasses.field(default_factory=dict)


class Labelling(ModalScreen[int]):
    """One queue, row by row; dismisses with how many rows were dealt with."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", show=False),
        Binding("u", "undo", show=False),
        Binding("s", "skip", show=False),
        Binding("n", "note", show=False),
        Binding("S", "turn('skipped')", show=False),
        Binding("W", "turn('suspects')", show=False),
        Binding("p", "publish", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]
    DEFAULT_CSS = """
    Labelling { align: left top; }
    Labelling #labelling { width: 100%; height: 100%; background: $background; }
    Labelling #label-row { height: 1fr; padding: 1 1 0 1; }
    Labelling #label-classes { height: auto; max-height: 6; padding: 0 1; border-top: solid $panel; }
    Labelling #label-note { display: none; border: none; height: 1; padding: 0 1; }
    Labelling.-writing #label-note { display: block; }
    """

    class Came(Message):
        """A worker has written what was waiting and read ahead, or why not."""

        def __init__(self, found: Seen | Failure, written: int) -> None:
            super().__init__()
            self.found, self.written = found, written

    def __init__(self, source: Source, name: str) -> None:
        super().__init__()
        self._source, self._of = source, name
        self._queue: Queue | None = None
        self._progress: Progress | None = None
        self._keys: dict[str, str] = {}
        self._item: Item | None = None
        self._ahead: deque[Item] = deque()
        self._said: list[tuple[Item, str | None]] = []  # of this session, for undo
        self._writes: deque[Callable[[Workbench], tuple[Item | None, str]]] = deque()
        self._busy = False
        self._asked = False
        self._failure: Failure | None = None
        self._mode = "open"  # which rows: open, skipped, suspects
        self._doubts: Mapping[int, Suspect] | None = None  # worked out once, when they are turned to
        self._leaving = False
        self._note = ""
        self.dealt = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="labelling"):
            yield Bar(id="dialog-title")
            yield Bar(id="label-progress")
            yield LinesView(id="label-row")
            yield Input(id="label-note", placeholder="Note of this row; enter keeps it", compact=True)
            yield LinesView(id="label-classes")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one("#label-classes").can_focus = False
        self.query_one("#label-row").focus()
        self._draw()
        self._pump()

    # -- to and from the store -----------------------------------------------------------------------------------------

    def _write(self, work: Callable[[Workbench], tuple[Item | None, str]]) -> None:
        self._writes.append(work)
        self._pump()

    def _pump(self) -> None:
        """One worker at a time writes what waits, in order, and reads ahead; called again while something waits."""
        if self._busy:
            self._asked = True
            return
        self._busy, self._asked = True, False
        writes = [self._writes.popleft() for _ in range(len(self._writes))]
        source, name, mode, doubts = self._source, self._of, self._mode, self._doubts

        def work(bench: Workbench) -> Seen:
            back, said = None, ""
            for write in writes:
                came, words = write(bench)
                back, said = came or back, words or said
            labels, known = bench.labels, doubts or {}
            if mode == "suspects":
                known = (
                    {one.position: one for one in labels.suspects(name, limit=MOST_SUSPECTS)}
                    if doubts is None
                    else known
                )
                items = tuple(labels.item(name, position) for position in known)
            else:
                items = tuple(labels.next(name, limit=AHEAD, skipped=mode == "skipped"))
            return Seen(labels.get(name), items, labels.progress(name), back, said, known)

        self.run_worker(
            lambda: self.post_message(self.Came(source.attempt(work), len(writes))), thread=True, exit_on_error=False
        )

    @on(Came)
    def _came(self, message: Came) -> None:
        self._busy = False
        found = message.found
        if isinstance(found, Failure):
            self._failed(found, message.written)
            return
        self._queue, self._progress, self._failure = found.queue, found.progress, None
        self._doubts = found.doubts if self._mode == "suspects" else None
        self._keys = self._keys or label_lines.keys_of(found.queue.classes)
        if found.said:
            self.notify(found.said, markup=False)
        if found.back is not None:
            self._back_to(found.back)
        if not self._writes:  # what is on its way would come back as if it were open
            self._fill(found.items)
        if self._writes or self._asked:
            self._pump()
        elif self._leaving:
            self.dismiss(self.dealt)
            return
        self._draw()

    def _failed(self, why: Failure, written: int) -> None:
        """What could not be written is told and the rows are read again; only when that fails too there is nothing to show."""
        self._item, self._failure = None, None if written or self._mode == "suspects" else why
        self._ahead.clear()
        self._said.clear()
        if self._leaving or self._failure is None:
            self.notify("\n".join(part for part in (why.message, why.hint) if part), severity="error", markup=False)
        if self._leaving:
            self.dismiss(self.dealt)
            return
        if self._failure is None:
            self._mode = "open" if self._mode == "suspects" and not written else self._mode
            self._pump()
        self._draw()

    def _fill(self, items: Sequence[Item]) -> None:
        """Rows ahead as the store has them; the row on screen stays, and of those gone through again none comes twice."""
        again = {item.position for item, _ in self._said} if self._mode != "open" else set()
        here = self._item.position if self._item is not None else None
        self._ahead = deque(one for one in items if one.position != here and one.position not in again)
        if self._item is None:
            self._turn()

    def _turn(self) -> None:
        """The next row, at once."""
        self._item = self._ahead.popleft() if self._ahead else None
        self._note = ""
        if self.is_mounted:
            self.query_one("#label-row", LinesView).scroll_to(y=0, animate=False)

    def _back_to(self, item: Item) -> None:
        if self._item is not None and self._item.position != item.position:
            self._ahead.appendleft(self._item)
        self._item, self._note = item, ""

    # -- what the keys do ----------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """The keys of the classes."""
        label = self._keys.get(event.character or "")
        if label is not None and not self._writing:
            event.stop()
            self._say(label)

    @property
    def _writing(self) -> bool:
        return self.has_class("-writing")

    def _say(self, label: str | None) -> None:
        item, name, note, at = self._item, self._of, self._note, self._source.now()
        if item is None:
            return
        position = item.position

        def write(bench: Workbench) -> tuple[None, str]:
            if label is None:
                bench.labels.skip(name, position, note=note)
            else:
                bench.labels.put(name, position, label, note=note, at=at)
            return None, ""

        self._said.append((item, label))
        self.dealt += 1
        self._turn()
        self._write(write)
        self._draw()

    def action_skip(self) -> None:
        """Leave the row to others."""
        self._say(None)

    def action_undo(self) -> None:
        """Take the newest label or skip back and show its row again; also those of an earlier session."""
        name, known = self._of, bool(self._said)
        if known:
            item, _ = self._said.pop()
            self.dealt -= 1
            self._back_to(item)

        def write(bench: Workbench) -> tuple[Item | None, str]:
            taken = bench.labels.undo(name)
            return None if known else bench.labels.item(name, taken.position), ""

        self._write(write)
        self._draw()

    def action_note(self) -> None:
        """Write a note of the row on screen; it is kept with the label that follows."""
        if self._item is not None:
            self.add_class("-writing")
            field = self.query_one("#label-note", Input)
            field.value = self._note
            field.focus()

    @on(Input.Submitted, "#label-note")
    def _noted(self, event: Input.Submitted) -> None:
        self._note = event.value.strip()
        self._end_note()

    def _end_note(self) -> None:
        self.remove_class("-writing")
        self.query_one("#label-row").focus()
        self._draw()

    def action_turn(self, mode: str) -> None:
        """Go through the skipped rows, or those whose label is likely wrong; again: the open ones."""
        self._mode = "open" if self._mode == mode else mode
        self._item, self._doubts, self._failure = None, None, None
        self._ahead.clear()
        self._said.clear()
        self._pump()
        self._draw()

    def action_publish(self) -> None:
        """Bring the feature table of the queue up to date."""
        name = self._of

        def write(bench: Workbench) -> tuple[None, str]:
            done = bench.labels.publish(name)
            if done.version is None:
                return None, f"{done.table} is up to date."
            return None, f"{done.table}@{done.version}: {done.labels} labels, {done.taken_back} taken back."

        self._write(write)

    def action_scroll(self, step: int) -> None:
        self.query_one("#label-row", LinesView).scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Out of the note, else out of the screen once everything said is written."""
        if self._writing:
            self._end_note()
        elif self._busy or self._writes:
            self._leaving = True
        else:
            self.dismiss(self.dealt)

    def on_unmount(self) -> None:
        """The application is left in the middle: what waits is written before that."""
        for write in self._writes:
            self._source.attempt(write)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        item, queue = self._item, self._queue
        where = f"  row {item.position} of {queue.rows:,}" if item is not None and queue is not None else ""
        only = {"skipped": "  skipped rows", "suspects": "  suspect labels"}.get(self._mode, "")
        head = line((f" Label {clean(self._of)}", "title"), (where, "text"), (only, "warn"))
        self.query_one("#dialog-title", Bar).show([(head, "")], label_lines.rate(self._progress))
        self.query_one("#label-progress", Bar).show(
            [(label_lines.gauge(self._progress, len(self._writes), self.size.width), "")]
        )
        self.query_one("#label-row", LinesView).show(self._row)
        self.query_one("#label-classes", LinesView).show(lambda room, height: label_lines.keys(self._keys, room))
        self.query_one("#dialog-keys", Bar).show([(label_lines.KEYS, "")], self._last())

    def _last(self) -> Line:
        if not self._said:
            return ()
        item, label = self._said[-1]
        said = "skipped" if label is None else fit(label, min(24, len(label)))
        return line((f"row {item.position}: {said} ", "muted"))

    def _row(self, room: int, height: int) -> list[Line]:
        if self._failure is not None:
            return states.failed(self._failure, room)
        if self._item is None or self._queue is None:
            if self._progress is None or self._busy:
                return [line(("Reading the next rows ...", "busy"))]
            return label_lines.nothing(self._progress, self._mode, room)
        doubt = (self._doubts or {}).get(self._item.position)
        return label_lines.row(self._item, self._queue.order, self._note, doubt, room, height)
