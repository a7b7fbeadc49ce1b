"""Every action of the application in one table: footer, `?` help, command palette and documentation are made from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

DESKS: tuple[tuple[str, str, str], ...] = (
    ("overview", "Overview", "Over"),
    ("features", "Features", "Feat"),
    ("experiments", "Experiments", "Exp"),
    ("registry", "Registry", "Reg"),
    ("pipelines", "Pipelines", "Pipe"),
    ("serving", "Serving", "Serve"),
    ("monitoring", "Monitoring", "Mon"),
    ("system", "System", "Sys"),
)
"""(id, title, short title) in the order of the keys 1-8."""

START_DAEMON = "mlops daemon start"


@dataclasses.dataclass(frozen=True)
class Situation:
    """What decides whether an action is allowed: the selected record and whether a daemon runs (None: not known yet).

    `names` are what command lines call the record.
    """

    record: Any = None
    daemon: bool | None = None
    names: Mapping[str, object] = dataclasses.field(default_factory=dict)


Rule = Callable[[Situation], str]


@dataclasses.dataclass(frozen=True)
class Action:
    """One thing a user can do.

    `section` is the part of the desk it belongs to ("" = all), `on` what it works on ("" = nothing selected needed),
    `cli` the same as a command line, `rules` say why not ("" = allowed), `footer` whether the key line names it.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    desk: str = ""
    section: str = ""
    on: str = ""
    cli: str = ""
    danger: bool = False
    rules: tuple[Rule, ...] = ()
    footer: str = ""

    def why_not(self, situation: Situation) -> str:
        """The first reason that forbids it now, "" when allowed."""
        if self.on and situation.record is None:
            return f"Select {self.on} first."
        return next((reason for rule in self.rules if (reason := rule(situation))), "")


def needs_daemon(situation: Situation) -> str:
    """Only a running daemon can do it."""
    return f"The daemon is not running. Start it: {START_DAEMON}" if situation.daemon is False else ""


def state_in(*words: str) -> Rule:
    """The selected record is in one of these states."""

    def rule(situation: Situation) -> str:
        now = str(getattr(situation.record, "state", ""))
        return "" if now in words else f"It is {now}; this needs {' or '.join(words)}."

    return rule


def _is(field: str, wanted: Any, reason: str) -> Rule:
    def rule(situation: Situation) -> str:
        return "" if getattr(situation.record, field, wanted) == wanted else reason

    return rule


def _has(field: str, reason: str) -> Rule:
    return lambda situation: "" if getattr(situation.record, field, True) else reason


def _has_no(field: str, reason: str) -> Rule:
    return lambda situation: reason if getattr(situation.record, field, None) else ""


GLOBAL = (
    Action("go.desk", "Go to a desk: Overview, Features, ... System", ("1-8",)),
    Action("go.palette", "Command palette: desks, actions, objects, themes", (":", "ctrl+p"), footer="command"),
    Action("go.back", "The desk before this one", ("-",)),
    Action("go.section", "Previous or next part of the desk", ("[", "]", "left", "right"), footer="part"),
    Action("go.open", "Open the selected row; open what is inside it", ("enter",), footer="open"),
    Action("go.inside", "Show what is inside the selected row", ("o",)),
    Action("go.esc", "Close, clear the filter, go back; never quits", ("escape",)),
    Action("go.pane", "List or detail", ("tab",)),
    Action("move", "Move: down, up, first, last, page", ("j", "k", "arrows", "g", "G", "pgup", "pgdn")),
    Action("list.filter", "Filter: words, -word, column:word", ("/",), footer="filter"),
    Action("list.sort", "Sort by the next column", ("s",)),
    Action("list.reverse", "Turn the order round", ("S",)),
    Action("list.refresh", "Read again; retry after an error", ("R",)),
    Action("list.copy", "Copy the id of the selected row", ("y",)),
    Action("list.menu", "What can be done here, and why not", ("x",), footer="actions"),
    Action("app.help", "This help", ("?",), footer="help"),
    Action("app.theme", "Next theme", ("T",)),
    Action("app.redraw", "Draw the whole screen again", ("ctrl+l",)),
    Action("app.quit", "Quit; the daemon and its jobs go on", ("q", "ctrl+q"), footer="quit"),
)

