"""`mlops jobs`: work that waits, runs or ran."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.attending import waiting
from mlops_tui.cli.output import emit, emit_one, follow, json_option, pass_workbench, say, why_option
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.workbench import Workbench

NO_JOBS = "No jobs yet. Run a pipeline: mlops pipelines run NAME"
NO_DAEMON = "No daemon runs, so waiting jobs stay waiting. Start it: mlops daemon start"


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
    rows: list[Any] = list(found) if as_json else [_row(workbench, job) for job in found]
    columns = [("id", "Id"), ("title", "Title"), ("state", "State"), ("progress", "Progress"), ("attempt", "Attempt")]
    columns += [("created_at", "Created"), ("took", "Took"), ("error", "Error")]
    emit(rows, columns, as_json=as_json, empty=NO_MATCH if query else NO_JOBS)
    if not as_json and any(job.state == "queued" for job in found) and not workbench.daemon_alive():
        say(NO_DAEMON)


def _row(workbench: Workbench, job: Job) -> dict[str, Any]:
    took = (job.ended_at or workbench.context.now()) - job.started_at if job.started_at else None
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "progress": _progress(job) or waiting(workbench, job),
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
    values["held_up"] = waiting(workbench, job)
    if as_json:
        emit_one({**values, "log": log, "attempts": attempts}, as_json)
        return
    emit_one({**values, "log": log, "progress": _progress(job)}, title=f"Job {job.id}: {job.title}")
    if values["held_up"]:
        say(f"Start it all the same: mlops jobs start {job_id}")
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


@jobs.command("start")
@click.argument("job_id", type=int)
@pass_workbench
def start_job(workbench: Workbench, job_id: int) -> None:
    """Start a waiting job from here at once, whatever it waits for: a resource, its turn, or a daemon.

    \b
    Example: mlops jobs start 12
    """
    job = workbench.jobs.start(job_id)
    say(f"Job {job_id} is {job.state}. Follow it: mlops jobs logs {job_id} --follow")


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


def _print(path: Path) -> bool:
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    click.echo(text, nl=False)
    return bool(text)
