"""What can be done with a monitor: its settings, pause, removal, looks that take seconds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.monitoring.monitors import Monitor, main_version
from mlops_tui.tui.deeds import Undo
from mlops_tui.tui.lines import clean
from mlops_tui.tui.screens.acting import Acting
from mlops_tui.tui.screens.asking import after, ask
from mlops_tui.tui.screens.sheet import Content, Sheet
from mlops_tui.tui.widgets.dialogs import Answers, Confirm, Field, Form, Question
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.records import Apart

LABELS = {
    "min_rows": "Rows at least",
    "max_rows": "Rows at most",
    "alpha": "False alarms",
    "need": "Alert after",
    "of": "of the last",
    "margin": "Worse by",
    "min_labels": "Labels at least",
    "max_error_rate": "Errors at most",
    "max_latency_ms": "p95 at most, ms",
    "sensitive": "Sensitive",
    "positive": "Good answer",
    "slices": "Slices",
    "group_rows": "Rows of a group",
}
FAIRNESS = ("sensitive", "positive", "group_rows")
LISTS = {"sensitive": "--sensitive", "slices": "--slice"}
HINTS = {
    "sensitive": "inputs, with commas; nothing means those of the pipeline",
    "slices": "inputs, with commas; nothing means those of the pipeline",
    "positive": "the second of two classes, unless you say another",
}


# -- settings ----------------------------------------------------------------------------------------------------------


def setup(desk: Acting, name: str, names: Sequence[str] = tuple(LABELS)) -> None:
    """Ask which deployment where there is a choice, then for its settings (those of `names`)."""
    after(desk, _choices, lambda found: _choose(desk, name, names, *found))


def _choices(bench: Workbench) -> tuple[dict[str, Monitor], tuple[str, ...]]:
    known = {one.deployment: one for one in bench.monitoring.list()}
    return known, tuple(one.name for one in bench.serving.list() if one.name not in known)


def _choose(
    desk: Acting, name: str, names: Sequence[str], known: dict[str, Monitor], unwatched: tuple[str, ...]
) -> None:
    choices = (name, *unwatched) if name else (*known, *unwatched)
    if not choices:
        said = "There is no deployment to watch. Make one: mlops deployments create NAME MODEL@champion"
        desk.notify(said, severity="warning", markup=False)
    elif len(choices) == 1:
        _settings(desk, choices[0], known.get(choices[0]), names)
    else:
        fields = (Field("name", "Deployment", choices=choices),)
        form = Form("Which deployment?", fields, "Go on", lambda answers: f"mlops monitors show {answers['name']}")

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                _settings(desk, answers["name"], known.get(answers["name"]), names)

        desk.app.push_screen(form, chosen)


def _settings(desk: Acting, name: str, monitor: Monitor | None, names: Sequence[str]) -> None:
    """The settings as they are, in a form; only those that were changed are sent. None: it is not watched now."""
    before = monitor or Monitor(name)
    was = {one: _text(getattr(before, one)) for one in names}
    optional = {*LISTS, "positive"}
    fields = tuple(Field(one, LABELS[one], was[one], HINTS.get(one, ""), optional=one in optional) for one in names)

    def changed(answers: Answers) -> dict[str, str]:
        return {one: text for one, text in answers.items() if text != was[one]}

    def act(answers: Answers, again: Callable[[], None]) -> None:
        new = changed(answers)
        if not new and monitor is not None:
            desk.notify("Nothing was changed.", timeout=3, markup=False)
            return
        old = {one: was[one] for one in new}

        def work(bench: Workbench) -> str:
            bench.monitoring.add(name, **_read(before, new))
            if names is not FAIRNESS:
                return f"{name} is watched that way from its next check."
            bench.serving.compact()
            bench.monitoring.insight.measure(name)
            return f"The groups of {name} are compared."

        def back(bench: Workbench) -> str:
            if monitor is None:
                bench.monitoring.remove(name)
                return f"{name} is not watched any more."
            bench.monitoring.add(name, **_read(before, old))
            return f"{name} is watched as before."

        way_back = settings_command(name, old) if monitor else f"mlops monitors remove {name} --yes"
        desk.perform(f"settings of {name}", work, command=settings_command(name, new),
                     undo=Undo(settings_command(name, new), way_back, back), otherwise=again, then=lambda: _show(desk, name))  # fmt: skip

    title = f"How {name} is watched (0.05 is 5 %)" if monitor else f"Watch {name} again (0.05 is 5 %)"
    ask(desk, title, fields, "Keep", lambda answers: settings_command(name, changed(answers)), act)


def _show(desk: Acting, name: str) -> None:
    if desk.section.id == "monitors":
        desk.find(name)


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def _read(monitor: Monitor, answers: dict[str, str]) -> dict[str, Any]:
    """What was typed, as the settings are kept. Raises InvalidInput for what is no number."""
    found: dict[str, Any] = {}
    for name, text in answers.items():
        if name in LISTS:
            found[name] = [one.strip() for one in text.split(",") if one.strip()]
        elif name == "positive":
            found[name] = text
        else:
            found[name] = _number(type(getattr(monitor, name)), LABELS[name], text)
    return found


def _number(kind: type, label: str, text: str) -> int | float:
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise InvalidInput(f"'{text}' is not {whole}.", hint=f"{label} wants one.") from None


def settings_command(name: str, answers: dict[str, str]) -> str:
    """The command line of the settings that were given."""
    given = ""
    for one, text in answers.items():
        if option := LISTS.get(one):
            given += "".join(f" {option} {shlex.quote(each.strip())}" for each in text.split(","))
        else:
            given += f" --{one.replace('_', '-')} {shlex.quote(text)}"
    return f"mlops monitors add {name}{given}"


# -- pause and removal -------------------------------------------------------------------------------------------------


def pause(desk: Acting, action: str, name: str, *, on: bool) -> None:
    """Pause or resume it, by the action of the registry that says so."""

    def work(bench: Workbench, paused: bool) -> str:
        if paused:
            return f"{bench.monitoring.pause(name).deployment} is not checked until it is resumed."
        return f"{bench.monitoring.resume(name).deployment} is checked again."

    desk.perform(f"{'pause' if on else 'resume'} {name}", lambda bench: work(bench, on),
                 undo=desk.undo(action, lambda bench: work(bench, not on)))  # fmt: skip


def remove(desk: Acting, one: Monitor) -> None:
    """Confirm, then watch it no more; `u` brings the monitor back with its settings."""
    name = one.deployment
    command = f"mlops monitors remove {name} --yes"
    kept = {each: getattr(one, each) for each in LABELS}

    def back(bench: Workbench) -> str:
        return f"{bench.monitoring.add(name, **kept).deployment} is watched again."

    def work(bench: Workbench) -> str:
        bench.monitoring.remove(name)
        return f"{name} is not watched any more."

    def decided(yes: bool | None) -> None:
        if yes:
            desk.perform(
                f"remove {name}", work, command=command, undo=Undo(command, f"mlops monitors add {name}", back)
            )

    effect = "It is watched no more, and its alerts end. Its reports stay."
    desk.app.push_screen(Confirm(Question(f"Remove the monitor of {name}?", effect, command, "Remove")), decided)


# -- looks -------------------------------------------------------------------------------------------------------------


def check(desk: Acting, name: str) -> None:
    """Check in a worker what was answered until now."""

    def work(bench: Workbench) -> str:
        bench.serving.compact()  # what was answered a moment ago lies in segments still
        report = bench.monitoring.check(name)
        return f"{name}: {report.verdict} over {report.rows:,} rows."

    desk.perform(f"check {name}", work)


def measure(desk: Acting, name: str) -> None:
    """Take labels in and measure what is new, in a worker."""

    def work(bench: Workbench) -> str:
        bench.serving.compact()
        found = bench.monitoring.insight.measure(name)
        if found is None:
            raise NotFound(f"{name} has answered nothing that could be measured.", hint=f"mlops predict {name} --help")
        labels = found.whole.labels
        return f"{name}: {labels.labelled:,} of {labels.rows:,} predictions have a label."

    desk.perform(f"measure {name}", work)


def apart(desk: Acting, name: str) -> None:
    """Let a classifier tell the newest window from before, and show the columns it needs."""
    desk.app.push_screen(
        Sheet(desk.workbench_app.source, f"{name}: told apart", lambda bench: told(bench.monitoring.apart(name)))
    )


def told(found: Apart) -> Content:
    """How well, and by which columns."""
    said = "can be told" if found.told else "cannot be told"
    auc = f"AUC {found.auc:.3f} ({found.low:.3f} to {found.high:.3f} with 99 %), 0.5 is chance"
    columns = (
        Column("Column", lambda one, now: clean(one[0]), width=30, grow=True),
        Column("AUC lost without it", lambda one, now: f"{one[1]:.3f}", sort=lambda one: one[1], width=20, right=True),
    )
    rows = tuple(found.columns.items()) if found.told else ()
    words = f"the window {said} from {found.against}; {auc}; {found.rows:,} rows against {found.before:,}"
    return Content(columns, rows, words, "No column tells the window from what came before.")


def look(desk: Acting, name: str) -> None:
    """Ask for deployment and span, then score its newest rows with their neighbours."""
    after(
        desk,
        lambda bench: tuple(one.deployment for one in bench.monitoring.list()),
        lambda found: _look(desk, name, found),
    )


def _look(desk: Acting, name: str, names: tuple[str, ...]) -> None:
    if not names:
        desk.notify("No deployment is watched.", severity="warning", markup=False)
        return
    fields = (
        Field("name", "Deployment", name or names[0], choices=names),
        Field("span", "The last", "1h", "30m, 1h, 7d"),
    )

    def command(answers: Answers) -> str:
        return f"mlops monitors outliers {answers['name']} --now {answers['span']}"

    def act(answers: Answers, again: Callable[[], None]) -> None:
        desk.perform("look", lambda bench: _looked(bench, **answers), command=command(answers), otherwise=again)

    ask(desk, "Look for odd rows", fields, "Look", command, act)


def _looked(bench: Workbench, name: str, span: str) -> str:
    now, served = bench.context.now(), bench.serving.get(name)
    bench.serving.compact()
    ref = f"{served.model}/{main_version(served)}"
    found = bench.monitoring.odd.look(name, ref, now - clock.parse_span(span), now, neighbours=True)
    if found is None:
        raise NotFound(
            f"There is nothing to look at in the last {span} of {name}.",
            hint="Rows of versions are looked at whose profile has numbers.",
        )
    return f"{found.odd:,} of {found.rows:,} rows are odd; {found.alpha:.1%} is usual."
