"""What the pages of a pipeline and of one of its runs say. All `of`-functions run in a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid, Text, draw_all
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, line, number, state
from mlops_tui.tui.screens import cells, verdict
from mlops_tui.tui.screens.joblog import tail
from mlops_tui.tui.screens.pipeline_steps import in_line, took
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import (
        Definition,
        Package,
        PipelineRun,
        Placement,
        Trial,
    )


def run_state(word: object) -> Span:
    """Waiting means waiting for a person here, so it must be seen."""
    return ("▲ waiting for you", "warn") if str(word) == "waiting" else state(word)


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
        (name, in_line(value)) for name, value in one.run.facts.items() if name not in {"like", "test"} and value
    )
    blocks: list[Block] = [head_of(one.run, one.now), Grid(("Made of", ""), made, title="To make it again")]
    return [((" ", "text"), *each) for each in draw_all(blocks, width - 2)]


def trials(of: str, bench: Workbench) -> list[Trial]:
    """The settings a search tried."""
    return bench.pipelines.trials(of)


def settings(one: Trial) -> str:
    """Its parameters in a line."""
    return ", ".join(f"{key} {in_line(value)}" for key, value in one.params.items())


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
    return ", ".join(f"{key} {in_line(value)}" for key, value in trigger.items() if key != "kind" and value)


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
