"""What the features desk does to tables: ask, then do it in a worker, with the same as a command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import size as human_bytes
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.upkeep import NEVER_MS
from mlops_tui.upkeep import collect as gather
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.tui.screens.base import Desk


def ingest(desk: Desk) -> None:
    """Ask for table and file, then ingest in a worker."""
    known = tuple(str(one.name) for one in desk.memory["tables"].records or ())
    if not known:
        desk.notify("There is no table yet: n creates one.", title="Ingest", severity="warning", markup=False)
        return
    here = desk.situation.names.get("name")
    name = str(here) if here in known else known[0]
    fields = (
        Field("table", "Table", name, choices=known),
        Field("file", "File", placeholder="/path/to/file.csv or .parquet"),
        Field("mode", "Mode", "append", choices=("append", "replace")),
        Field("message", "Message", optional=True),
    )

    def command(answers: Answers) -> str:
        mode = " --mode replace" if answers["mode"] == "replace" else ""
        message = f' -m "{answers["message"]}"' if answers["message"] else ""
        return f"mlops features ingest {answers['table']} {answers['file'] or 'FILE'}{mode}{message}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            _ingest(desk, answers, command(answers))

    desk.app.push_screen(Form("Ingest a file", fields, "Ingest", command), chosen)


def _ingest(desk: Desk, answers: Answers, command: str) -> None:
    title = f"ingest {answers['table']}"
    report = desk.report(title)

    def work(bench: Workbench) -> str:
        source = Path(answers["file"]).expanduser()
        made = bench.features.ingest(
            answers["table"], source, mode=answers["mode"], message=answers["message"], progress=report
        )
        aside = f", {made.quarantined:,} set aside" if made.quarantined else ""
        return f"{made.table}@{made.version}: {made.added_rows:,} rows added{aside}."

    desk.perform(title, work, command=command)


def create(desk: Desk) -> None:
    """Ask for name, keys and event time."""
    fields = (
        Field("name", "Name", placeholder="stations"),
        Field("keys", "Key columns", placeholder="station_id, ..."),
        Field("time", "Event time", placeholder="column (optional)", optional=True),
        Field("description", "About", optional=True),
    )

    def command(answers: Answers) -> str:
        keys = " ".join(f"--key {key}" for key in _split(answers["keys"])) or "--key COLUMN"
        return f"mlops features create {answers['name'] or 'TABLE'} {keys}" + (
            f" --time {answers['time']}" if answers["time"] else ""
        )

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform(
                "create table",
                lambda bench: _create(bench, answers),
                then=lambda: desk.go("tables", answers["name"]),
                command=command(answers),
            )

    desk.app.push_screen(Form("Create a feature table", fields, "Create", command), chosen)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _create(bench: Workbench, answers: Answers) -> str:
    table = bench.features.create(
        answers["name"], _split(answers["keys"]), time=answers["time"] or None, description=answers["description"]
    )
    return f"Table {table.name} is there. Press i to ingest a file."


def check(desk: Desk, name: str) -> None:
    """Run the checks of a table in a worker."""

    def work(bench: Workbench) -> str:
        report = bench.features.check(name)
        failed = ", ".join(one.name or one.check for one in report.failed)
        what = f"{len(report.failed)} of {len(report.results)} checks fail: {failed}" if failed else "all checks hold"
        return f"{name}@{report.version}: {what}."

    desk.perform(f"check {name}", work, command=f"mlops features check {name}")


def compact(desk: Desk) -> None:
    """Write the files of the selected table as one, as a new version."""
    name = str(desk.record.name)

    def work(bench: Workbench) -> str:
        before = len(bench.features.files(name))
        if before < 2:
            return f"{name} is one file already."
        made = bench.features.compact(name)
        return f"{made.reference} holds the {made.rows:,} rows of {before} files in one."

    desk.perform(f"compact {name}", work)


def restore(desk: Desk) -> None:
    """Ask, then make a new version with the rows of the selected one; `u` makes one with the rows of before."""
    snapshot = desk.record
    newest = max((one.version for one in desk.here.records if one.table == snapshot.table), default=snapshot.version)
    before = f"{snapshot.table}@{newest}"
    if snapshot.version == newest:
        desk.notify(f"{before} is the newest version already.", title="Restore", severity="warning", markup=False)
        return
    line = f"mlops features restore {snapshot.reference}"
    effect = f"A new version with the {snapshot.rows:,} rows of {snapshot.reference}; {before} stays in the history."
    undo = Undo(line, f"mlops features restore {before}", lambda bench: _restored(bench, before))

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(
                f"restore {snapshot.reference}",
                lambda bench: _restored(bench, snapshot.reference),
                command=line,
                undo=undo,
            )

    desk.app.push_screen(Confirm(Question(f"Restore {snapshot.reference}?", effect, line, "Restore")), decided)


def _restored(bench: Workbench, ref: str) -> str:
    made = bench.features.restore(ref)
    return f"{made.reference} has the {made.rows:,} rows of {ref}."


def materialize(desk: Desk) -> None:
    """Bring the selected table online."""
    name = str(desk.record.name)

    def work(bench: Workbench) -> str:
        made = bench.features.materialize(name)
        return f"{name}@{made.version} is online: {made.entities:,} entities, {made.written:,} written."

    desk.perform(f"materialize {name}", work)


def remove(desk: Desk) -> None:
    """Ask for the name, then take the selected table out of every list; `u` brings it back."""
    table = desk.record
    name, line = str(table.name), f"mlops features remove {table.name}"

    def work(bench: Workbench) -> str:
        bench.features.remove(name)
        return f"{name} is removed."

    def back(bench: Workbench) -> str:
        return f"{name} is back with its {bench.features.bring_back(name).rows:,} rows."

    def decided(yes: bool | None) -> None:
        if yes:
            undo = Undo(line, f"mlops features restore {name}", back)
            desk.perform(f"remove {name}", work, command=f"{line} --yes", undo=undo)

    effect = (
        f"{table.latest_version} versions and {table.rows:,} rows leave every list and go offline; u brings them back, until"
        " mlops gc --deleted takes the files. Pipelines that read it fail."
    )
    desk.app.push_screen(Confirm(Question(f"Remove {name}?", effect, f"{line} --yes", "Remove", name)), decided)


def collect(desk: Desk) -> None:
    """Ask how many versions stay, say what would go, and collect once that is agreed to."""
    keep = Field("keep", "Keep the newest", placeholder="how many versions of each table (all)", optional=True)
    deleted = Field("deleted", "Removed tables", placeholder="removed how long ago, as in 30d (none)", optional=True)

    def command(answers: Answers) -> str:
        parts = [f" --{name} {answers[name].strip()}" for name in ("keep", "deleted") if answers[name].strip()]
        return f"mlops gc{''.join(parts)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform("what would go", lambda bench: _collected(bench, answers, True), command=f"{command(answers)} --dry-run",
                         then=lambda: agree(answers))  # fmt: skip

    def agree(answers: Answers) -> None:
        effect = "What was just said goes for good: old rows are not restored, removed tables do not come back."
        question = Question("Collect?", effect, command(answers), "Collect")

        def decided(yes: bool | None) -> None:
            if yes:
                desk.perform("collect", lambda bench: _collected(bench, answers, False), command=command(answers))

        desk.app.push_screen(Confirm(question), decided)

    desk.app.push_screen(Form("Collect what no one needs", (keep, deleted), "See what would go", command), chosen)


def _collected(bench: Workbench, answers: Answers, dry_run: bool) -> str:
    kept, span = answers["keep"].strip(), answers["deleted"].strip()
    if kept and not kept.isdecimal():
        raise InvalidInput(f"{kept!r} is no number of versions.", hint="Write 3, or nothing to keep all.")
    age = clock.parse_span(span) if span else NEVER_MS
    found = gather(bench, keep=int(kept) if kept else None, age=age, dry_run=dry_run)
    entries, files = [*found.tables.versions, *found.runs.runs], found.tables.files + found.runs.files
    named = f" ({', '.join(entries[:6])}{' ...' if len(entries) > 6 else ''})" if entries else ""
    freed = human_bytes(found.tables.bytes + found.runs.bytes)
    return f"{len(entries):,} versions, tables and runs{named} and {files:,} files ({freed}) {'would go' if dry_run else 'went'}."
