"""`mlops jobs`, `mlops audit` and `mlops daemon`: what works, what was done, and the process behind it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, follow, human_bytes, json_option, pass_workbench, say, why_option
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.workbench import Workbench

NO_JOBS = "No jobs yet. Run a pipeline: mlops pipelines run NAME"
NO_DAEMON = "No daemon runs, so waiting jobs stay waiting. Start it: mlops daemon start"


# -- jobs ----------------------------------------------------------------------------------------------------------------


@click.group()
def jobs() -> None:
    """Work that waits, runs or ran.

    \b
    Example: mlops jobs list
    """


@jobs.command("list")
@click.option("--state", metavar="STATE", help="Only jobs in that state: queued, running, failed, ...")
@click.option("--kind", metavar="KIND", help="Only jobs of that kind: pipeline, ingest, ...")
@click.option("--all", "everything", is_flag=True, help="Also the daemon's own upkeep.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
@query_options("jobs")
def list_jobs(
    workbench: Workbench, state: str | None, kind: str | None, everything: bool, limit: int, as_json: bool, query: str
) -> None:
    """List jobs, newest first, all or those that meet a query.

    \b
    Example: mlops jobs list 'state:failed created>2d'
    """
    upkeep = None if everything else False
    found = workbench.jobs.list(state=state, kind=kind, internal=upkeep, limit=limit, query=query)
    rows: list[Any] = list(found) if as_json else [_row(job, workbench.context.now()) for job in found]
    columns = [("id", "Id"), ("title", "Title"), ("state", "State"), ("progress", "Progress"), ("attempt", "Attempt")]
    columns += [("created_at", "Created"), ("took", "Took"), ("error", "Error")]
    emit(rows, columns, as_json=as_json, empty=NO_MATCH if query else NO_JOBS)
    if not as_json and any(job.state == "queued" for job in found) and not workbench.daemon_alive():
        say(NO_DAEMON)


def _row(job: Job, now: int) -> dict[str, Any]:
    took = (job.ended_at or now) - job.started_at if job.started_at else None
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "progress": _progress(job),
        "attempt": job.attempt,
        "created_at": job.created_at,
        "took": clock.duration(took),
        "error": job.error,
    }


def _progress(job: Job) -> str:
    done, total = job.progress.done, job.progress.total
    share = f"{done / total:.0%}" if total else str(done) if done else ""
    return " ".join(part for part in (share, job.progress.note) if part)


@jobs.command("show")
@click.argument("job_id", type=int)
@json_option
@pass_workbench
def show_job(workbench: Workbench, job_id: int, as_json: bool) -> None:
    """Show one job with its attempts, result and error.

    \b
    Example: mlops jobs show 12
    """
    job = workbench.jobs.get(job_id)
    attempts = workbench.jobs.attempts(job_id)
    values = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    log = str(workbench.jobs.log_path(job_id))
    if as_json:
        emit_one({**values, "log": log, "attempts": attempts}, as_json)
        return
    emit_one({**values, "log": log, "progress": _progress(job)}, title=f"Job {job.id}: {job.title}")
    if attempts:
        click.echo()
        columns = [("attempt", "Attempt"), ("state", "State"), ("started_at", "Started"), ("ended_at", "Ended")]
        emit(attempts, [*columns, ("error", "Error")])


@jobs.command("logs")
@click.argument("job_id", type=int)
@click.option("--follow", "-f", "keep_on", is_flag=True, help="Go on printing until the job ends.")
@pass_workbench
def job_logs(workbench: Workbench, job_id: int, keep_on: bool) -> None:
    """Print what a job wrote in its newest attempt.

    \b
    Example: mlops jobs logs 12 --follow
    """
    room = workbench.jobs
    path = room.log_path(job_id)
    _print(path.with_name("log.old.txt"))
    if keep_on:
        follow(path, lambda: not room.get(job_id).state.pending)
        job = room.get(job_id)
        say(f"Job {job_id} {job.state}. {job.error}".rstrip())
    elif not _print(path):
        say(f"Job {job_id} has not written anything yet.")


@jobs.command("cancel")
@click.argument("job_id", type=int)
@why_option
@pass_workbench
def cancel_job(workbench: Workbench, job_id: int, why: str) -> None:
    """End a waiting or running job with everything it started.

    \b
    Example: mlops jobs cancel 12 --why "wrong table"
    """
    job = workbench.jobs.cancel(job_id, why)
    say(f"Job {job_id} is {job.state}.")


@jobs.command("retry")
@click.argument("job_id", type=int)
@why_option
@pass_workbench
def retry_job(workbench: Workbench, job_id: int, why: str) -> None:
    """Queue a failed, cancelled or lost job once more.

    \b
    Example: mlops jobs retry 12
    """
    workbench.jobs.retry(job_id, why)
    say(f"Job {job_id} waits for its next attempt.")
    if not workbench.daemon_alive():
        say(NO_DAEMON)


# -- audit ---------------------------------------------------------------------------------------------------------------


@click.group()
def audit() -> None:
    """Who did what, when and why.

    \b
    Example: mlops audit list
    """


@audit.command("list")
@click.option("--kind", metavar="KIND", help="Only changes of that kind of thing: model, deployment, job, ...")
@click.option("--name", metavar="NAME", help="Only changes of the thing of that name.")
@click.option("--actor", metavar="NAME", help="Only changes by that person or process.")
@click.option("--since", metavar="TIME", help="Only changes since then: 7d, or 2026-11-01.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
def list_audit(
    workbench: Workbench,
    kind: str | None,
    name: str | None,
    actor: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List changes, newest first.

    \b
    Example: mlops audit list --kind model --since 7d
    """
    begin = clock.parse_time(since, now=workbench.context.now()) if since else None
    entries = workbench.audit.list(limit=limit, kind=kind, name=name, actor=actor, since=begin)
    columns = [("id", "Id"), ("at", "At"), ("actor", "Actor"), ("verb", "Verb"), ("kind", "Kind"), ("name", "Name")]
    emit(entries, [*columns, ("why", "Why")], as_json=as_json, empty="No changes yet.")


