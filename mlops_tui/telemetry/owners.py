"""Whose a process is: the run, job or deployment of this workspace it works for; and ending or slowing those of runs and jobs."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import identity, locks
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.processes import load_identity
from mlops_tui.domains.hardware.records import Process

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

SIGNALS = {
    "term": signal.SIGTERM,
    "int": signal.SIGINT,
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "cont": signal.SIGCONT,
}
OWN = ("run", "job")
"""What may be ended or slowed from here."""
_JOBS = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """A thing of this workspace and the processes it began with; all below them are its own, too.

    A deployment says how many `workers` it has and how often they were begun again.
    """

    kind: str
    name: str
    roots: tuple[int, ...]
    workers: int = 0
    restarts: int = 0

    @property
    def title(self) -> str:
        """`deployment churn`, as series and lists name it."""
        return f"{self.kind} {self.name}".strip()


def owners(bench: Workbench) -> list[Owner]:
    """Who has processes here now: the daemon, the gateway, deployments, jobs, runs; those of other machines are not among them."""
    running = bench.jobs.list(state="running", internal=None, limit=_JOBS)
    jobs = [(one, identity.Identity(one.pid, one.pid_started or 0, one.boot or "")) for one in running if one.pid]
    return [
        *_servers(bench),
        *_deployments(bench),
        *(Owner("job", str(one.id), (who.pid,)) for one, who in jobs if identity.is_alive(who)),
        *(Owner("run", one, (who.pid,)) for one, who in bench.experiments.processes() if identity.is_alive(who)),
    ]


def assign(parents: Mapping[int, int], known: Iterable[Owner]) -> dict[int, Owner]:
    """The owner of every process that has one, by process: the nearest above it in the tree. `parents` is parent by process."""
    roots = {pid: owner for owner in known for pid in owner.roots}
    found: dict[int, Owner | None] = {}
    for pid in parents:
        path: list[int] = []
        at = pid
        while at not in found and at not in roots and at in parents and at not in path:
            path.append(at)
            at = parents[at]
        owner = roots.get(at) or found.get(at)
        found |= dict.fromkeys((*path, pid), owner)
    return {pid: owner for pid, owner in found.items() if owner is not None}


def tree(found: Sequence[Process], known: Sequence[Owner], *, own: bool = False) -> list[Process]:
    """Processes as a tree, each below its parent with its owner, the busiest branch first; with `own` only those of the workspace."""
    owner = assign({one.pid: one.parent for one in found}, known)
    named = {one.pid: one for one in found if one.pid in owner or not own}
    below: dict[int, list[Process]] = {}
    for one in named.values():
        below.setdefault(one.parent if one.parent in named and one.parent != one.pid else 0, []).append(one)
    weight: dict[int, float] = {}

    def weigh(one: Process) -> float:
        weight[one.pid] = one.cpu + sum(weigh(child) for child in below.get(one.pid, ()))
        return weight[one.pid]

    for top in below.get(0, ()):
        weigh(top)
    out: list[Process] = []
    waiting = [(0, one) for one in sorted(below.get(0, ()), key=lambda one: (weight[one.pid], -one.pid))]
    while waiting:
        depth, one = waiting.pop()
        whose = owner[one.pid].title if one.pid in owner else ""
        out.append(dataclasses.replace(one, depth=depth, owner=whose) if depth or whose else one)
        children = sorted(below.get(one.pid, ()), key=lambda one: (weight[one.pid], -one.pid))
        waiting += [(depth + 1, child) for child in children]
    return out


def processes(bench: Workbench, *, own: bool = False) -> list[Process]:
    """The processes of this machine as a tree, with whose they are."""
    return tree(bench.hardware.processes(), owners(bench), own=own)


def send(bench: Workbench, pid: int, name: str = "term", *, whole: bool = False, why: str = "") -> str:
    """Send a signal (term, int, kill, stop, cont) to a process of a run or job, with `whole` to all below it; what was done.

    Raises NotFound for a process that is gone, NotAllowed for one of anything else, InvalidInput for another signal.
    """
    if name not in SIGNALS:
        raise InvalidInput(f"There is no signal '{name}' here.", hint=f"One of: {', '.join(SIGNALS)}")
    owner, found = _own(bench, pid)
    wanted = [one.pid for one in found if one.pid == pid or (whole and pid in _above(one.pid, found))]
    _note(bench, name, pid, owner, why, {"processes": len(wanted)})
    done = [one for one in wanted if _sent(one, SIGNALS[name])]
    more = f" and {len(done) - 1} below it" if len(done) > 1 else ""
    return f"Sent {name.upper()} to process {pid}{more} of {owner.title}."


def renice(bench: Workbench, pid: int, nice: int, why: str = "") -> str:
    """Give a process of a run or job another niceness, -20 (first) to 19 (last); what was done.

    Raises NotFound, NotAllowed (not of a run or job; lower than it is now without the right to), InvalidInput.
    """
    if not -20 <= nice <= 19:
        raise InvalidInput(f"There is no niceness {nice}.", hint="From -20 (first) to 19 (last).")
    owner, found = _own(bench, pid)
    before = next(one.nice for one in found if one.pid == pid)
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    except ProcessLookupError:
        raise NotFound(f"There is no process {pid} any more.", hint="mlops hardware processes") from None
    except PermissionError:
        hint = "Without the rights of root a process can only become nicer."
        raise NotAllowed(f"Process {pid} cannot go from {before} to {nice}.", hint=hint) from None
    _note(bench, "nice", pid, owner, why, {"before": before, "nice": nice})
    return f"Process {pid} of {owner.title} went from niceness {before} to {nice}."


def _own(bench: Workbench, pid: int) -> tuple[Owner, list[Process]]:
    """The run or job a process is of, and all processes; the reason otherwise."""
    found = bench.hardware.processes()
    if pid not in {one.pid for one in found}:
        raise NotFound(f"There is no process {pid}.", hint="mlops hardware processes")
    owner = assign({one.pid: one.parent for one in found}, owners(bench)).get(pid)
    if owner is None:
        raise NotAllowed(
            f"Process {pid} is not of this workspace.", hint=f"What is not ours is ended in a shell: kill {pid}"
        )
    if owner.kind not in OWN:
        ways = {
            "deployment": f"mlops deployments stop {owner.name}",
            "daemon": "mlops daemon stop",
            "gateway": "mlops daemon stop",
        }
        raise NotAllowed(f"Process {pid} is of {owner.title}, which would begin it again.", hint=ways[owner.kind])
    return owner, found


def _above(pid: int, found: Sequence[Process]) -> list[int]:
    """The parents of a process, nearest first."""
    parents, above = {one.pid: one.parent for one in found}, []
    while (pid := parents.get(pid, 0)) and pid not in above:
        above.append(pid)
    return above


def _sent(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False  # it ended meanwhile: nothing is left to be done
    except PermissionError:
        raise NotAllowed(f"Process {pid} is of another user.", hint="Ask who started it.") from None
    return True


def _note(bench: Workbench, verb: str, pid: int, owner: Owner, why: str, facts: dict[str, object]) -> None:
    with bench.context.catalog.write() as tx:
        bench.audit.note(tx, verb, owner.kind, owner.name, why=why, after={"pid": pid, **facts})


def _servers(bench: Workbench) -> list[Owner]:
    found = []
    workspace = bench.workspace
    daemon = load_identity(workspace.run / "daemon.json") if locks.held(workspace.daemon_lock) else None
    if daemon is not None:
        found.append(Owner("daemon", "", (daemon.pid,)))
    if (gateway := bench.serving.gateway()) is not None:
        found.append(Owner("gateway", "", (gateway.pid,)))
    return found


def _deployments(bench: Workbench) -> list[Owner]:
    workers = bench.serving.workers()
    found = []
    for one in bench.serving.wanted():
        mine = [state for version in one.asked if (state := workers.get((one.model, version))) is not None]
        pids = tuple(pid for state in mine for pid in (state.pid, *state.others) if pid is not None)
        if pids and one.wanted == "running":
            found.append(Owner("deployment", one.name, pids, len(pids), sum(state.restarts for state in mine)))
    return found
