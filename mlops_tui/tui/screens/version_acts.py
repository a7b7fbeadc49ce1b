"""What can be done to a model version, from the list and from its page: every act with its command line and the way back."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, because
from mlops_tui.tui.screens.version_facts import gate_of
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.tui.widgets.writing import Writing
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

STAGES = ("production", "staging", "archived")
FORMATS = ("container", "mlflow", "mlserver", "onnx")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """The version a page is about, the aliases of its model, and whether its request waits for somebody."""

    version: Version
    aliases: Mapping[str, int]
    open: bool


def subject(bench: Workbench, ref: str) -> Subject:
    """Read it. Raises NotFound."""
    version = bench.registry.version(ref)
    request = bench.registry.approvals.newest(version)
    return Subject(
        version, bench.registry.model(version.model).aliases, request is not None and request.state == "open"
    )


# -- promotion ---------------------------------------------------------------------------------------------------------


def promote(desk: Acting, one: Version, aliases: Mapping[str, int]) -> None:
    """Ask for the stage or alias, then confirm beside the charter; production wants the name typed."""
    choices = (*STAGES, *sorted({"challenger", *aliases} - {"champion"}))
    fields = (Field("to", "Promote to", "production", choices=choices), Field("why", "Why", optional=True))

    def command(answers: Answers) -> str:
        return f"mlops models promote {one.ref} --to {answers['to']}{because(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            after(desk, lambda bench: charter(bench, one.ref),
                   lambda said: _confirm_promotion(desk, one, answers, command(answers), said, aliases))  # fmt: skip

    desk.app.push_screen(Form(f"Promote {one.ref}", fields, "Go on", command), chosen)


def charter(bench: Workbench, ref: str) -> str:
    """Why the model exists and what it promised, with the number the gate measured for each promise; "" without one."""
    one = bench.registry.version(ref)
    lines: list[str] = []
    try:
        recipe = bench.pipelines.recipe(one.pipeline) if one.pipeline else None
    except WorkbenchError:  # the definition is gone or has mistakes now
        recipe = None
    if recipe is not None and recipe.charter.problem:
        lines.append(recipe.charter.problem)
    verdict = gate_of(bench, one)
    marks = {True: "✓", False: "✗", None: "·"}
    checks = [check for check in verdict.checks if check.name.startswith("charter")] if verdict is not None else []
    lines += [
        f"{marks[check.passed]} {check.name.partition(': ')[2] or check.name}"
        + (f"  (measured {check.value:.4g})" if check.value is not None else "")
        for check in checks
    ]
    if verdict is not None:
        lines.append(f"Gate: {str(verdict.outcome).replace('_', ' ')}, {verdict.reason}")
    needed = bench.registry.approvals.needed(one.model)
    request = bench.registry.approvals.newest(one)
    if needed:
        given = request.approvals if request is not None else 0
        lines.append(f"Approvals: {given} of {needed}")
    return "\n".join(lines)


def _confirm_promotion(
    desk: Acting, one: Version, answers: Answers, command: str, said: str, aliases: Mapping[str, int]
) -> None:
    live = answers["to"] == "production"
    effect = (
        "It becomes the champion; the version in production now is archived. Pipelines compare against it."
        if live
        else f"It becomes {answers['to']} of {one.model}."
    )
    whole = f"{effect}\n\nCharter\n{said}" if said else effect
    question = Question(f"Promote {one.ref} to {answers['to']}?", whole, command, "Promote", one.model if live else "")

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("promote", lambda bench: _promoted(bench, one.ref, answers), command=command,
                         undo=_back(one, answers["to"], command, aliases))  # fmt: skip

    desk.app.push_screen(Confirm(question), decided)


def _promoted(bench: Workbench, ref: str, answers: Answers) -> str:
    made = bench.registry.promote(ref, to=answers["to"], why=answers["why"])
    return f"{made.ref} is {answers['to']}."


def _back(one: Version, to: str, command: str, aliases: Mapping[str, int]) -> Undo | None:
    """The way back of a promotion: the earlier champion, or the earlier version of an alias."""
    model, before = one.model, aliases.get("champion" if to == "production" else to)
    if to == "production" and before and before != one.version:
        return Undo(command, f"mlops models rollback {model}",
                    lambda bench: f"Champion is {bench.registry.rollback(model).ref} again.", model)  # fmt: skip
    if to not in STAGES and before:
        return Undo(command, f"mlops models promote {model}/{before} --to {to}",
                    lambda bench: f"{bench.registry.promote(f'{model}/{before}', to=to).ref} is {to} again.")  # fmt: skip
    return None


# -- words -------------------------------------------------------------------------------------------------------------


def describe(desk: Acting, one: Version) -> None:
    """Say what a version is for; it heads the card."""

    def command(answers: Answers) -> str:
        return f"mlops models describe {one.ref} {shlex.quote(answers['text'])}"

    def set_to(bench: Workbench, text: str) -> str:
        return f"{bench.registry.describe(one.ref, text).ref}: {text or 'no description'}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            line, before = command(answers), one.description
            back = Undo(
                line, f"mlops models describe {one.ref} {shlex.quote(before)}", lambda bench: set_to(bench, before)
            )
            desk.perform("describe", lambda bench: set_to(bench, answers["text"]), command=line, undo=back)

    desk.app.push_screen(
        Form(f"What is {one.ref} for?", (Field("text", "It is for", one.description),), "Keep", command), chosen
    )


def note(desk: Acting, ref: str) -> None:
    """Write a note about a version or a model; notes are added, never changed."""

    def written(text: str | None) -> None:
        if text and text.strip():
            command = f"mlops models note {ref} {shlex.quote(text.strip()[:200])}"
            desk.perform("note", lambda bench: f"Noted about {bench.registry.note(ref, text).model}.", command=command)

    desk.app.push_screen(Writing(f"Note about {ref} (Markdown)"), written)


# -- leaving -----------------------------------------------------------------------------------------------------------


def retire(desk: Acting, one: Version, aliases: Mapping[str, int]) -> None:
    """Ask who takes its place, show what that means, archive it and write the plan down."""
    champion = aliases.get("champion")
    other = f"{one.model}@champion" if champion and champion != one.version else ""
    fields = (Field("other", "Replaced by", other, "NAME/VERSION or NAME@champion"), Field("why", "Why", optional=True))

    def command(answers: Answers) -> str:
        return f"mlops models retire {one.ref} --replacement {answers['other'] or 'REF'} --yes{because(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            after(desk, lambda bench: _changes(bench, one.ref, answers["other"]), lambda said: confirm(answers, said))

    def confirm(answers: Answers, said: str) -> None:
        effect = f"{one.ref} is archived; its package stays. The plan is noted with both versions.\n{said}"

        def yes_or_no(yes: bool | None) -> None:
            if yes:
                line, back = command(answers), None
                if str(one.stage) == "Staging":
                    back = Undo(line, f"mlops models promote {one.ref} --to staging",
                                lambda bench: f"{bench.registry.promote(one.ref, 'staging').ref} is in staging again.")  # fmt: skip
                desk.perform("retire", lambda bench: bench.serving.retire(one.ref, answers["other"], answers["why"]).plan,
                             command=line, undo=back)  # fmt: skip

        desk.app.push_screen(Confirm(Question(f"Retire {one.ref}?", effect, command(answers), "Retire")), yes_or_no)

    desk.app.push_screen(Form(f"Retire {one.ref}", fields, "Go on", command), chosen)


def _changes(bench: Workbench, ref: str, other: str) -> str:
    """What callers would have to change. Raises NotFound, InvalidInput for a replacement that is none."""
    found = bench.registry.diff(ref, other)
    changed = [item for item in found.items if item.section in {"input", "output"}]
    if not changed:
        return f"Callers of {found.right} change nothing: inputs and outputs are the same."
    return "Callers have to change: " + "; ".join(
        f"{item.section} {item.key} {item.left or 'none'} to {item.right or 'none'}" for item in changed
    )


def export(desk: Acting, one: Version) -> None:
    """Ask for format and folder, then write the version for another program."""
    place = f"{one.model}-{one.version}"
    fields = (Field("format", "Format", "container", choices=FORMATS), Field("to", "New folder", place))

    def command(answers: Answers) -> str:
        return f"mlops models export {one.ref} --format {answers['format']} --to {shlex.quote(answers['to'])}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            target = Path(answers["to"]).expanduser()
            desk.perform("export", lambda bench: bench.registry.export(one.ref, target, answers["format"]).words,
                         command=command(answers))  # fmt: skip

    desk.app.push_screen(Form(f"Export {one.ref}", fields, "Export", command), chosen)
