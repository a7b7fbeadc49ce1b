"""The machine and the background: hardware with history, processes, GPUs, loads, jobs with logs, the audit log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tui.domains.jobs.searching import JOBS
from mlops_tui.tui.blocks import Block, Fields, Text
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import Line, number, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.hardware import Machine, draw_machine, picture
from mlops_tui.tui.screens.hardware_history import SPANS, machine
from mlops_tui.tui.screens.joblog import open_log, tail
from mlops_tui.tui.screens.machine_acts import ask_end, ask_hold, ask_nice, show_environment
from mlops_tui.tui.screens.machine_lists import GPUS
from mlops_tui.tui.screens.machine_loads import LOADS
from mlops_tui.tui.screens.machine_processes import PROCESSES, kernel, parents
from mlops_tui.tui.screens.section import Ask, Section
from mlops_tui.tui.widgets.dialogs import Confirm, Question
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.audit.records import Entry
    from mlops_tui.domains.hardware.records import Reading
    from mlops_tui.domains.jobs.records import Job

LIMIT = 1000
EVERY_S = 2.0
"""Between looks at the processes and GPUs, while they are on screen."""
LIVE = ("processes", "gpus")


def jobs(bench: Workbench) -> list[Job]:
    """Jobs of people and schedules, newest first."""
    return sorted(bench.jobs.list(limit=LIMIT), key=lambda one: -one.id)


def job_detail(bench: Workbench, one: Job) -> Sequence[Block]:
    """A job: cause, timing, result or error, the end of its log."""
    now = bench.context.now()
    head = Fields(
        (
            ("Kind", one.kind),
            ("State", state(one.state)),
            ("Attempt", number(one.attempt)),
            ("Cause", cells.compact(one.cause)),
            ("By", one.created_by),
            ("Queued", cells.moment(one.created_at, now)),
            ("Started", cells.moment(one.started_at, now)),
            ("Ended", cells.moment(one.ended_at, now)),
            ("Progress", _progress(one)),
            ("Process", f"pid {one.pid}" if one.pid else ""),
            ("Result", cells.compact(one.result)),
            ("Error", (one.error, "bad")),
        ),
        title=f"Job {one.id}: {one.title}",
    )
    return (head, Text(tail(bench.jobs.log_path(one.id)), "muted", title="Log (l follows it)"))


def _progress(one: Job) -> str:
    done, total = one.progress.done, one.progress.total
    return f"{done:,} of {total:,} {one.progress.note}" if total else one.progress.note


def entry_detail(bench: Workbench, one: Entry) -> Sequence[Block]:
    """An audit entry: who, what, why, before and after."""
    now = bench.context.now()
    head = Fields(
        (
            ("When", cells.moment(one.at, now)),
            ("Who", one.actor),
            ("Did", one.verb),
            ("To", f"{one.kind} {one.name}"),
            ("Why", one.why),
            ("Cause", cells.compact(one.cause)),
            ("Hash", one.hash[:24]),
        ),
        title=f"Entry {one.id}",
    )
    return (head, _values("Before", one.before), _values("After", one.after))


def _values(title: str, value: Any) -> Fields:
    pairs = value.items() if isinstance(value, dict) else (("", value),) if value not in (None, "") else ()
    return Fields(tuple((str(name), cells.compact(one)) for name, one in pairs), title=title if pairs else "")


class SystemDesk(Desk):
    """Hardware, processes, GPUs, loads, jobs, audit."""

    ID = "system"
    CSS_PATH = "system.tcss"
    BINDINGS = bindings("system")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section("hardware", "Hardware", machine, draw=draw_machine, watches=frozenset({"telemetry"})),
        Section(
            "jobs",
            "Jobs",
            jobs,
            limit=LIMIT,
            columns=(
                cells.count("Job", lambda one: one.id),
                cells.text("Title", lambda one: one.title, width=50, grow=True),
                cells.status("State", lambda one: one.state),
                cells.text("Kind", lambda one: one.kind, width=12, rank=2, role="muted"),
                cells.text(
                    "Progress", lambda one: _progress(one) if str(one.state) == "running" else "", width=24, rank=3
                ),
                cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=2),
                cells.when("Queued", lambda one: one.created_at),
            ),
            key=lambda one: str(one.id),
            empty=Empty("No jobs yet. Running a pipeline makes one.", "mlops pipelines run NAME"),
            detail=job_detail,
            watches=frozenset({"catalog", "telemetry"}),
            names=lambda one: {"id": one.id},
            asks=JOBS,
        ),
        PROCESSES,
        GPUS,
        LOADS,
        Section(
            "audit",
            "Audit",
            lambda bench: bench.audit.list(limit=LIMIT),
            limit=LIMIT,
            columns=(
                cells.when("When", lambda one: one.at),
                cells.text("Who", lambda one: one.actor, width=14),
                cells.text("Did", lambda one: one.verb, width=14),
                cells.text("Kind", lambda one: one.kind, width=14, rank=2, role="muted"),
                cells.text("What", lambda one: one.name, width=40, grow=True),
                cells.text("Why", lambda one: one.why, width=40, rank=3, role="muted"),
            ),
            key=lambda one: str(one.id),
            empty=Empty("Nothing has been changed yet.", "mlops features create TABLE --key COLUMN"),
            detail=entry_detail,
            names=lambda one: {"id": one.id},
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._span = SPANS[0]

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(EVERY_S, self._look_again)

    def _look_again(self) -> None:
        """Processes and GPUs change without anything being written to the workspace."""
        if self.is_current and self.section.id in LIVE:
            self.load(self.section)

    def _work(self, section: Section) -> tuple[Ask | None, Callable[[], Any]]:
        if section.id != "hardware":
            return super()._work(section)
        source, span = self.workbench_app.source, self._span
        return None, lambda: source.attempt(lambda bench: machine(bench, span))

    @property
    def wants_readings(self) -> bool:
        """Only while the hardware part is on screen."""
        return self.section.id == "hardware"

    def arrived(self, section: str, records: Any) -> Any:
        if isinstance(records, Machine):
            return dataclasses.replace(records, readings=self.workbench_app.readings)
        if section == "processes" and not self.memory[section].records:
            self.memory[section].folded |= kernel(records)
        return records

    def _note(self) -> Callable[[int, int], Sequence[Line]] | None:
        records = self.here.records
        shown = self.section.id == "hardware" and self.here.failure is None and isinstance(records, Machine)
        return picture(records) if shown else super()._note()

    def sampled(self, readings: tuple[Reading, ...]) -> None:
        """New readings of the machine."""
        memory = self.memory["hardware"]
        if isinstance(memory.records, Machine):
            memory.records = dataclasses.replace(memory.records, readings=readings)
            if self.section.id == "hardware":
                self.show_rows()

    async def act_span(self) -> None:
        """The next longer stretch of history, after the longest the shortest."""
        self._span = SPANS[(SPANS.index(self._span) + 1) % len(SPANS)]
        self.load(self.section)

    async def act_fold(self) -> None:
        """Hide what is below the selected process, or show it again."""
        key, folded = str(self.record.pid), self.here.folded
        if key not in folded and key not in parents(self.here.records or ()):
            self.notify("There is nothing below it.", timeout=2, markup=False)
            return
        folded ^= {key}
        self.show_rows()

    async def act_fold_all(self) -> None:
        """Leave only the tops of the tree and what is right below them, or show all of it again."""
        records, folded = self.here.records or (), self.here.folded
        everything = set() if folded else (parents(records, 1) or parents(records)) | kernel(records)
        folded.clear()
        folded |= everything
        self.show_rows()

    async def act_environment(self) -> None:
        """What the process began with."""
        show_environment(self)

    async def act_interrupt(self) -> None:
        """Confirm, then interrupt the process and all below it, as ctrl+c does."""
        ask_end(
            self,
            "int",
            "It is interrupted as by ctrl+c, with all below it: most programs save and end.",
            "Interrupt it",
        )

    async def act_hold(self) -> None:
        """Confirm, then hold the process or let it go on."""
        ask_hold(self)

    async def act_end(self) -> None:
        """Confirm, then ask the process and all below it to end."""
        ask_end(self, "term", "It is asked to end, with all below it.", "Ask it to end")

    async def act_kill(self) -> None:
        """Confirm, then end the process and all below it."""
        ask_end(self, "kill", "It and all below it are ended at once; nothing is saved.", "Kill it")

    async def act_nice(self) -> None:
        """Ask for a niceness, then set it."""
        ask_nice(self)

    async def act_log(self) -> None:
        """Follow the job."""
        open_log(self, self.record.id, self.record.title, self._cancel)

    async def act_cancel(self) -> None:
        """Confirm, then end the whole process tree."""
        job = self.record
        question = Question(f"Cancel job {job.id}?", f"{job.title}: its processes are ended.", self.command("system.cancel"),
                            "Cancel job")  # fmt: skip

        def decided(yes: bool | None) -> None:
            if yes:
                self._cancel(job.id)

        self.app.push_screen(Confirm(question), decided)

    def _cancel(self, job: int) -> None:
        again = Undo(f"mlops jobs cancel {job}", f"mlops jobs retry {job}",
                     lambda bench: f"Job {bench.jobs.retry(job).id} is queued again.")  # fmt: skip
        self.perform(f"cancel job {job}", lambda bench: f"Job {bench.jobs.cancel(job).id} is cancelled.",
                     command=again.title, undo=again)  # fmt: skip

    async def act_retry(self) -> None:
        """Queue it again."""
        job = int(self.record.id)
        back = self.undo("system.retry", lambda bench: f"Job {bench.jobs.cancel(job).id} is cancelled.")
        self.perform(f"retry job {job}", lambda bench: f"Job {bench.jobs.retry(job).id} is queued again.", undo=back)

    async def act_verify(self) -> None:
        """Check every hash of the log."""
        self.perform("verify the audit log", _verify)


def _verify(bench: Workbench) -> str:
    found = bench.audit.verify()
    if found.ok:
        return f"All {found.checked:,} entries fit their hashes."
    return f"Entry {found.first_bad} does not fit: {found.reason}"
