"""Every action of the application in one table: footer, `?` help, menu, palette, keymap and documentation come from it."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_tui.tui import rules
from mlops_tui.tui.action import Action
from mlops_tui.tui.actions_models import MODELS
from mlops_tui.tui.actions_monitoring import MONITORING
from mlops_tui.tui.actions_pipelines import PIPELINES
from mlops_tui.tui.actions_system import SYSTEM
from mlops_tui.tui.rules import START_DAEMON, Situation

__all__ = ["ACTIONS", "ALL", "CHARTS", "DESKS", "GLOBAL", "PAGES", "START_DAEMON", "Action", "Situation"]

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
PAGES = {
    "run": "Run",
    "compare": "Comparison",
    "experiment": "Experiment",
    "version": "Version",
    "diff": "Differences",
    "pipeline": "Pipeline",
    "execution": "Pipeline run",
    "incident": "Incident",
}
"""Pages of one object in front of a desk: (id, title)."""


def _view(
    id_: str, title: str, keys: tuple[str, ...], help_: str, *, cli: str = "", footer: str = "", fixed: bool = False
) -> Action:
    return Action(id_, title, keys, cli=cli, footer=footer, help=help_, view=True, fixed=fixed)


def _chart(id_: str, title: str, keys: tuple[str, ...], help_: str, footer: str) -> Action:
    return Action(id_, title, keys, help=help_, footer=footer, view=True, pane="chart", rules=(rules.chart_on_screen,))


GLOBAL = (
    _view("go.desk", "Go to a desk", ("1-8",), "Overview, Features, Experiments, Registry, Pipelines, Serving, Monitoring, System.",
          cli="mlops tui serving", fixed=True),
    _view("go.palette", "Command palette", (":", "ctrl+p"),
          "Find a desk, an action, a theme or any object: `run 3f2`, `model churn@champion`.",
          cli="mlops tui run/3f2", footer="go"),
    _view("go.last", "Last view", ("-",), "The view before this one; again comes back, like `cd -`."),
    _view("go.back", "Back", ("<", "alt+left"), "Where you were before, step by step."),
    _view("go.forward", "Forward", (">", "alt+right"), "Undo a step back."),
    _view("go.jump", "Jump to a pane", ("ctrl+o",), "Put a letter on every pane and part; the letter goes there."),
    _view("part.before", "Previous part", ("[", "left"), "The part of the desk left of this one."),
    _view("part.after", "Next part", ("]", "right"), "The part of the desk right of this one.", footer="part"),
    _view("go.open", "Open the row", ("enter",), "Show the row in full; again: what is inside it.", footer="open", fixed=True),
    _view("go.inside", "What is inside", ("o",), "List what is inside the row: versions of a model, runs of a pipeline."),
    _view("go.esc", "One step out", ("escape",), "Close, clear the filter, go back; never quits.", fixed=True),
    _view("go.pane", "Next pane", ("tab",), "From list to detail and back; on the overview from panel to panel.", fixed=True),
    _view("view.maximise", "Maximise the pane", ("z",), "Give the whole window to the pane in focus; again: as before."),
    _view("move", "Move", ("j", "k", "arrows", "g", "G", "pgup", "pgdn"), "Down, up, first, last, a page.", fixed=True),
    _view("list.filter", "Filter", ("/",), "Keep the rows that match; the text may name columns.", footer="filter"),
    _view("list.sort", "Sort by this column", ("s",), "The column under the column cursor; again the other way, again as it was."),
    _view("list.reverse", "Turn the order round", ("S",), "The same column the other way."),
    _view("list.column_before", "Column before", ("comma",), "Move the column cursor; columns that do not fit come into view."),
    _view("list.column_after", "Column after", ("full_stop",), "Move the column cursor; columns that do not fit come into view."),
    _view("list.columns", "Choose columns", ("C",), "Which columns are shown and in what order; remembered."),
    Action("list.views", "Saved views", ("w",), cli="mlops runs list --view NAME", view=True, rules=(rules.has_views,),
           help="Choose a query that was saved of this list, or remove one; the palette has those of all lists."),
    Action("list.save_view", "Save the filter as a view", ("W",), cli="mlops runs list QUERY --save-view NAME",
           undo="mlops runs list --remove-view NAME", rules=(rules.has_views, rules.filtered),
           help="Keep the query under a name, for this list here and on the command line."),
    _view("list.mark", "Mark the row", ("space",), "Mark it, or take the mark away; esc takes all away."),
    _view("list.range", "Mark a range", ("v",), "From here to where v is pressed again."),
    _view("list.all", "Mark all", ("asterisk",), "Every row the filter leaves; again none."),
    _view("list.refresh", "Read again", ("R",), "Read what is on screen again; retry after an error."),
    _view("list.copy", "Copy", ("y",), "Choose what to copy of the row: id, name, path, command line, JSON, TSV."),
    _view("list.copy_again", "Copy the same again", ("Y",), "Copy of this row what was copied last."),
    _view("list.menu", "Actions", ("x",), "What can be done here with key and command, and why not.", footer="actions"),
    _view("app.help", "Keys", ("?",), "The keys that are valid here; type to search them.", footer="help"),
    _view("app.about", "What is this?", ("f1",), "What this pane shows and what its figures mean."),
    Action("app.undo", "Undo", ("u",), help="Take the newest act of this session back, after asking.", cli="mlops audit list",
           rules=(rules.something_to_undo,)),
    _view("app.details", "Details of the error", ("e",), "All that is known of the error on screen, to read and to copy."),
    _view("app.log", "Command log", ("L",), "What was done here, as command lines that do the same.", cli="mlops audit list"),
    _view("app.theme", "Next theme", ("T",), "Dark, light, high contrast, colour-blind, the terminal's own; remembered."),
    _view("app.redraw", "Draw again", ("ctrl+l",), "Send the whole screen again, after another program wrote over it."),
    _view("app.quit", "Quit", ("q", "ctrl+q"), "Leave at once; the daemon and its jobs go on.", cli="mlops status",
          footer="quit"),
)  # fmt: skip


def _of_runs(desk: str, section: str, on: str) -> tuple[Action, ...]:
    """What can be done to a run, from the list and on its own page alike."""
    return (
        Action(f"{desk}.rename", "Rename the run", ("r",), desk, section, on, "mlops runs rename {id} NAME",
               help="Give it another name; its id stays.", undo="mlops runs rename {id} NAME"),
        Action(f"{desk}.tag", "Tag", ("t",), desk, section, on, "mlops runs tag {id} KEY=VALUE", footer="" if section else "tag",
               help="Set a tag, or take it away with an empty value; in the list on all marked runs.",
               undo="mlops runs tag {id} KEY=VALUE"),
        Action(f"{desk}.note", "Write the note", ("n",), desk, section, on, "mlops runs note {id} TEXT", footer="" if section else "note",
               help="Opens $VISUAL or $EDITOR, else a dialog; Markdown.", undo="mlops runs note {id} TEXT"),
        Action(f"{desk}.delete", "Delete", ("d",), desk, section, on, "mlops runs delete {id}", danger=True,
               help="Out of every list, until it is restored or collected; in the list all marked runs.", undo="mlops runs restore {id}"),
        Action(f"{desk}.stop", "Stop the run", ("f",), desk, section, on, "mlops runs stop {id}", danger=True,
               footer="" if section else "stop",
               help="Its process gets ctrl+c, so that it can say its last word.",
               rules=(rules.state_in("running"),)),
        Action(f"{desk}.register", "Register its model", ("M",), desk, section, on, "mlops models register MODEL --run {id}",
               help="The model that the run logged becomes the next version of a registered model."),
    )  # fmt: skip


ACTIONS: tuple[Action, ...] = (
    Action("overview.daemon", "Start the daemon", ("D",), "overview", cli=START_DAEMON, footer="daemon",
           help="It runs schedules, jobs and serving, and goes on when you leave.", undo="mlops daemon stop",
           rules=(rules.no_daemon,)),
    Action("features.ingest", "Ingest a file into a table", ("i",), "features", cli="mlops features ingest TABLE FILE",
           help="Read a CSV or Parquet file; a new snapshot is made, bad rows are set aside.", footer="ingest"),
    Action("features.create", "Create a feature table", ("n",), "features",
           cli="mlops features create TABLE --key COLUMN --time COLUMN", footer="new",
           help="Name a table, its key columns and its event time."),
    Action("features.check", "Run the checks", ("r",), "features", "tables", "a table", "mlops features check {name}", footer="check",
           help="The checks of the newest version: those that are always there and those in checks/*.toml."),
    Action("features.recheck", "Run the checks again", ("r",), "features", "checks", "a check", "mlops features check {name}",
           footer="check", help="All checks of its table, on the newest version."),
    Action("features.compact", "Write the files as one", ("m",), "features", "tables", "a table", "mlops features compact {name}",
           help="A new version with the same rows in one sorted file; old files stay for the versions that have them."),
    Action("features.materialize", "Bring it online", ("t",), "features", "tables", "a table", "mlops features materialize {name}",
           help="What lookups answer comes up to the newest version; only files added since are read."),
    Action("features.skew", "Compare served with joined", ("K",), "features", "tables", "a table", "mlops features skew {name}",
           help="Logged lookups against the offline join at the same moments, as known then, column by column."),
    Action("features.remove", "Remove", ("d",), "features", "tables", "a table", "mlops features remove {name}", danger=True,
           help="Out of every list with all versions; it can be brought back until a collection takes its files.",
           undo="mlops features restore {name}"),
    Action("features.collect", "Collect what no one needs", ("X",), "features", "tables", cli="mlops gc --keep N", danger=True,
           help="Half-written files, files no version names; of older versions the rows, if you say how many versions stay."),
    Action("features.diff", "Compare two versions", ("c",), "features", "snapshots", "a version", footer="compare", view=True,
           cli="mlops features diff {version} OTHER",
           help="Rows, schema and how far each column moved between two marked versions, or this and the one before."),
    Action("features.restore", "Restore the version", ("b",), "features", "snapshots", "a version",
           "mlops features restore {version}", danger=True, footer="restore",
           help="A new version with the rows of this one; nothing is copied, nothing forgotten.",
           undo="mlops features restore OTHER", rules=(rules.has_no("expired_at", "Its rows were collected."),)),
    Action("features.frequencies", "Values by frequency", ("F",), "features", "rows", "a row", view=True, footer="values",
           cli="mlops features profile {ref} --column COLUMN",
           help="How often each value of the column is there; enter keeps the rows that have it."),
    Action("features.profile", "Profile of the column", ("I",), "features", "rows", "a row", view=True, footer="profile",
           cli="mlops features profile {ref} --column COLUMN",
           help="Shape, quantiles, missing values, warnings of the column under the column cursor; again: of all rows."),
    Action("features.label", "Label rows", ("a",), "features", "labels", "a label queue", "mlops labels next {name}", footer="label",
           help="One row at a time, one key a class; u takes the newest back.", undo="mlops labels undo {name}"),
    Action("features.publish", "Publish the labels", ("p",), "features", "labels", "a label queue", "mlops labels publish {name}",
           footer="publish", help="Bring the feature table of the queue up to date with what was said since the last time.",
           rules=(rules.has("unpublished", "Its table has all labels."),)),
    Action("features.lookup", "Look an entity up", ("l",), "features", cli="mlops features lookup TABLE KEY=VALUE", view=True,
           footer="look up", help="Its values online with status and age, and offline at the same moment."),
    Action("features.sql", "SQL console", ("Q",), "features", cli="mlops features sql QUERY", view=True, footer="sql",
           help="One SELECT over all tables, with completion and history; esc stops one that runs."),
    Action("experiments.compare", "Compare the marked runs", ("c",), "experiments", "runs", "a run", "mlops runs compare {id} RUN",
           view=True, footer="compare", help="Parameters, metrics, tags, environment and curves side by side; d: differences."),
    *_of_runs("experiments", "runs", "a run"),
    *_of_runs("run", "", "a run"),
    Action("run.save", "Save the file", ("b",), "run", "artifacts", "a run", "mlops runs artifacts {id} --get PATH --to FOLDER",
           view=True, footer="save", help="Copy a file, or a folder with all in it, out of the store."),
    Action("experiments.insight", "What mattered", ("i",), "experiments", "", "a run or an experiment",
           "mlops experiments importance {experiment} --metric METRIC", view=True, footer="what mattered",
           help="Which parameters of an experiment mattered for a metric, mean and spread over each, the best runs."),
    Action("experiments.hide", "Delete the experiment", ("d",), "experiments", "experiments", "an experiment",
           "mlops experiments delete {name}", danger=True, footer="delete",
           help="Out of every list with all its runs, until it is restored or collected.", undo="mlops experiments restore {name}"),
    Action("experiments.retitle", "Rename the experiment", ("r",), "experiments", "experiments", "an experiment",
           "mlops experiments rename {name} NAME", help="Its runs stay with it.", undo="mlops experiments rename NAME {name}"),
    Action("experiments.describe", "Write its note", ("n",), "experiments", "experiments", "an experiment",
           "mlops experiments note {name} TEXT", help="Opens $VISUAL or $EDITOR, else a dialog; Markdown.",
           undo="mlops experiments note {name} TEXT"),
    Action("experiment.metric", "Another metric", ("M",), "experiment", cli="mlops experiments importance {name} --metric {metric}",
           view=True, footer="metric", help="Choose by which metric the experiment is looked at."),
    Action("compare.differences", "Only what differs", ("d",), "compare", "differences", "", "mlops runs compare {ids} --differing",
           view=True, footer="differences", help="Leave out what is the same in all runs; again everything."),
    Action("run.epochs", "Epochs along x", ("E",), "run", "curves", "a run", "mlops runs metrics {id} --key epoch", view=True,
           help="Curves over the metric 'epoch' of the run instead of its steps; again back."),
    *MODELS,
    *PIPELINES,
    Action("serving.start", "Start the deployment", ("t",), "serving", "deployments", "a deployment",
           "mlops deployments start {name}", footer="start", help="The daemon starts its workers and answers requests again.",
           undo="mlops deployments stop {name}",
           rules=(rules.needs_daemon, rules.equals("wanted", "stopped", "It is started already."))),
    Action("serving.stop", "Stop the deployment", ("d",), "serving", "deployments", "a deployment",
           "mlops deployments stop {name}", danger=True, footer="stop", help="Requests are refused until it is started again.",
           undo="mlops deployments start {name}", rules=(rules.equals("wanted", "running", "It is stopped already."),)),
    Action("serving.why", "Why this answer", ("i",), "serving", "predictions", "a prediction", "mlops why {id}", view=True,
           footer="why", help="What each input added to the answer, and the rows of training nearest to it; takes some seconds."),
    Action("serving.replay", "Answer it again", ("a",), "serving", "predictions", "a prediction", "mlops deployments replay {id} VERSION",
           view=True, footer="replay", help="What another version says of the same row, beside the logged answer; it is in no log."),
    Action("serving.skew", "Compare answers with the join", ("K",), "serving", "deployments", "a deployment",
           "mlops features skew deployment:{name}",
           help="What it answered from, out of the prediction log, against the feature tables at the same moments."),
    Action("serving.rollback", "Roll back to the routes before", ("b",), "serving", "deployments", "a deployment",
           "mlops deployments rollback {name}", danger=True, footer="roll back",
           help="Traffic goes where it went before the last change; no request fails meanwhile.",
           undo="mlops deployments rollback {name}",
           rules=(rules.has("previous", "There is nothing earlier to go back to."),)),
    *MONITORING,
    *SYSTEM,
)  # fmt: skip

CHARTS = (
    _chart("chart.zoom_in", "Zoom in", ("plus", "equals_sign"), "Twice as close, around the cursor, else at the newest end.",
           "zoom"),
    _chart("chart.zoom_out", "Zoom out", ("minus",), "Half as close, at last everything.", "zoom"),
    _chart("chart.cursor_before", "Cursor to the point before", ("left",), "The values of all curves there; the view follows.",
           "cursor"),
    _chart("chart.cursor_after", "Cursor to the next point", ("right",), "The values of all curves there; the view follows.",
           "cursor"),
    _chart("chart.log", "Logarithmic axis", ("l",), "Powers of ten upwards; again the linear axis.", "log"),
    _chart("chart.smooth", "Smooth the curves", ("m",), "A heavier moving average each time, then none; the points stay.",
           "smooth"),
    _chart("chart.window", "Only the newest", ("w",), "The last hours or minutes, or the last part of the steps; then everything.",
           "window"),
    _chart("chart.axis", "Steps or time", ("a",), "What the horizontal axis counts, where points have both.", "axis"),
    _chart("chart.pause", "Stand still", ("p",), "The chart keeps its picture; again shows the newest.", "pause"),
    _chart("chart.reset", "Chart as at first", ("0",), "No zoom, cursor, smoothing or logarithm.", "reset"),
)  # fmt: skip
"""What can be done while a chart has the focus, on every desk."""

ALL = (*GLOBAL, *CHARTS, *ACTIONS)
_BY_ID = {one.id: one for one in ALL}


def get(action_id: str) -> Action:
    """The action of this id. Raises KeyError."""
    return _BY_ID[action_id]


def of(desk: str, section: str = "") -> tuple[Action, ...]:
    """The actions of a desk that hold in this part of it, in the order of the table."""
    return tuple(one for one in ACTIONS if one.desk == desk and one.section in ("", section))


def meet(one: Action, other: Action) -> bool:
    """Whether there is a place where both hold, so that one key cannot mean both. A pane in focus goes before its desk."""
    if one.pane != other.pane:
        return one.fixed or other.fixed
    desks, sections = {one.desk, other.desk} - {""}, {one.section, other.section} - {""}
    return len(desks) < 2 and len(sections) < 2


_SHOWN = {
    "comma": ",", "full_stop": ".", "asterisk": "*", "escape": "esc", "left": "←", "right": "→", "alt+left": "alt+←",
    "alt+right": "alt+→", "f1": "F1", "plus": "+", "minus": "-", "equals_sign": "=",
}  # fmt: skip


def shown(key: str) -> str:
    """A key as people write it."""
    return _SHOWN.get(key, key)


def command(action: Action, names: Mapping[str, object], *, undo: bool = False) -> str:
    """The command line of an action (or of taking it back) with the names of the selected object put in."""
    text = action.undo if undo else action.cli
    for name, value in names.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def markdown(keys: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """The key reference of the documentation; `keys` are those of another set by action id."""
    known = keys or {}
    titles = {**{desk: title for desk, title, _ in DESKS}, **PAGES}
    rows = ["| Where | Keys | Action | What happens | Command | Undo |", "|---|---|---|---|---|---|"]
    for one in ALL:
        names = " ".join(f"`{shown(key)}`" for key in known.get(one.id, one.keys))
        where = (
            f"{titles[one.desk]} {one.section}".strip() if one.desk else f"a {one.pane}" if one.pane else "everywhere"
        )
        cells = (
            where,
            names,
            one.title,
            one.help,
            f"`{one.cli}`" if one.cli else "",
            f"`{one.undo}`" if one.undo else "",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
