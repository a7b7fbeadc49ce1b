"""The root command: nouns loaded only when used, the workspace found once, errors mapped to exit codes in one place."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from mlops_tui._version import __version__
from mlops_tui.cli.output import Session, fail
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.ids import nearest

# noun -> (where it is defined, its one line in `mlops --help`): written here so that help imports no desk.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("overview:init", "Make a workspace here or in DIR."),
    "demo": ("demo:demo", "Run the whole loop on real-looking data: ingest to drift to retraining."),
    "status": ("overview:status", "Show what runs, what waits and what needs you."),
    "doctor": ("overview:doctor", "Check the workspace, its files and this machine."),
    "why": ("overview:why", "Explain where a prediction, version, run or snapshot came from."),
    "lineage": ("lineage:lineage", "Draw what something came from and what came of it."),
    "maturity": ("maturity:maturity", "How far the life of a model is automated."),
    "backup": ("overview:backup", "Write a consistent copy of the workspace to FILE."),
    "restore": ("overview:restore", "Make a workspace out of a backup."),
    "gc": ("gc:gc", "Remove files that no one needs."),
    "tui": ("overview:tui", "Open the terminal application (also: plain `mlops`)."),
    "web": ("web:web", "The terminal application in a browser on this machine."),
    "features": ("features:features", "Feature tables: versioned snapshots and point-in-time joins."),
    "labels": ("labels:labels", "Labelling: queues of rows, agreement, suspect labels."),
    "experiments": ("experiments:experiments", "Experiments: groups of runs."),
    "runs": ("runs:runs", "Runs: parameters, metrics, artifacts."),
    "studies": ("studies:studies", "Searches for the best parameters, trial by trial."),
    "import": ("transfer:import_", "Take over runs from MLflow, TensorBoard, Weights & Biases or CSV."),
    "export": ("transfer:export", "Hand runs to MLflow or Parquet."),
    "models": ("registry:models", "Model versions, aliases, stages, promotion and rollback."),
    "pipelines": ("pipelines:pipelines", "Training pipelines: check, run, gate."),
    "schedules": ("schedules:schedules", "When pipelines run by themselves."),
    "jobs": ("jobs:jobs", "Work that waits, runs or ran."),
    "deployments": ("serving:deployments", "Models behind HTTP, traffic split over versions."),
    "tokens": ("tokens:tokens", "Who may ask the gateway, where and how often."),
    "predict": ("predicting:predict", "Ask a deployment for predictions."),
    "batch": ("batching:batch", "Predict every row of a file or a table."),
    "feedback": ("predicting:feedback", "Report what was true, by prediction id."),
    "monitors": ("monitoring:monitors", "Drift and performance of deployments."),
    "alerts": ("monitoring:alerts", "Conditions that want a person."),
    "hardware": ("hardware:hardware", "CPU, memory and GPU, now and before."),
    "audit": ("audit:audit", "Who did what, when and why."),
    "daemon": ("daemon:daemon", "The background process: schedules, jobs, serving, monitoring."),
    "secrets": ("secrets:secrets", "Passwords that belong in no settings file."),
    "serve": ("serve:serve", "Run a server in the foreground."),
}


class Nouns(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command = getattr(import_module(f"mlops_tui.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            near = nearest(args[0], COMMANDS)
            hint = f"Did you mean '{near}'?" if near else "See them all: mlops --help"
            ctx.fail(f"There is no command '{args[0]}'. {hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=Nouns, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--workspace",
    "-w",
    metavar="DIR",
    help="The project or storage folder (else $MLOPS_WORKSPACE, else the nearest parent).",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option("--utc", is_flag=True, help="Show times in UTC instead of local time.")
@click.version_option(__version__, prog_name="mlops")
@click.pass_context
def cli(ctx: click.Context, workspace: str | None, debug: bool, utc: bool) -> None:
    """The whole life of a model on one machine. Without a command: open the terminal application.

    \b
    Example: mlops init shop && cd shop && mlops demo
    """
    ctx.obj = Session(workspace=workspace, debug=debug, utc=utc)
    if ctx.invoked_subcommand is None:
        command = cli.get_command(ctx, "tui")
        assert command is not None
        ctx.invoke(command)


def main(argv: list[str] | None = None) -> None:
    """Entry point: run, and turn whatever happens into one line on stderr and an exit code."""
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        code: Any = cli.main(args=argv, prog_name="mlops", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        fail("Stopped.", "", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except WorkbenchError as error:
        if debug:
            raise
        from mlops_tui.cli.output import EXIT_CODES

        fail(error.message, error.hint, EXIT_CODES[type(error)])
    except BrokenPipeError:
        # The reader of a pipe left (`mlops runs list | head`): not an error, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if debug:
            raise
        fail(
            f"Something went wrong inside: {type(error).__name__}: {error}",
            "This is a bug. Run again with --debug to see where.",
            70,
        )


if __name__ == "__main__":
    main()
