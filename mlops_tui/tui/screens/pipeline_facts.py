"""What the pages of a pipeline and of one of its runs say. All `of`-functions run in a worker."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.pipelines import definition, graph
from mlops_tui.domains.pipelines.records import STEPS
from mlops_tui.tui.blocks import Block, Fields, Grid, Text, draw_all
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, clean, line, number, state, wrap
from mlops_tui.tui.screens import cells, verdict
from mlops_tui.tui.screens.joblog import tail
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import (
        Definition,
        Package,
        PipelineRun,
        Placement,
        StepRun,
        Trial,
    )

LOG_TAIL = 40
_PROBLEM = re.compile(r"^[^:]*:(\d+): (.*)$", re.S)


def run_state(word: object) -> Span:
    """Waiting means waiting for a person here, so it must be seen."""
    return ("▲ waiting for you", "warn") if str(word) == "waiting" else state(word)


# -- the definition ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A definition file as it stands, with its mistakes by line."""

    path: str
    text: str
    problems: tuple[tuple[int, str], ...]


def written(of: str, bench: Workbench) -> Written:
    """Read and validate the file. Raises NotFound."""
    path = Path(bench.pipelines.get(of).path)
    problems = []
    for one in bench.pipelines.validate(path):
        found = _PROBLEM.match(one)
        problems.append((int(found[1]), found[2]) if found else (1, one))
    project = bench.workspace.project
    shown = path.relative_to(project) if path.is_relative_to(project) else path
    return Written(str(shown), path.read_text(encoding="utf-8", errors="replace"), tuple(sorted(problems)))


def draw_written(one: Written, width: int, height: int, view: View | None = None) -> list[Line]:
    """The file with numbered lines; a mistake stands under its line, and all are counted at the top."""
    count = len(one.problems)
    head: Span = (f"✗ {count} {'mistake' if count == 1 else 'mistakes'}", "bad") if count else ("✓ right", "good")
    out: list[Line] = [line((f" {one.path}  ", "muted"), head), ()]
    rows = one.text.splitlines() or [""]
    marks = len(str(len(rows)))
    said: dict[int, list[str]] = {}
    for at, message in one.problems:
        said.setdefault(min(max(1, at), len(rows)), []).append(message)
    for at, row in enumerate(rows, 1):
        wrong = at in said
        out.append(line((f" {at:>{marks}} ", "bad" if wrong else "muted"), ("✗ " if wrong else "│ ", "bad" if wrong else "muted"),
                        *_toml(clean(row))))  # fmt: skip
        for message in said.get(at, ()):
            pieces = wrap(message, max(20, width - marks - 7))
            out += [
                line((" " * (marks + 2), "text"), (f"└ {piece}" if not n else f"  {piece}", "bad"))
                for n, piece in enumerate(pieces)
            ]
    return out


def _toml(row: str) -> Line:
    """A line of TOML with its parts told apart: tables, keys, values, comments."""
    if row.lstrip().startswith("#"):
        return ((row, "muted"),)
    if row.lstrip().startswith("["):
        return ((row, "title"),)
    key, sign, rest = row.partition("=")
    if not sign:
        return ((row, "text"),)
    at = _comment(rest)
    return ((key, "accent"), ("=", "muted"), (rest[:at], "text"), (rest[at:], "muted"))


def _comment(text: str) -> int:
    """Where a comment begins: at the first # outside of quotes."""
    quote = ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            return at
    return len(text)


# -- the graph ---------------------------------------------------------------------------------------------------------

BUILT_IN = frozenset({*STEPS, graph.COLLECT})
BAR = 24
"""Cells of the time bar beside the steps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A step of the graph: its branches, what it is, when it ran within the run, and the run it belongs to."""

    branch: str
    step: StepRun
    begin: float
    share: float
    run: str
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.step.name


