"""The whole workspace at once: init, status, doctor, why, backup, and the terminal application."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import plotting, reasons
from mlops_tui.cli.output import Session, emit, human_bytes, json_option, jsonable, pass_workbench, say
from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, Unavailable, WorkbenchError
from mlops_tui.core.workspace import Workspace

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a workspace: FOLDER/storage for the data and FOLDER/pipelines for definitions.

    \b
    Example: mlops init shop
    """
    workspace = Workspace.create(folder)
    click.echo(f"Made the workspace {workspace.root}")
    say("Next: mlops features create NAME --key COLUMN, or look around with the sample data: mlops demo")


@click.command()
@plotting.plot_options
@json_option
@pass_workbench
def status(workbench: Workbench, as_plot: bool, as_ascii: bool, as_json: bool) -> None:
    """Show what runs, what waits and what needs you.

    \b
    Example: mlops status --plot
    """
    plotting.alone(as_plot, as_json)
    summary = workbench_status(workbench)
    if as_json:
        click.echo(json.dumps(jsonable(summary), ensure_ascii=False, indent=2))
        return
    click.echo(f"Workspace    {summary['workspace']}")
    click.echo(f"Daemon       {'running' if summary['daemon'] else 'not running (start it: mlops daemon start)'}")
    counts = summary["counts"]
    click.echo(f"Holds        {counts['tables']} feature tables, {counts['runs']} runs, {counts['models']} models")
    for name, rows, columns in (
        (
            "Deployments",
            summary["deployments"],
            [("name", "Deployment"), ("state", "State"), ("versions", "Versions"), ("detail", "Detail")],
        ),
        ("Jobs", summary["jobs"], [("id", "Job"), ("title", "What"), ("state", "State"), ("created_at", "Since")]),
        (
            "Alerts",
            summary["alerts"],
            [("id", "Alert"), ("severity", "Severity"), ("title", "What"), ("last_at", "Last")],
        ),
        ("Next", summary["next"], [("schedule", "Schedule"), ("due_at", "Due")]),
    ):
        if rows:
            click.echo(f"\n{name}")
            emit(rows, columns)
    if as_plot:
        draw = plotting.pictures().overview
        click.echo()
        plotting.show(lambda on: draw(workbench, on), ascii_only=as_ascii)


def workbench_status(workbench: Workbench) -> dict[str, Any]:
    """What `status` shows: daemon, counts, deployments, unfinished jobs, open alerts, coming fires."""
    deployments = workbench.serving.list()
    jobs = [job for job in workbench.jobs.list(limit=50) if job.state in ("queued", "claimed", "running")]
    coming: list[dict[str, Any]] = []
    for schedule in workbench.schedules.list():
        coming += [{"schedule": schedule.name, "due_at": due} for due in workbench.schedules.next(schedule.name, 1)]
    return {
        "workspace": str(workbench.workspace.root),
        "daemon": workbench.daemon_alive(),
        "counts": {
            "tables": len(workbench.features.list()),
            "runs": sum(experiment.runs for experiment in workbench.experiments.list()),
            "models": len(workbench.registry.models()),
        },
        "deployments": [
            {
                "name": d.name,
                "state": d.state,
                "versions": [f"v{r.version} {r.weight:g}%" for r in d.versions],
                "detail": d.detail,
            }
            for d in deployments
        ],
        "jobs": [{"id": j.id, "title": j.title, "state": j.state, "created_at": j.created_at} for j in jobs],
        "alerts": [
            {"id": a.id, "severity": a.severity, "title": a.title, "last_at": a.last_at}
            for a in workbench.alerts.list(state="open")
        ],
        "next": sorted(coming, key=lambda fire: fire["due_at"])[:5],
    }


@click.command()
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> None:
    """Check the workspace, its files and this machine; exit code 1 when something needs a hand.

    \b
    Example: mlops doctor
    """
    findings = examine(session.workbench)
    emit(findings, [("ok", "OK"), ("what", "What"), ("detail", "Detail")], as_json=as_json)
    if not all(finding["ok"] for finding in findings):
        raise click.exceptions.Exit(1)


def examine(workbench: Workbench) -> list[dict[str, Any]]:
    """Each check as {ok, what, detail}."""
    import shutil

    context = workbench.context
    found: list[dict[str, Any]] = []

    def add(ok: bool, what: str, detail: str) -> None:
        found.append({"ok": ok, "what": what, "detail": detail})

    add(sys.version_info >= (3, 11), "python", sys.version.split()[0])
    add(True, "sqlite", context.sqlite_note())
    for database in (context.catalog, context.metrics, context.telemetry):
        problems = database.check()
        size = database.path.stat().st_size if database.path.exists() else 0
        add(not problems, database.path.name, human_bytes(size) if not problems else "; ".join(problems[:3]))
    add(*_trail(workbench))
    free = shutil.disk_usage(workbench.workspace.root).free
    add(free > 1e9, "free disk", human_bytes(free))
    add(os.access(workbench.workspace.root, os.W_OK), "writable", str(workbench.workspace.root))
    removed = context.lake.sweep_staging()
    add(True, "staging", f"removed {len(removed)} half-written files of dead processes" if removed else "clean")
    add(True, "daemon", "running" if workbench.daemon_alive() else "not running")
    add(True, "gpu", workbench.hardware.driver())
    return found


