"""What can be done to runs, from their list and from the page of one: every act with its command line and the way back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from mlops_tui.core.errors import AlreadyExists
from mlops_tui.domains.experiments import stopping
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.tui.widgets.writing import Writing
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.tui.screens.run_files import Entry


def named(runs: Sequence[Run]) -> str:
    """One run by its name, more by their number."""
    return (runs[0].name or runs[0].id[:8]) if len(runs) == 1 else f"{len(runs)} runs"


def _ids(runs: Sequence[Run]) -> str:
    return " ".join(one.id[:8] for one in runs[:20]) + (" ..." if len(runs) > 20 else "")


def rename(desk: Acting, run: Run) -> None:
    """Ask for another name."""

    def command(answers: Answers) -> str:
        return f"mlops runs rename {run.id[:8]} {shlex.quote(answers['name'])}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            before, name = run.name, answers["name"]
            back = Undo(command(answers), f"mlops runs rename {run.id[:8]} {shlex.quote(before)}",
                        lambda bench: f"It is called {bench.experiments.rename_run(run.id, before).name} again.")  # fmt: skip
            desk.perform("rename", lambda bench: f"It is called {bench.experiments.rename_run(run.id, name).name} now.",
                         command=command(answers), undo=back)  # fmt: skip

    desk.app.push_screen(Form(f"Rename {named([run])}", (Field("name", "Name", run.name),), "Rename", command), chosen)


def tag(desk: Acting, runs: Sequence[Run]) -> None:
    """Ask for ``key=value``; ``key=`` takes the tag away. Of many runs all get it."""
    ids = [one.id for one in runs]

    def command(answers: Answers) -> str:
        key, _, value = answers["tag"].partition("=")
        what = shlex.quote(f"{key}={value}") if value else f"--remove {shlex.quote(key)}"
        return f"mlops runs tag {_ids(runs)} {what}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            key, _, given = answers["tag"].partition("=")
            key, value = key.strip(), given.strip() or None
            before = {one.id: one.tags.get(key) for one in runs}
            back = Undo(
                command(answers), f"mlops runs tag {_ids(runs)} {key}=...", lambda bench: _retag(bench, key, before)
            )
            desk.perform("tag", lambda bench: _tagged(bench.experiments.tag_many(ids, {key: value}), key, value),
                         command=command(answers), undo=back)  # fmt: skip

    fields = (Field("tag", "Tag", placeholder="team=city; team= takes it away"),)
    desk.app.push_screen(Form(f"Tag {named(runs)}", fields, "Tag", command), chosen)


def _tagged(count: int, key: str, value: str | None) -> str:
    what = f"{key}={value}" if value is not None else f"no {key}"
    return f"{count:,} {'run has' if count == 1 else 'runs have'} {what} now."


def _retag(bench: Workbench, key: str, before: dict[str, str | None]) -> str:
    """Every run gets the value it had; runs of one value together."""
    for value in set(before.values()):
        bench.experiments.tag_many([run for run, was in before.items() if was == value], {key: value})
    return f"{key} is as it was."


def delete(desk: Acting, runs: Sequence[Run], then: Callable[[], None] | None = None) -> None:
    """Ask, then hide runs; `u` brings them back."""
    ids, command = [one.id for one in runs], f"mlops runs delete {_ids(runs)}"
    running = sum(str(one.state) == "running" for one in runs)
    still = f" {running} of them still running." if running else ""
    question = Question(f"Delete {named(runs)}?", f"Out of every list; restored with u, gone for good with mlops runs gc.{still}",
                        command, "Delete")  # fmt: skip

    def work(bench: Workbench) -> str:
        for one in ids:
            bench.experiments.delete_run(one)
        return f"Deleted {named(runs)}."

    def back(bench: Workbench) -> str:
        for one in ids:
            bench.experiments.restore_run(one)
        return f"{named(runs)} {'is' if len(runs) == 1 else 'are'} back."

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(
                "delete", work, command=command, undo=Undo(command, f"mlops runs restore {_ids(runs)}", back), then=then
            )

    desk.app.push_screen(Confirm(question), decided)


def stop(desk: Acting, run: Run) -> None:
    """Ask, then interrupt the process of a run."""
    command = f"mlops runs stop {run.id[:8]}"
    effect = f"Process {run.pid} on {run.host or 'this machine'} gets ctrl+c; the run ends as failed unless the script handles it."

    def work(bench: Workbench) -> str:
        stopping.interrupt(bench.experiments.run(run.id))
        return f"Asked process {run.pid} to stop."

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("stop", work, command=command)

    desk.app.push_screen(Confirm(Question(f"Stop {named([run])}?", effect, command, "Stop")), decided)


def register(desk: Acting, run: Run) -> None:
    """Ask for the name of the model, then make a version of what the run logged."""

    def command(answers: Answers) -> str:
        about = f" --description {shlex.quote(answers['about'])}" if answers["about"] else ""
        return f"mlops models register {answers['model']} --run {run.id[:8]} --artifact {answers['artifact']}{about}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform("register", lambda bench: _register(bench, run.id, answers), command=command(answers))

    fields = (Field("model", "Model", run.experiment), Field("artifact", "Folder in run", "model"),
              Field("about", "Description", optional=True))  # fmt: skip
    desk.app.push_screen(Form(f"Register a model from {named([run])}", fields, "Register", command), chosen)


def _register(bench: Workbench, run_id: str, answers: Answers) -> str:
    made = bench.registry.register_run(
        answers["model"], run_id, artifact=answers["artifact"], description=answers["about"]
    )
    return f"{made.ref} is registered."


# -- notes -------------------------------------------------------------------------------------------------------------


def note(desk: Acting, run: Run) -> None:
    """Write the note of a run."""
    before = run.tags.get("note", "")
    write(desk, f"Note of {named([run])}", before, lambda text: _keep_note(desk, run, before, text))


def write(desk: Acting, title: str, before: str, keep: Callable[[str | None], None]) -> None:
    """Have a text written in the user's editor; in a dialog where there is none, or no terminal to give away."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    written = _in_editor(desk, editor, before) if editor and not desk.workbench_app.read_only else None
    if written is None:
        desk.app.push_screen(Writing(title, before), keep)
    else:
        keep(written)


