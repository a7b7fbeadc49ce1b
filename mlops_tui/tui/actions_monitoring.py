"""What can be done with alerts, with who is told of them, with what monitors found, and on the page of an incident."""

from __future__ import annotations

from mlops_tui.tui import rules
from mlops_tui.tui.action import Action


def _of_alerts(desk: str, section: str) -> tuple[Action, ...]:
    """What can be done to an alert, from the list and on its own page alike."""
    marked = "; in the list all marked ones" if section else ""
    return (
        Action(f"{desk}.acknowledge", "Acknowledge the alert", ("a",), desk, section, "an alert", "mlops alerts ack {id}",
               help=f"Say that somebody looks at it{marked}.", undo="mlops alerts reopen {id}",
               rules=(rules.state_in("open", "silenced"),), footer="ack"),
        Action(f"{desk}.silence", "Silence the alert for some hours", ("m",), desk, section, "an alert",
               "mlops alerts silence {id} --for 4h", help=f"Keep it quiet; if it is not resolved by then it is open again{marked}.",
               undo="mlops alerts reopen {id}", rules=(rules.state_in("open", "acknowledged"),), footer="silence"),
        Action(f"{desk}.resolve", "Resolve the alert", ("r",), desk, section, "an alert", "mlops alerts resolve {id}",
               help=f"End it, with a reason; the next time its condition holds a new alert opens{marked}.", danger=True,
               rules=(rules.state_in("open", "acknowledged", "silenced"),), footer="resolve"),
        Action(f"{desk}.reopen", "Open the alert again", ("b",), desk, section, "an alert", "mlops alerts reopen {id}",
               help=f"Take an acknowledgement or a silence back, whoever gave it{marked}.",
               rules=(rules.state_in("acknowledged", "silenced"),)),
    )  # fmt: skip


def _kept(section: str, noun: str, command: str, ids: tuple[str, str], paused: str, resumed: str) -> tuple[Action, ...]:
    """Pause and resume of what is kept by name."""
    rest, go_on = ids
    return (
        Action(f"monitoring.{rest}", f"Pause the {noun}", ("p",), "monitoring", section, f"a {noun}", f"{command} pause {{name}}",
               help=paused, undo=f"{command} resume {{name}}", rules=(rules.equals("paused", False, "It is paused already."),),
               footer="pause"),
        Action(f"monitoring.{go_on}", f"Resume the {noun}", ("r",), "monitoring", section, f"a {noun}",
               f"{command} resume {{name}}", help=resumed, undo=f"{command} pause {{name}}",
               rules=(rules.equals("paused", True, "It is not paused."),), footer="resume"),
    )  # fmt: skip


