"""Questions that wait for a person: a version that needs approval is an alert, so that channels tell whoever can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Request
    from mlops_tui.workbench import Workbench

RULE = "approval"


def ask(bench: Workbench) -> list[str]:
    """Raise an alert for each model with an open request, and end those that were answered; the models that wait."""
    waiting = {request.model: request for request in reversed(bench.registry.approvals.list(open_only=True))}
    told = {alert.subject: alert for alert in bench.alerts.list(rule=RULE, limit=1000) if alert.active}
    for model, request in waiting.items():
        ref = request.ref
        known = told.get(model)
        if known is not None and known.facts.get("version") == ref:
            continue
        if known is not None:
            bench.alerts.resolve_by(RULE, model, f"{ref} takes its place")
        bench.alerts.raise_alert(
            RULE,
            model,
            title=f"{ref} waits for approval",
            detail=_words(bench, request),
            facts={"version": ref, "request": request.id},
        )
    for model in told.keys() - waiting.keys():
        bench.alerts.resolve_by(RULE, model, "it was answered")
    return sorted(waiting)


def approve(bench: Workbench, ref: str, why: str = "", *, promote: bool = False) -> tuple[Request, str]:
    """Agree to the request of a version; the request as it is then, and in words what follows.

    Where the run of a pipeline waits for it, that goes on as it would have without people, and promotes in the end itself. Else
    `promote` puts it into production once nobody else has to agree. Raises what `Approvals.approve` and `promote` raise.
    """
    version = bench.registry.version(ref)
    found = bench.registry.approvals.approve(version, why)
    if found.state != "approved":
        return found, f"{version.ref}: {found.state}, {found.approvals} of {max(1, found.needed)} agreed."
    run = bench.pipelines.waits_for(version.ref)
    if run is not None:
        then = " ".join(bench.pipelines.next_steps(run))
        daemon = "" if bench.daemon_alive() else " No daemon runs that would do it: mlops daemon start"
        return found, f"{version.ref} is approved, and pipeline {run.pipeline} goes on. {then}{daemon}"
    if promote:
        return found, f"{version.ref} is approved and {bench.registry.promote(version.ref, 'production', why).stage}."
    return found, f"{version.ref}: {found.state}, {found.approvals} of {max(1, found.needed)} agreed."


def _words(bench: Workbench, request: Request) -> str:
    ref = request.ref
    run = bench.pipelines.waits_for(ref)
    then = "".join(f" {one}" for one in bench.pipelines.next_steps(run)) if run is not None else ""
    why = f": {request.why}" if request.why else ""
    yes = f"mlops models approve {ref}{'' if run is not None else ' --promote'}"
    # What to type stands first: messages are cut at the end.
    said = f"{yes}, or mlops models refuse {ref} --why WHY.{then and ' Then:'}{then}"
    return f"{said} Asked by {request.asked_by}{why}"