def _trail(workbench: Workbench) -> tuple[bool, str, str]:
    try:
        trail = workbench.audit.verify()
    except WorkbenchError as error:
        return False, "audit trail", error.message
    return trail.ok, "audit trail", f"{trail.checked} entries" if trail.ok else trail.reason


@click.command()
@click.argument("reference")
@click.option("--quick", is_flag=True, help="Only where it came from: no model is loaded for the reasons of an answer.")
@json_option
@pass_workbench
def why(workbench: Workbench, reference: str, quick: bool, as_json: bool) -> None:
    """Explain where REFERENCE came from: a prediction id, MODEL/VERSION, a run, or TABLE@VERSION, down to commit and rows.

    Of a prediction also what each input added to the answer, and the rows of training nearest to it.

    \b
    Example: mlops why p019a2b3c4d5e6f708192a3b4
    """
    items = workbench.why(reference)
    explained = None if quick or items[0].kind != "prediction" else reasons.asked(workbench, items[0].name)
    if as_json:
        if explained is not None:
            items[0].facts["reasons"] = jsonable(explained)
        click.echo(json.dumps(jsonable(items), ensure_ascii=False, indent=2))
        return
    for depth, item in enumerate(items):
        click.echo("   " * depth + ("└─ " if depth else "") + click.style(f"{item.kind} {item.name}", bold=True))
        for name, value in item.facts.items():
            click.echo("   " * (depth + 1) + f"{name}: {value}")
    if explained is not None:
        reasons.tell(explained)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@pass_workbench
def backup(workbench: Workbench, file: Path) -> None:
    """Write one consistent archive of the workspace to FILE (.tar) while everything keeps running.

    \b
    Example: mlops backup /mnt/disk/shop-2026-11-21.tar
    """
    if file.exists():
        raise InvalidInput(f"{file} exists.", hint="Name a new file; a backup never replaces another.")
    size = workbench.backup(file)
    click.echo(f"Wrote {file} ({human_bytes(size)})")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "folder", default=".", type=click.Path(path_type=Path), help="The project folder to make.")
def restore(file: Path, folder: Path) -> None:
    """Make a workspace out of a backup, in a folder that has none.

    \b
    Example: mlops restore shop-2026-11-21.tar --to shop
    """
    from mlops_tui.archive import restore as unpack

    click.echo(f"Restored {unpack(file, folder).root}")


@click.command()
@click.argument("where", default="")
@click.option("--read-only", is_flag=True, help="Look only: every action is off.")
@click.option("--utc", is_flag=True, help="Show times in UTC instead of local time.")
@click.option("--no-color", is_flag=True, help="No colour at all, as with NO_COLOR=1.")
@click.option("--ascii", "as_ascii", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--plain-driver", is_flag=True, help="Send whole widgets instead of changed cells.")
@click.pass_obj
def tui(
    session: Session,
    where: str,
    read_only: bool,
    utc: bool,
    no_color: bool,
    as_ascii: bool,
    no_mouse: bool,
    plain_driver: bool,
) -> None:
    """Open the terminal application, at WHERE if given: a desk, a part (`alerts`), or an object (`run/3f2`, `model/churn`).

    \b
    Example: mlops tui deployment/bike-demand
    """
    workspace = Workspace.find(session.workspace)
    if "TEXTUAL_DRIVER" not in os.environ:  # with one, such as that of `mlops web`, there is no terminal to look at
        _need_terminal()
    from mlops_tui.tui import modes
    from mlops_tui.tui.opening import run

    modes.ask(os.environ, no_color=no_color, ascii=as_ascii, plain_driver=plain_driver, no_mouse=no_mouse)
    code = run(workspace.root, screen=where or None, read_only=read_only, utc=utc or session.utc)
    if code:
        raise click.exceptions.Exit(code)


def _need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Unavailable(
            "The application needs a terminal, and there is none here.",
            hint="Without one: mlops status, or any command with --json.",
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise Unavailable(
            "This terminal (TERM=dumb) cannot draw.",
            hint="Set TERM, for example TERM=xterm-256color, or use mlops status.",
        )


def since(text: str | None) -> int | None:
    """An optional `--since` value in ms."""
    return clock.parse_time(text) if text else None