_RUN_DAEMON = Action("overview.daemon", "Start the daemon", ("D",), "overview", cli=START_DAEMON, footer="daemon",
                     rules=(lambda situation: "The daemon runs already." if situation.daemon else "",))  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    _RUN_DAEMON,
    Action("features.ingest", "Ingest a file into a table", ("i",), "features", cli="mlops features ingest TABLE FILE",
           footer="ingest"),
    Action("features.create", "Create a feature table", ("n",), "features",
           cli="mlops features create TABLE --key COLUMN --time COLUMN", footer="new"),
    Action("registry.promote", "Promote: stage or alias", ("p",), "registry", "versions", "a model version",
           "mlops models promote {ref} --to STAGE", danger=True, footer="promote"),
    Action("registry.rollback", "Roll the champion back to the version before it", ("b",), "registry",
           "models", "a model", "mlops models rollback {name}", danger=True, footer="roll back"),
    Action("pipelines.run", "Run the pipeline", ("r",), "pipelines", "pipelines", "a pipeline",
           "mlops pipelines run {name}", footer="run",
           rules=(_has_no("problems", "Its file has mistakes; they are shown beside it."),)),
    Action("pipelines.log", "Follow the log", ("l",), "pipelines", "runs", "a run", "mlops jobs logs {job}",
           footer="log", rules=(_has("job_id", "It ran outside a job, so there is no job log."),)),
    Action("pipelines.cancel", "Cancel the run", ("c",), "pipelines", "runs", "a run", "mlops jobs cancel {job}",
           danger=True, rules=(state_in("queued", "claimed", "running"),), footer="cancel"),
    Action("pipelines.pause", "Pause the schedule", ("p",), "pipelines", "schedules", "a schedule",
           "mlops schedules pause {name}", rules=(_is("paused", False, "It is paused already; `u` resumes it."),),
           footer="pause"),
    Action("pipelines.resume", "Resume the schedule", ("u",), "pipelines", "schedules", "a schedule",
           "mlops schedules resume {name}", rules=(_is("paused", True, "It is not paused."),), footer="resume"),
    Action("serving.start", "Start the deployment", ("u",), "serving", "deployments", "a deployment",
           "mlops deployments start {name}", footer="start",
           rules=(needs_daemon, _is("wanted", "stopped", "It is started already."))),
    Action("serving.stop", "Stop the deployment", ("d",), "serving", "deployments", "a deployment",
           "mlops deployments stop {name}", danger=True, footer="stop",
           rules=(_is("wanted", "running", "It is stopped already."),)),
    Action("serving.rollback", "Roll back to the routes before", ("b",), "serving", "deployments", "a deployment",
           "mlops deployments rollback {name}", danger=True, footer="roll back",
           rules=(_has("previous", "There is nothing earlier to go back to."),)),
    Action("monitoring.acknowledge", "Acknowledge: someone looks at it", ("a",), "monitoring", "alerts", "an alert",
           "mlops alerts ack {id}", rules=(state_in("open", "silenced"),), footer="ack"),
    Action("monitoring.silence", "Silence for some hours", ("z",), "monitoring", "alerts", "an alert",
           "mlops alerts silence {id} --for 4h", rules=(state_in("open", "acknowledged"),), footer="silence"),
    Action("monitoring.check", "Run the check now", ("r",), "monitoring", "monitors", "a monitor",
           "mlops monitors run {name}", footer="check now"),
    Action("system.log", "Follow the job's log", ("l",), "system", "jobs", "a job", "mlops jobs logs {id}",
           footer="log"),
    Action("system.cancel", "Cancel the job", ("c",), "system", "jobs", "a job", "mlops jobs cancel {id}",
           danger=True, rules=(state_in("queued", "claimed", "running"),), footer="cancel"),
    Action("system.retry", "Run the job again", ("t",), "system", "jobs", "a job", "mlops jobs retry {id}",
           rules=(state_in("failed", "cancelled", "lost"),), footer="retry"),
    Action("system.verify", "Check the hash chain of the audit log", ("v",), "system", "audit",
           cli="mlops audit verify", footer="verify"),
)  # fmt: skip


def of(desk: str, section: str = "") -> tuple[Action, ...]:
    """The actions of a desk that hold in this part of it, in the order of the table."""
    return tuple(one for one in ACTIONS if one.desk == desk and one.section in ("", section))


def find(desk: str, section: str, key: str) -> Action | None:
    """The action a key means in this part of a desk."""
    return next((one for one in of(desk, section) if key in one.keys), None)


def keys(desk: str) -> tuple[str, ...]:
    """Every key that means an action somewhere on the desk."""
    return tuple(dict.fromkeys(key for one in ACTIONS if one.desk == desk for key in one.keys))


def shown(key: str) -> str:
    """A key as people write it."""
    return {"escape": "esc", "left": "←", "right": "→"}.get(key, key)


def command(action: Action, names: Mapping[str, object]) -> str:
    """The command line of an action with the names of the selected object put in."""
    text = action.cli
    for name, value in names.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def markdown() -> str:
    """The key reference of the documentation."""
    rows = ["| Desk | Keys | Action | Command |", "|---|---|---|---|"]
    for one in (*GLOBAL, *ACTIONS):
        names = " ".join(f"`{shown(key)}`" for key in one.keys)
        rows.append(f"| {one.desk or 'everywhere'} | {names} | {one.title} | {f'`{one.cli}`' if one.cli else ''} |")
    return "\n".join(rows)
