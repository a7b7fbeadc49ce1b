"""What can be done about the approval of a version: ask for it, decide, and say how many have to agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui import questions
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens import version_acts
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, because
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Request, Version

VERDICTS = ("approve", "approve and promote", "refuse", "withdraw")


def ask(desk: Acting, one: Version) -> None:
    """Ask others to approve a version for production."""

    def command(answers: Answers) -> str:
        return f"mlops models ask {one.ref}{because(answers)}"

    def work(bench: Workbench, why: str) -> str:
        found = bench.registry.approvals.ask(bench.registry.version(one.ref), why)
        return (
            f"{found.ref} waits for {max(1, found.needed)} to agree."
            if found.state == "open"
            else f"It is {found.state}."
        )

    def back(bench: Workbench) -> str:
        return f"The request is {bench.registry.approvals.withdraw(bench.registry.version(one.ref)).state}."

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            line = command(answers)
            desk.perform("ask", lambda bench: work(bench, answers["why"]), command=line,
                         undo=Undo(line, f"mlops models withdraw {one.ref}", back))  # fmt: skip

    desk.app.push_screen(Form(f"Ask for {one.ref} to go to production", (Field("why", "Why"),), "Ask", command), chosen)


def decide(desk: Acting, one: Version | Request) -> None:
    """Say yes or no to the request of a version; promoting besides wants the name typed."""
    fields = (Field("say", "Decision", "approve", choices=VERDICTS), Field("why", "Reason"))

    def command(answers: Answers) -> str:
        verb, _, also = answers["say"].partition(" and ")
        return f"mlops models {verb} {one.ref}{' --promote' if also else ''}{because(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        line = command(answers)
        if "promote" not in answers["say"]:
            desk.perform("decide", lambda bench: decided(bench, one.ref, answers), command=line)
            return
        after(desk, lambda bench: version_acts.charter(bench, one.ref), lambda said: confirm(answers, line, said))

    def confirm(answers: Answers, line: str, said: str) -> None:
        effect = "With the last approval needed it becomes the champion; the version in production is archived. "
        effect += "Where a pipeline's run waits for it, that deploys it first."
        whole = f"{effect}\n\nCharter\n{said}" if said else effect

        def yes_or_no(yes: bool | None) -> None:
            if yes:
                desk.perform("decide", lambda bench: decided(bench, one.ref, answers), command=line)

        desk.app.push_screen(
            Confirm(Question(f"Approve and promote {one.ref}?", whole, line, "Promote", one.model)), yes_or_no
        )

    desk.app.push_screen(Form(f"Decide about {one.ref}", fields, "Say so", command), chosen)


def decided(bench: Workbench, ref: str, answers: Answers) -> str:
    """Carry a decision out, as `mlops models approve|refuse|withdraw` does."""
    version, approvals = bench.registry.version(ref), bench.registry.approvals
    verb, _, also = answers["say"].partition(" and ")
    if verb == "approve":
        return questions.approve(bench, ref, answers["why"], promote=bool(also))[1]
    found = {"refuse": approvals.refuse, "withdraw": approvals.withdraw}[verb](version, answers["why"])
    return f"{ref}: {found.state}, {found.approvals} of {max(1, found.needed)} agreed."


def require(desk: Acting, model: str) -> None:
    """Ask how many other people have to agree before a version of the model goes to production."""
    fields = (Field("count", "Approvals", "1", choices=("0", "1", "2", "3")), Field("why", "Why", optional=True))

    def command(answers: Answers) -> str:
        return f"mlops models require {model} --approvals {answers['count']}{because(answers)}"

    def set_to(bench: Workbench, count: int, why: str) -> str:
        return f"{bench.registry.approvals.require(model, count, why)} needed before {model} goes to production."

    def confirm(answers: Answers, before: int) -> None:
        back = Undo(
            command(answers),
            f"mlops models require {model} --approvals {before}",
            lambda bench: set_to(bench, before, ""),
        )
        desk.perform("require", lambda bench: set_to(bench, int(answers["count"]), answers["why"]),
                     command=command(answers), undo=back)  # fmt: skip

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            after(desk, lambda bench: bench.registry.approvals.needed(model), lambda before: confirm(answers, before))

    desk.app.push_screen(Form(f"Who has to agree for {model}", fields, "Require", command), chosen)