@audit.command("show")
@click.argument("entry_id", type=int)
@json_option
@pass_workbench
def show_audit(workbench: Workbench, entry_id: int, as_json: bool) -> None:
    """Show one change with the values before and after it.

    \b
    Example: mlops audit show 3
    """
    emit_one(workbench.audit.get(entry_id), as_json)


@audit.command("verify")
@json_option
@pass_workbench
def verify_audit(workbench: Workbench, as_json: bool) -> None:
    """Prove that nobody edited the trail; exit code 1 if somebody did.

    \b
    Example: mlops audit verify
    """
    result = workbench.audit.verify()
    if as_json:
        emit_one(result, as_json)
    elif result.ok:
        say(f"The chain of {result.checked} entries is whole.")
    else:
        say(f"The trail was changed: entry {result.first_bad}. {result.reason}")
    if not result.ok:
        raise click.exceptions.Exit(1)


# -- daemon --------------------------------------------------------------------------------------------------------------


@click.group()
def daemon() -> None:
    """The background process: schedules, jobs, serving, monitoring.

    \b
    Example: mlops daemon start
    """


@daemon.command("start")
@pass_workbench
def start_daemon(workbench: Workbench) -> None:
    """Start the daemon and return when it works.

    \b
    Example: mlops daemon start
    """
    from mlops_tui import daemon as control  # only these commands know the process

    status = control.start(workbench.workspace)
    say(f"The daemon runs (pid {status.pid}).")


@daemon.command("stop")
@pass_workbench
def stop_daemon(workbench: Workbench) -> None:
    """Stop the daemon and the gateway; running jobs go on and are found again.

    \b
    Example: mlops daemon stop
    """
    from mlops_tui import daemon as control

    control.stop(workbench.workspace)
    say("The daemon has stopped.")


@daemon.command("status")
@json_option
@pass_workbench
def daemon_status(workbench: Workbench, as_json: bool) -> None:
    """Show whether the daemon runs; exit code 1 when it does not.

    \b
    Example: mlops daemon status --json
    """
    from mlops_tui import daemon as control

    status = control.status(workbench.workspace)
    if as_json:
        emit_one(status, as_json)
    elif status.running:
        age = clock.ago(status.started_at, workbench.context.now())
        click.echo(f"Running (pid {status.pid}), started {age}, {human_bytes(status.memory_bytes)} of memory.")
        click.echo(f"Gateway: {f'pid {status.gateway_pid}' if status.gateway_pid else 'not running'}.")
    else:
        click.echo("Not running.")
    if not status.running:
        raise click.exceptions.Exit(1)


@daemon.command("run")
@pass_workbench
def run_daemon(workbench: Workbench) -> None:
    """Be the daemon in the foreground until Ctrl-C.

    \b
    Example: mlops daemon run
    """
    from mlops_tui import daemon as control

    control.run(workbench.workspace)


@daemon.command("install")
@pass_workbench
def install_daemon(workbench: Workbench) -> None:
    """Install the daemon as a systemd service of yours and start it.

    \b
    Example: mlops daemon install
    """
    from mlops_tui import daemon as control

    installed = control.install(workbench.workspace)
    say(f"Wrote {installed.path}." + (" The service runs." if installed.active else ""))
    say(installed.hint)


@daemon.command("uninstall")
@pass_workbench
def uninstall_daemon(workbench: Workbench) -> None:
    """Stop the systemd service and delete it.

    \b
    Example: mlops daemon uninstall
    """
    from mlops_tui import daemon as control

    say(f"Deleted {control.uninstall(workbench.workspace).path}.")


@daemon.command("logs")
@click.option("--follow", "-f", "keep_on", is_flag=True, help="Go on printing until the daemon stops.")
@click.option(
    "--lines", "-n", default=100, show_default=True, type=click.IntRange(1), help="How many of the last lines."
)
@pass_workbench
def daemon_logs(workbench: Workbench, keep_on: bool, lines: int) -> None:
    """Print the daemon's log.

    \b
    Example: mlops daemon logs --follow
    """
    from mlops_tui import daemon as control

    path = control.log_path(workbench.workspace)
    if keep_on:
        follow(path, lambda: not workbench.daemon_alive())
    elif path.exists():
        click.echo("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]))
    else:
        say("The daemon has never run here. Start it: mlops daemon start")


def _print(path: Path) -> bool:
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    click.echo(text, nl=False)
    return bool(text)