def steps(of: str, bench: Workbench) -> list[Row]:
    """The steps of a run in their order."""
    run = bench.pipelines.get_run(of)
    return rows_of(run, bench.context.now(), _needs(bench, run))


def _needs(bench: Workbench, run: PipelineRun) -> Mapping[str, tuple[str, ...]]:
    """What each step waits for, by the definition the run was made with."""
    try:
        recipe = definition.parse(bench.pipelines.definition_of(run.id), f"{run.pipeline}.toml")
    except WorkbenchError:  # a newer version of this program wants it otherwise
        return {}
    return graph.whole([step.name for step in run.steps], graph.own_needs(recipe.steps))


def rows_of(run: PipelineRun, now: int, needs: Mapping[str, tuple[str, ...]]) -> list[Row]:
    """Each step with where it lies between begin and end of the run (until now, while it runs); own steps are a branch."""
    begins = [step.started_at for step in run.steps if step.started_at is not None]
    start = min(begins, default=run.started_at or run.created_at)
    end = max([step.ended_at or now for step in run.steps if step.started_at is not None], default=now)
    span = max(1, end - start)
    names = [step.name for step in run.steps]
    out = []
    for at, step in enumerate(run.steps):
        begin, share = 0.0, 0.0
        if step.started_at is not None:
            begin, share = (step.started_at - start) / span, ((step.ended_at or now) - step.started_at) / span
        out.append(Row(_branch(names, at), step, begin, share, run.id, needs.get(step.name, ())))
    return out


def _branch(names: Sequence[str], at: int) -> str:
    """The line to a step: built-in ones along the trunk, the project's own beside it."""
    if names[at] not in BUILT_IN:
        last = at + 1 == len(names) or names[at + 1] in BUILT_IN
        return "│ └ " if last else "│ ├ "
    return "┌ " if at == 0 else "└ " if at == len(names) - 1 else "├ "


def bar(one: Row, width: int = BAR) -> Span:
    """Where a step lies within the run, as a bar."""
    if one.step.started_at is None:
        return ("·" * width, "muted")
    first = min(width - 1, int(one.begin * width))
    length = max(1, round(one.share * width))
    roles = {"running": "busy", "failed": "bad", "succeeded": "good"}
    text = " " * first + "━" * min(length, width - first)
    return (f"{text:<{width}}", roles.get(str(one.step.state), "muted"))


def took(start: int | None, end: int | None, now: int) -> str:
    """How long; how long so far where it has no end."""
    return "-" if start is None else clock.duration((end or now) - start)


def step_detail(bench: Workbench, one: Row) -> Sequence[Block]:
    """A step: what it gave, and the end of its log."""
    step, now = one.step, bench.context.now()
    head = Fields(
        (
            ("State", state(step.state)),
            ("Took", took(step.started_at, step.ended_at, now)),
            ("Waits for", ", ".join(one.needs)),
            ("Said", (step.detail, "bad" if str(step.state) == "failed" else "text")),
        ),
        title=step.name,
    )
    return (head, *_outputs(bench, one.run, step.name), _log(bench, one.run, step.name))


