"""`mlops runs artifacts` and `logs`: the files of a run."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import click

from mlops_tui.cli.output import emit, emit_one, follow, json_option, pass_workbench, say
from mlops_tui.cli.runs_rows import refresh
from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.workbench import Workbench

LOG = "console.log"


@click.command("artifacts")
@click.argument("run")
@click.option("--get", "path", metavar="PATH", help="Copy this file out of the store.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to; the current folder by default.")
@json_option
@pass_workbench
def artifacts(workbench: Workbench, run: str, path: str | None, to: Path | None, as_json: bool) -> None:
    """List the files of a run, or copy one of them out.

    \b
    Example: mlops runs artifacts 3f2a --get plots/roc.png --to roc.png
    """
    refresh(workbench)
    if path is None:
        columns = [("path", "Path"), ("size", "Size"), ("logged_at", "Logged")]
        emit(workbench.experiments.artifacts(run), columns, as_json=as_json, empty="This run kept no files.")
        return
    source = workbench.experiments.artifact_file(run, path)
    target = to or Path(PurePosixPath(path).name)
    target = target / PurePosixPath(path).name if target.is_dir() else target
    _copy(source, target)
    emit_one({"path": path, "to": str(target), "size": target.stat().st_size}, as_json)


@click.command("logs")
@click.argument("run")
@click.option("--follow", "-f", "following", is_flag=True, help="Go on until the run ends.")
@pass_workbench
def logs(workbench: Workbench, run: str, following: bool) -> None:
    """Print the text logs kept with a run: what it printed, where that was captured.

    \b
    Example: mlops runs logs 3f2a --follow
    """
    refresh(workbench)
    rooms = workbench.experiments
    found = rooms.run(run)
    if following and found.state is RunState.RUNNING:

        def ended() -> bool:
            refresh(workbench)
            return rooms.run(found.id).state is not RunState.RUNNING

        follow(rooms.log_dir(found.id) / LOG, ended, poll_s=0.5)
        return
    folder = workbench.experiments.log_dir(found.id)
    found_logs = sorted(folder.glob("*.log")) if folder.is_dir() else []
    if not found_logs:
        raise NotFound(
            f"Run {found.id} kept no log.",
            hint="A script keeps one with start_run(capture_output=True), any command with: mlops runs start -- COMMAND",
        )
    for log in found_logs:
        if len(found_logs) > 1:
            say(f"== {log.name}")
        click.echo(log.read_text(errors="replace"), nl=False)


def _copy(source: Path, target: Path) -> None:
    """Never over a file that is there, never half a file."""
    if target.exists():
        raise AlreadyExists(f"{target} exists already.", hint="Name another place: --to FILE")
    staged = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, staged)
        staged.rename(target)
    except OSError as error:
        raise Unavailable(
            f"{target} could not be written: {error.strerror}.", hint="Name another place: --to FILE"
        ) from error
    finally:
        staged.unlink(missing_ok=True)
