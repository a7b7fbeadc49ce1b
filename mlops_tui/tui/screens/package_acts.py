"""What can be done with packages of pipelines: test, make one, put it to work, go back."""

from __future__ import annotations

from collections.abc import Callable

from mlops_tui.domains.pipelines.records import Environment
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import because
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.workbench import Workbench


def test(desk: Acting, name: str) -> None:
    """Run every step on a sample, alone and together, with contracts and the project's tests."""

    def work(bench: Workbench) -> str:
        report = bench.pipelines.test(name)
        bad = [f"{one.kind} {one.subject}: {one.detail}" for one in report.checks if not one.passed]
        return f"{name}: {len(report.checks)} checks passed." if report.passed else f"{name} failed: {'; '.join(bad)}"

    desk.perform(f"test {name}", work, command=f"mlops pipelines test {name}")


def package(desk: Acting, name: str, then: Callable[[], None]) -> None:
    """Ask why, then test the definition and put it with code, tests and lock into an immutable archive."""

    def command(answers: Answers) -> str:
        return f"mlops pipelines package {name}{because(answers)}"

    def chosen(answers: Answers | None) -> None:
        if answers is not None:
            desk.perform(f"package {name}", lambda bench: f"{bench.pipelines.package(name, answers['why']).ref} is packaged.",
                         command=command(answers), then=then)  # fmt: skip

    desk.app.push_screen(Form(f"Package {name}", (Field("why", "Why", optional=True),), "Package", command), chosen)


def deploy(desk: Acting, ref: str) -> None:
    """Ask where to; production wants the name typed. The package runs there, and its triggers are live once that worked."""
    fields = (Field("to", "To", "staging", choices=tuple(Environment)), Field("why", "Why", optional=True))
    alone = desk.workbench_app.daemon is False

    def command(answers: Answers) -> str:
        return f"mlops pipelines deploy {ref} --to {answers['to']}{because(answers)}"

    def work(bench: Workbench, answers: Answers) -> str:
        made = bench.pipelines.deploy(ref, answers["to"], answers["why"])
        if alone and made.job_id:
            bench.jobs.run_here(bench.jobs.get(made.job_id))
        return f"{ref} runs in {made.environment}; it is active there when all its steps worked."

    def chosen(answers: Answers | None) -> None:
        if answers is None:
            return
        name = ref.partition("@")[0]
        effect = (
            f"It runs in {answers['to']} now; when its steps work, its triggers replace those of what is active there."
        )
        question = Question(f"Deploy {ref} to {answers['to']}?", effect, command(answers), "Deploy",
                            name if answers["to"] == "production" else "")  # fmt: skip
        back = Undo(command(answers), f"mlops pipelines rollback {name} --to {answers['to']}",
                    lambda bench: _rolled_back(bench, name, answers["to"]), name)  # fmt: skip

        def decided(yes: bool | None) -> None:
            if yes:
                desk.perform("deploy", lambda bench: work(bench, answers), command=command(answers), undo=back)

        desk.app.push_screen(Confirm(question), decided)

    desk.app.push_screen(Form(f"Deploy {ref}", fields, "Go on", command), chosen)


def rollback(desk: Acting, name: str, environment: str) -> None:
    """Confirm, then make the package active that was so before."""
    command = f"mlops pipelines rollback {name} --to {environment}"
    question = Question(f"Roll {name} back in {environment}?", "The package that was active before is active again, with its triggers.",
                        command, "Roll back", name if environment == "production" else "")  # fmt: skip

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform("roll back", lambda bench: _rolled_back(bench, name, environment), command=command)

    desk.app.push_screen(Confirm(question), decided)


def _rolled_back(bench: Workbench, name: str, environment: str) -> str:
    made = bench.pipelines.rollback(name, environment)
    return f"{name}@{made.version} is active in {environment} again."