def _outputs(bench: Workbench, run_id: str, step: str) -> Sequence[Block]:
    """What a step handed on, as it was written for the steps after it."""
    path = bench.pipelines.folder(run_id) / f"{step}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())["result"]
    except (OSError, ValueError, KeyError):
        return ()
    shown = {name: value for name, value in found.items() if name not in {"detail", "key", "verdict"}}
    pairs = tuple(
        (name, _value(value))
        for name, value in shown.items()
        if not _is_table(value) and value not in (None, "", [], {})
    )
    tables = [_table(name, value) for name, value in shown.items() if _is_table(value)]
    return (Grid(("Gave", ""), pairs, title="Outputs"), *tables) if pairs or tables else ()


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Grid:
    heads = tuple(rows[0])
    return Grid(heads, tuple(tuple(_value(row.get(head)) for head in heads) for row in rows[:20]), title=name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    return number(value) if isinstance(value, int | float) else clean(value)


def _log(bench: Workbench, run_id: str, step: str) -> Text:
    try:
        text = bench.pipelines.step_log(run_id, step)
    except WorkbenchError:  # a step of the project's own has no log file of its own
        text = ""
    return Text("\n".join(text.splitlines()[-LOG_TAIL:]) or "it wrote nothing", "muted", title="Log")


# -- a run -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """A run with what its parts are drawn from."""

    run: PipelineRun
    now: int


def ran(of: str, bench: Workbench) -> Ran:
    """Read it. Raises NotFound."""
    return Ran(bench.pipelines.get_run(of), bench.context.now())


def head_of(run: PipelineRun, now: int) -> Fields:
    """What a run is, why it ran, and what came of it."""
    like = run.facts.get("like")
    same = (
        ""
        if not like
        else "equal to the last digit"
        if like["equal"]
        else "different: " + "; ".join(like["differences"])
    )
    override = run.options.get("override")
    return Fields(
        (
            ("Run", run.id),
            ("State", run_state(run.state)),
            ("Cause", cells.compact(run.cause)),
            ("By", run.actor),
            ("Started", cells.moment(run.started_at, now)),
            ("Ended", cells.moment(run.ended_at, now)),
            ("Took", took(run.started_at, run.ended_at, now) if run.started_at else ""),
            ("Version", run.version),
            ("Logged as", run.run_id),
            ("Job", number(run.job_id) if run.job_id else ""),
            ("Package", str(run.options.get("package") or "")),
            ("Where", str(run.options.get("environment") or "")),
            (f"Like {str(like['run'])[:8]}" if like else "Like", same),
            ("Let through", (f"by {override['by']}: {override['why']}", "warn") if override else ""),
            ("Error", (run.error, "bad")),
        ),
        title=run.pipeline,
    )


def draw_gate(one: Ran, width: int, height: int, view: View | None = None) -> list[Line]:
    """The verdict with every number, or why there is none."""
    if one.run.verdict is None:
        return [(), line(f" There is no verdict: the run is {one.run.state}."),
                line((f"   mlops pipelines show {one.run.id[:8]}", "accent"))]  # fmt: skip
    return [
        ((" ", "text"), *each) for each in draw_all([*verdict.blocks(one.run.verdict), *_override(one.run)], width - 2)
    ]


def _override(run: PipelineRun) -> Sequence[Block]:
    said = run.options.get("override")
    return (Text(f"{said['by']} let it through: {said['why']}", "warn"),) if said else ()


def draw_origin(one: Ran, width: int, height: int, view: View | None = None) -> list[Line]:
    """What the run was, and what it was made of: snapshots, code, environment, seeds."""
    made = tuple(
        (name, _value(value)) for name, value in one.run.facts.items() if name not in {"like", "test"} and value
    )
    blocks: list[Block] = [head_of(one.run, one.now), Grid(("Made of", ""), made, title="To make it again")]
    return [((" ", "text"), *each) for each in draw_all(blocks, width - 2)]


def trials(of: str, bench: Workbench) -> list[Trial]:
    """The settings a search tried."""
    return bench.pipelines.trials(of)


def settings(one: Trial) -> str:
    """Its parameters in a line."""
    return ", ".join(f"{key} {_value(value)}" for key, value in one.params.items())


# -- packages and environments -----------------------------------------------------------------------------------------


def package_detail(bench: Workbench, one: Package) -> Sequence[Block]:
    """A package: its hashes, what its test looked at, its files, the libraries it was locked with."""
    now = bench.context.now()
    head = Fields(
        (
            ("Archive", f"sha256 {one.sha[:16]}"),
            ("Content", one.content[:16]),
            ("Commit", one.commit[:12]),
            ("Why", one.why),
            ("By", one.created_by),
            ("Made", cells.moment(one.created_at, now)),
            ("Test", cells.yes_no(one.report.passed, f"passed on {one.report.rows:,} rows", "failed")),
        ),
        title=one.ref,
    )
    checks = tuple(
        (cells.yes_no(found.passed, found.kind, found.kind), found.subject, (found.detail, "muted"))
        for found in one.report.checks
    )
    files = tuple((name, (sha[:12], "muted")) for name, sha in one.files.items())
    lock = tuple((name, version) for name, version in one.lock.items())
    return (head, Grid(("Check", "Of", ""), checks, title="Test"), Grid(("File", "sha256"), files, title="Files"),
            Grid(("Library", "Version"), lock, title="Lock"))  # fmt: skip


def placement_detail(bench: Workbench, one: Placement) -> Sequence[Block]:
    """Where a package was put, by whom and why, and the package."""
    head = Fields(
        (
            ("State", state(one.state)),
            ("Environment", str(one.environment)),
            ("Action", one.action),
            ("By", one.actor),
            ("At", cells.moment(one.at, bench.context.now())),
            ("Why", one.why),
            ("Run", one.run_id[:8]),
        ),
        title=f"{one.pipeline}@{one.version}",
    )
    return (head, *package_detail(bench, bench.pipelines.package_of(f"{one.pipeline}@{one.version}")))


# -- beside the list ---------------------------------------------------------------------------------------------------


def pipeline_detail(bench: Workbench, one: Definition) -> Sequence[Block]:
    """A pipeline: mistakes of its file first, then what it does, when it runs and how it went."""
    now = bench.context.now()
    path, project = Path(one.path), bench.workspace.project
    head = Fields(
        (
            ("File", str(path.relative_to(project)) if path.is_relative_to(project) else str(path)),
            ("About", one.description),
            ("Owner", one.owner),
            ("Data", f"{one.spine} + {', '.join(one.features)}" if one.features else one.spine),
            ("Target", one.target),
            ("Model", f"{one.estimator} → {one.model}" if one.model else one.estimator),
            ("Deploys to", f"{one.deployment} ({one.deploy_to})" if one.deployment else one.deploy_to),
            ("Package", one.package),
        ),
        title=one.name,
    )
    triggers = tuple((str(each.get("kind", "")), _trigger(each)) for each in one.triggers)
    runs = tuple(
        (run.id[:8], run_state(run.state), run.version, (clock.ago(run.started_at or run.created_at, now), "muted"))
        for run in bench.pipelines.runs(one.name, limit=8)
    )
    mistakes = Text("\n".join(f"✗ {problem}" for problem in one.problems), "bad", title="Mistakes in the file")
    return (
        *((mistakes,) if one.problems else ()),
        head,
        Grid(("Trigger", ""), triggers, title="Triggers", empty="only by hand (r)"),
        Grid(("Run", "State", "Version", "When"), runs, title="Runs (o lists all)", empty="none yet: r runs it"),
    )


def _trigger(trigger: dict[str, Any]) -> str:
    if trigger.get("kind") == "schedule":
        return f"{trigger.get('cron', '')} {trigger.get('timezone', '')}"
    return ", ".join(f"{key} {_value(value)}" for key, value in trigger.items() if key != "kind" and value)


def run_detail(bench: Workbench, run: PipelineRun) -> Sequence[Block]:
    """A run beside the list: why it ran, its steps, what the gate looked at, the end of its log."""
    now = bench.context.now()
    done = tuple(
        (step.name, state(step.state), took(step.started_at, step.ended_at, now), (step.detail, "muted"))
        for step in run.steps
    )
    blocks: list[Block] = [head_of(run, now), Grid(("Step", "State", "Took", ""), done, title="Steps")]
    if run.verdict is not None:
        blocks += verdict.blocks(run.verdict)
    if run.job_id:
        blocks.append(Text(tail(Path(bench.jobs.log_path(run.job_id))), "muted", title="Log (l follows it)"))
    return blocks