MONITORING: tuple[Action, ...] = (
    *_of_alerts("monitoring", "alerts"),
    Action("monitoring.raise", "Raise an alert", ("n",), "monitoring", "alerts",
           cli="mlops alerts raise RULE SUBJECT --title TEXT",
           help="What you know to be wrong and no monitor sees; it is told like any other."),
    Action("monitoring.check", "Run the check now", ("r",), "monitoring", "monitors", "a monitor",
           "mlops monitors run {name}", footer="check now", help="Compare the newest traffic with the training data."),
    Action("monitoring.setup", "Set how a deployment is watched", ("n",), "monitoring", "monitors",
           cli="mlops monitors add NAME --min-rows 500 --alpha 0.005", undo="mlops monitors add {name}", footer="settings",
           help="Windows, limits, votes, sensitive inputs, slices; or watch a deployment again whose monitor was removed."),
    Action("monitoring.suspend", "Pause the monitor", ("p",), "monitoring", "monitors", "a monitor",
           "mlops monitors pause {name}", help="It is not checked until it is resumed.", undo="mlops monitors resume {name}",
           rules=(rules.state_in("active"),), footer="pause"),
    Action("monitoring.go_on", "Resume the monitor", ("t",), "monitoring", "monitors", "a monitor",
           "mlops monitors resume {name}", help="It is checked again.", undo="mlops monitors pause {name}",
           rules=(rules.state_in("paused"),), footer="resume"),
    Action("monitoring.apart", "Tell the window from before", ("c",), "monitoring", "monitors", "a monitor",
           "mlops monitors apart {name}", view=True,
           help="A classifier tells the newest window from the answers before it, and names the columns it needs; takes seconds."),
    Action("monitoring.export", "Write its monitoring to a file", ("E",), "monitoring", "monitors", "a monitor",
           "mlops monitors report {name} --out {name}.html", footer="write",
           help="Performance, slices, fairness, drift and alerts as one HTML or Markdown file."),
    Action("monitoring.drop", "Remove the monitor", ("d",), "monitoring", "monitors", "a monitor",
           "mlops monitors remove {name} --yes", danger=True, undo="mlops monitors add {name}",
           help="The deployment is watched no more and its alerts end; its reports stay."),
    Action("monitoring.explain", "Explain the drift", ("i",), "monitoring", "reports", "a report",
           "mlops monitors explain {name} --report {id}", footer="explain",
           help="What matters of what moved, since when, where, and what it did to the answers; asks the model, which takes seconds."),
    Action("monitoring.measure", "Measure now", ("r",), "monitoring", "performance", "a deployment",
           "mlops monitors performance {name}", footer="measure",
           help="Take labels in, and measure every stretch of time that has new ones."),
    Action("monitoring.write", "Write its monitoring to a file", ("E",), "monitoring", "performance", "a deployment",
           "mlops monitors report {name} --out {name}.html", footer="write",
           help="Performance, slices, fairness, drift and alerts as one HTML or Markdown file."),
    Action("monitoring.groups", "Choose the sensitive inputs", ("n",), "monitoring", "fairness",
           cli="mlops monitors add NAME --sensitive COLUMN", undo="mlops monitors add {name}", footer="inputs",
           help="The groups of these inputs are compared; the same form as that of the monitor."),
    Action("monitoring.look", "Look at the newest rows now", ("r",), "monitoring", "outliers",
           cli="mlops monitors outliers NAME --now 1h", footer="look now",
           help="Score the rows of the last hours at once, with the distance to their nearest training rows as well."),
    Action("monitoring.why", "Why this answer", ("i",), "monitoring", "outliers", "an outlier", "mlops why {id}", view=True,
           footer="why", help="What each input added to the answer, and the rows of training nearest to it; takes some seconds."),
    Action("monitoring.rule", "New rule", ("n",), "monitoring", "rules",
           cli="mlops alerts rules add NAME --series SERIES --above LIMIT --for 5m", undo="mlops alerts rules remove NAME --yes",
           help="Raise an alert when a series is above, below, absent, changed, unlike its past, or burns a budget.", footer="new"),
    *_kept("rules", "rule", "mlops alerts rules", ("rest", "watch"), "It is not looked at until it is resumed; its open alert ends.",
           "It is looked at again."),
    Action("monitoring.unrule", "Remove the rule", ("d",), "monitoring", "rules", "a rule", "mlops alerts rules remove {name} --yes",
           danger=True, undo="mlops alerts rules add {name} ...", help="It is forgotten, and its open alert ends.", footer="remove"),
    Action("monitoring.channel", "New channel", ("n",), "monitoring", "channels",
           cli="mlops alerts channels add NAME --kind KIND --to ADDRESS", undo="mlops alerts channels remove NAME --yes",
           help="Tell people of alerts by e-mail, a webhook, a chat, the desktop or a program of yours.", footer="new"),
    Action("monitoring.test", "Send a test message", ("t",), "monitoring", "channels", "a channel", "mlops alerts test {name}",
           footer="test", help="Now, and once; what went wrong is said."),
    *_kept("channels", "channel", "mlops alerts channels", ("mute", "unmute"), "Nothing is said through it until it is resumed.",
           "It tells of what is open."),
    Action("monitoring.unchannel", "Remove the channel", ("d",), "monitoring", "channels", "a channel",
           "mlops alerts channels remove {name} --yes", danger=True, undo="mlops alerts channels add {name} ...",
           help="Nobody is told through it any more; what it told stays among the deliveries.", footer="remove"),
    Action("monitoring.begin", "Begin maintenance", ("n",), "monitoring", "maintenance",
           cli="mlops alerts maintenance begin --for 2h", undo="mlops alerts maintenance end NUMBER", footer="begin",
           help="Nobody is told of alerts for a while, or in the same hours each week; they are raised and listed all the same."),
    Action("monitoring.end", "End maintenance", ("d",), "monitoring", "maintenance", "a time of maintenance",
           "mlops alerts maintenance end {id}", footer="end", undo="mlops alerts maintenance begin ...", danger=True,
           help="It ends now, and what is open is told."),
    *_of_alerts("incident", ""),
    Action("incident.explain", "Explain the drift", ("i",), "incident", "", "an alert", "mlops monitors explain {name}",
           footer="explain", help="What matters of what moved, since when, where, and what it did to the answers."),
    Action("incident.write", "Write the incident to a file", ("E",), "incident", "", "an alert",
           "mlops alerts story {id} --out alert-{id}.html", footer="write",
           help="The story, what moved and how right the model is, as one HTML or Markdown file."),
)  # fmt: skip
