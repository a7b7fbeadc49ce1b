"""What can be done with what monitors found, and on the page of an incident."""

from __future__ import annotations

from mlops_tui.tui import rules
from mlops_tui.tui.action import Action

MONITORING: tuple[Action, ...] = (
    Action("monitoring.explain", "Explain the drift", ("i",), "monitoring", "reports", "a report",
           "mlops monitors explain {name} --report {id}", footer="explain",
           help="What matters of what moved, since when, where, and what it did to the answers; asks the model, which takes seconds."),
    Action("monitoring.export", "Write its monitoring to a file", ("E",), "monitoring", "monitors", "a monitor",
           "mlops monitors report {name} --out {name}.html", footer="write",
           help="Performance, slices, fairness, drift and alerts as one HTML or Markdown file."),
    Action("monitoring.write", "Write its monitoring to a file", ("E",), "monitoring", "performance", "a deployment",
           "mlops monitors report {name} --out {name}.html", footer="write",
           help="Performance, slices, fairness, drift and alerts as one HTML or Markdown file."),
    Action("incident.acknowledge", "Acknowledge the alert", ("a",), "incident", "", "an alert", "mlops alerts ack {id}",
           help="Say that somebody looks at it.", undo="mlops alerts reopen {id}",
           rules=(rules.state_in("open", "silenced"),), footer="ack"),
    Action("incident.silence", "Silence the alert for some hours", ("m",), "incident", "", "an alert",
           "mlops alerts silence {id} --for 4h", help="Keep it quiet; if it is not resolved by then it is open again.",
           undo="mlops alerts reopen {id}", rules=(rules.state_in("open", "acknowledged"),), footer="silence"),
    Action("incident.explain", "Explain the drift", ("i",), "incident", "", "an alert", "mlops monitors explain {name}",
           footer="explain", help="What matters of what moved, since when, where, and what it did to the answers."),
    Action("incident.write", "Write the incident to a file", ("E",), "incident", "", "an alert",
           "mlops alerts story {id} --out alert-{id}.html", footer="write",
           help="The story, what moved and how right the model is, as one HTML or Markdown file."),
)  # fmt: skip
