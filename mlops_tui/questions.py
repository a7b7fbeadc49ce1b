"""Questions that wait for a person: a version that needs approval is an alert, so that channels tell whoever can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

RULE = "approval"


def ask(bench: Workbench) -> list[str]:
    """Raise an alert for each model with an open request, and end those that were answered; the models that wait."""
    waiting = {request.model: request for request in reversed(bench.registry.approvals.list(open_only=True))}
    told = {alert.subject: alert for alert in bench.alerts.list(rule=RULE, limit=1000) if alert.active}
    for model, request in waiting.items():
        ref = f"{model}/{request.version}"
        known = told.get(model)
        if known is not None and known.facts.get("version") == ref:
            continue
        if known is not None:
            bench.alerts.resolve_by(RULE, model, f"{ref} takes its place")
        why = f"{request.why}. " if request.why else ""
        bench.alerts.raise_alert(
            RULE,
            model,
            title=f"{ref} waits for approval",
            detail=f"{why}Asked by {request.asked_by}: mlops models approve {ref} --promote, or mlops models refuse {ref}",
            facts={"version": ref, "request": request.id},
        )
    for model in told.keys() - waiting.keys():
        bench.alerts.resolve_by(RULE, model, "it was answered")
    return sorted(waiting)
