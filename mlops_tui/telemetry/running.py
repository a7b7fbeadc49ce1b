"""What runs and jobs take of the machine, for rules: of one, of those of an experiment or pipeline, or of any that runs now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.alerts.rules import COVERED, Found, Watch

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.rules import Rule
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.workbench import Workbench

KINDS = ("run", "job")
_JOBS = 1000


def check(bench: Workbench, kind: str, subject: str) -> None:
    """Raise NotFound for a run, experiment, job or pipeline that there is not; nothing named is whatever runs."""
    if not subject:
        return
    if kind == "run":
        _runs(bench, subject)
    elif subject not in {one.name for one in bench.pipelines.list()}:
        if not subject.isdecimal():
            raise NotFound(f"There is no job or pipeline '{subject}'.", hint="mlops jobs list")
        bench.jobs.get(int(subject))


def values(bench: Workbench, rule: Rule, since: int, points: int) -> Found | None:
    """(ms, value) of the one that is meant, of several the one nearest to what the rule looks for; None when none runs any more."""
    kind, _, series = rule.series.partition(".")
    live = [one for one in _meant(bench, kind, rule.subject) if bench.hardware.load(one)]
    if not live:
        return None
    found = []
    for subject in live:
        if series in bench.hardware.load_series(subject):
            looked = bench.hardware.load_history(subject, series, since, points=points)
            found.append(Found([(at, mean) for at, _, mean, _ in looked], of=subject))
    known = [one for one in found if one]
    begun = since + (1 - COVERED) * (bench.context.now() - since)
    long_enough = [one for one in known if one[0][0] <= begun] or known
    if not long_enough:
        return Found()
    if rule.test in (Watch.BELOW, Watch.FALLS):
        return min(long_enough, key=lambda one: max(value for _, value in one))
    return max(long_enough, key=lambda one: min(value for _, value in one))


def _meant(bench: Workbench, kind: str, subject: str) -> Sequence[str]:
    """What the subject of a rule stands for, as loads are named."""
    known = bench.hardware.loads(kind)
    if not subject:
        return known
    if kind == "run":
        of = {f"run {one.id}" for one in _runs(bench, subject)}
    else:
        jobs = bench.jobs.list(state="running", internal=None, limit=_JOBS)
        of = {f"job {one.id}" for one in jobs if subject in (str(one.id), one.name)}
    return [one for one in known if one in of]


def _runs(bench: Workbench, name: str) -> Sequence[Run]:
    """The runs of an experiment that run, or the one run of that id. Raises NotFound."""
    if name in {one.name for one in bench.experiments.list()}:
        return bench.experiments.runs(name, state="running")
    try:
        return [bench.experiments.run(name)]
    except InvalidInput:  # it is no id either
        raise NotFound(f"There is no run or experiment '{name}'.", hint="mlops experiments list") from None