def _keep_note(desk: Acting, run: Run, before: str, text: str | None) -> None:
    if text is None or text.strip() == before.strip():
        return
    command = f"mlops runs note {run.id[:8]} {shlex.quote(text.strip()[:60])}"
    back = Undo(command, f"mlops runs note {run.id[:8]} ...", lambda bench: _note(bench, run.id, before))
    desk.perform("note", lambda bench: _note(bench, run.id, text), command=command, undo=back)


def _note(bench: Workbench, run_id: str, text: str) -> str:
    bench.experiments.note(run_id, text)
    return "The note is kept." if text.strip() else "There is no note now."


def _in_editor(desk: Acting, editor: str, text: str) -> str | None:
    """What the editor leaves of the text; None where it cannot be shown or says no."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "note.md"
        path.write_text(text + "\n" if text else "", encoding="utf-8")
        try:
            with desk.app.suspend():
                done = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except (SuspendNotSupported, OSError, ValueError):
            return None
        desk.app.refresh(layout=True)
        return path.read_text(encoding="utf-8", errors="replace").strip() if done.returncode == 0 else text


# -- files -------------------------------------------------------------------------------------------------------------


def save(desk: Acting, run: Run, row: Entry) -> None:
    """Ask where to, then copy a file, or all of a folder, out of the store."""

    def command(answers: Answers) -> str:
        return f"mlops runs artifacts {run.id[:8]} --get {shlex.quote(row.path)} --to {shlex.quote(answers['to'])}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            target = Path(answers["to"]).expanduser()
            desk.perform("save", lambda bench: _save(bench, run.id, row, target), command=command(answers))

    desk.app.push_screen(Form(f"Save {row.path}", (Field("to", "To folder", "."),), "Save", command), chosen)


def _save(bench: Workbench, run_id: str, row: Entry, target: Path) -> str:
    """Copies; a file that is there already is never written over. Raises AlreadyExists."""
    top = len(row.path.rpartition("/")[0]) + 1 if "/" in row.path else 0
    wanted = [
        one.path
        for one in bench.experiments.artifacts(run_id)
        if one.path == row.path or one.path.startswith(f"{row.path}/")
    ]
    places = {path: target / path[top:] for path in wanted}
    there = next((place for place in places.values() if place.exists()), None)
    if there is not None:
        raise AlreadyExists(f"{there} is there already.", hint="Choose another folder.")
    for path, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bench.experiments.artifact_file(run_id, path), place)
    return f"Saved {len(places):,} {'file' if len(places) == 1 else 'files'} in {target.resolve()}."
