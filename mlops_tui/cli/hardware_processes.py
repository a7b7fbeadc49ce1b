"""`mlops hardware processes`, `kill`, `nice` and `loads`: who uses the machine, for what of this workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    human_bytes,
    json_option,
    jsonable,
    pass_workbench,
    say,
    why_option,
    yes_option,
)
from mlops_tui.core import clock
from mlops_tui.core.errors import NotAllowed, NotFound, Unavailable
from mlops_tui.core.printable import clean

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Process
    from mlops_tui.workbench import Workbench

KEYS: dict[str, Callable[[Process], Any]] = {
    "cpu": lambda one: one.cpu,
    "memory": lambda one: one.memory,
    "gpu": lambda one: one.gpu_memory or 0,
    "gpu-use": lambda one: one.gpu_utilization or 0,
    "gpu-memory-use": lambda one: one.gpu_bandwidth or 0,
    "time": lambda one: one.cpu_time,
    "age": lambda one: -one.started_at,
    "threads": lambda one: one.threads,
    "pid": lambda one: -one.pid,
}
ON_GPUS = ("gpu", "gpu-use", "gpu-memory-use")
UNSAID = "not said"
LOADS = (
    ("subject", "Of"), ("cpu_percent", "CPU %"), ("memory_mb", "MB"), ("gpu_percent", "GPU %"), ("gpu_memory_mb", "GPU MB"),
    ("saturation", "Busy %"), ("rate", "Per s"), ("success_rate", "OK %"), ("p50_ms", "p50 ms"), ("p95_ms", "p95 ms"), ("p99_ms", "p99 ms"),
)  # fmt: skip
TRAFFIC_MS = 5 * clock.MINUTE


@click.command("processes")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many lines.")
@click.option(
    "--sort", type=click.Choice(list(KEYS)), default="cpu", show_default=True, help="The largest users first."
)
@click.option("--tree", "as_tree", is_flag=True, help="Each below its parent, the busiest branch first.")
@click.option("--own", is_flag=True, help="Only those of runs, jobs, deployments and the daemon of this workspace.")
@click.option("--user", metavar="NAME", help="Only those of this user.")
@click.option("--on-gpu", "gpu", type=int, metavar="INDEX", help="Only those on this GPU.")
@json_option
@pass_workbench
def processes(
    workbench: Workbench,
    limit: int,
    sort: str,
    as_tree: bool,
    own: bool,
    user: str | None,
    gpu: int | None,
    as_json: bool,
) -> None:
    """List running processes with the run, job or deployment they work for, the largest users first.

    \b
    Example: mlops hardware processes --tree --own
    """
    from mlops_tui.telemetry import owners

    found = owners.processes(workbench, own=own)
    if not as_tree:
        found = sorted((one for one in found if sort not in ON_GPUS or one.gpus), key=KEYS[sort], reverse=True)
    found = [one for one in found if user in (None, one.user) and (gpu is None or gpu in one.gpus)]
    if (sort in ON_GPUS or gpu is not None) and not found and not workbench.hardware.gpus():
        raise Unavailable(f"GPU processes cannot be read: {workbench.hardware.driver()}.", hint="mlops hardware show")
    found = found[:limit]
    if as_json:
        emit(found, [], as_json=True)
        return
    columns = [
        ("pid", "PID"),
        ("user", "User"),
        ("cpu", "CPU %"),
        ("memory", "Memory"),
        ("memory_percent", "Mem %"),
        ("gpu", "GPU"),
        ("gpu_utilization", "GPU %"),
        ("runs", "Runs"),
        ("nice", "Nice"),
    ]
    columns += [("owner", "For"), ("name", "Name"), ("command", "Command")]
    now, some = workbench.context.now(), own or user or gpu is not None
    empty = "No processes of that kind." if some else "No processes."
    emit([_row(one, as_tree, now) for one in found], columns, empty=empty)


def _row(one: Process, as_tree: bool, now: int) -> dict[str, Any]:
    gpu = ""
    if one.gpus:
        known = human_bytes(one.gpu_memory) if one.gpu_memory is not None else "hidden"
        gpu = f"{known} on {','.join(map(str, one.gpus))} ({one.gpu_kind or 'open'})"
    indent = "  " * one.depth if as_tree else ""
    whole: dict[str, Any] = jsonable(one)
    return whole | {
        "cpu": f"{one.cpu:.1f}",
        "memory": human_bytes(one.memory),
        "memory_percent": f"{one.memory_percent:.1f}",
        "runs": clock.duration(now - one.started_at),
        "gpu": gpu,
        "gpu_utilization": _share(one),
        "name": f"{indent}{one.name}",
        "command": one.command[:80],
    }


def _share(one: Process) -> str:
    return "" if not one.gpus else UNSAID if one.gpu_utilization is None else f"{one.gpu_utilization:.0f}"


@click.command("process")
@click.argument("pid", type=int)
@click.option("--environment", is_flag=True, help="What it began with, too; values that look like secrets are hidden.")
@json_option
@pass_workbench
def process(workbench: Workbench, pid: int, environment: bool, as_json: bool) -> None:
    """Show one process closely: what it took, holds, moved and works for.

    \b
    Example: mlops hardware process 4711 --environment
    """
    from mlops_tui.telemetry import owners

    one = next((each for each in owners.processes(workbench) if each.pid == pid), None)
    if one is None:
        raise NotFound(f"There is no process {pid}.", hint="mlops hardware processes")
    more = jsonable(workbench.hardware.closely(pid, environment=environment))
    if as_json:
        emit_one(jsonable(one) | more, True)
        return
    began = more.pop("environment")
    shown = {name: value for name, value in more.items() if value not in (None, "") and name != "pid"}
    shown |= {name: human_bytes(shown[name]) for name in ("virtual", "shared", "read", "written") if name in shown}
    row = _row(one, False, workbench.context.now())
    first = (
        "owner",
        "user",
        "state",
        "cpu",
        "memory",
        "memory_percent",
        "gpu",
        "gpu_utilization",
        "threads",
        "nice",
        "runs",
        "parent",
    )
    emit_one(
        {name: row[name] for name in first if row[name] not in (None, "")} | shown | {"command": one.command}, False
    )
    if environment and began is None:
        raise NotAllowed(f"The environment of process {pid} is not ours to see.", hint="Ask who started it.")
    for name, value in (began or {}).items():
        say(f"{name}={clean(value)}")


@click.command("kill")
@click.argument("pid", type=int)
@click.option("--signal", "name", type=click.Choice(["term", "int", "kill", "stop", "cont"]), default="term", show_default=True,
              help="term asks it to end, kill ends it, stop and cont hold it and let it go on.")  # fmt: skip
@click.option("--tree", "whole", is_flag=True, help="All processes below it, too.")
@why_option
@yes_option
@json_option
@pass_workbench
def kill(workbench: Workbench, pid: int, name: str, whole: bool, why: str, yes: bool, as_json: bool) -> None:
    """Send a signal to a process of a run or job of this workspace.

    A whole job is better ended by `mlops jobs cancel`, which also says so in its record.

    \b
    Example: mlops hardware kill 4711 --signal kill --tree --yes
    """
    from mlops_tui.telemetry import owners

    confirm(f"Send {name.upper()} to process {pid}{' and all below it' if whole else ''}?", yes=yes)
    _said(owners.send(workbench, pid, name, whole=whole, why=why), pid, as_json)


@click.command("nice", context_settings={"ignore_unknown_options": True})
@click.argument("pid", type=int)
@click.argument("niceness", type=int)
@why_option
@yes_option
@json_option
@pass_workbench
def nice(workbench: Workbench, pid: int, niceness: int, why: str, yes: bool, as_json: bool) -> None:
    """Give a process of a run or job another niceness: 19 waits for everybody else, 0 is normal.

    \b
    Example: mlops hardware nice 4711 10 --yes
    """
    from mlops_tui.telemetry import owners

    confirm(f"Give process {pid} niceness {niceness}?", yes=yes)
    _said(owners.renice(workbench, pid, niceness, why=why), pid, as_json)


def _said(text: str, pid: int, as_json: bool) -> None:
    if as_json:
        emit_one({"pid": pid, "done": text}, True)
    else:
        say(text)


@click.command("loads")
@click.option("--kind", type=click.Choice(["deployment", "run", "job"]), help="Only of these.")
@json_option
@pass_workbench
def loads(workbench: Workbench, kind: str | None, as_json: bool) -> None:
    """Show what each deployment, run and job takes of the machine now, deployments with their last five minutes of traffic.

    \b
    Example: mlops hardware loads --kind deployment
    """
    found = []
    now = workbench.context.now()
    for subject in workbench.hardware.loads(kind or ""):
        values: dict[str, Any] = dict(workbench.hardware.load(subject))
        if not values:
            continue  # it is over
        if subject.startswith("deployment "):
            stats = workbench.serving.stats(subject.partition(" ")[2], now - TRAFFIC_MS)
            ok = 100 * (1 - stats.errors / stats.requests) if stats.requests else None
            values |= {"rate": stats.rate, "requests": stats.requests, "errors": stats.errors, "success_rate": ok}
            values |= {"p50_ms": stats.p50_ms, "p95_ms": stats.p95_ms, "p99_ms": stats.p99_ms}
        found.append({"subject": subject} | values)
    rows = [
        {name: round(one[name], 1) if isinstance(one.get(name), float) else one.get(name) for name, _ in LOADS}
        for one in found
    ]
    empty = "Nothing runs that the daemon has looked at. It does every ten seconds: mlops daemon status"
    emit(found if as_json else rows, LOADS, as_json=as_json, empty=empty)
