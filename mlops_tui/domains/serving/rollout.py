"""A staged rollout: what is kept of one, and what follows from what was seen. Pure: no clock, no I/O."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.evidence import MOST, Counts, Evidence, weigh
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, State, WorkerState, quantile

ERRORS, SLOW, WRONG = "errors", "slow answers", "wrong answers"
RESTARTS = 3
ALL_FAILED = 5
# An answer is slow beyond twice the p95 before the rollout: less is the difference between a warm and a fresh process.
SLOW_TIMES = 2.0
SLOW_NEEDS = 100
# A worker with a tenth of the traffic finds its memory cold and the cores busy with the other one, and a stall of the machine
# meets several of its answers at once: only a share of slow answers beyond twice the others' counts against a canary.
SLOWER = 2.0


class RolloutState(enum.StrEnum):
    """How far a rollout is."""

    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    CANCELLED = "cancelled"


ENDED = frozenset({RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.CANCELLED})


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """When a rollout goes on.

    `alpha`: the chance to roll back a version that is no worse, over all kinds of failure and all looks. Margins: differences
    of rates that are good enough at the end. `bake_s` and `min_requests` (of the canary) hold for every step; it is not promoted
    before `min_labels` of its answers were proved right or wrong, since labels lag behind requests.
    """

    bake_s: float = 300.0
    min_requests: int = 200
    alpha: float = 0.04
    error_margin: float = 0.02
    slow_margin: float = 0.05
    wrong_margin: float = 0.05
    min_labels: int = 0

    @classmethod
    def of(
        cls, *, bake_s: float = 0, min_requests: int = 0, margin: float = 0, alpha: float = 0, min_labels: int = 0
    ) -> Rules:
        """Rules from what was said; 0 stands for the default. One `margin` for all: that of errors, and no less for the others."""
        given = {"bake_s": bake_s, "min_requests": min_requests, "error_margin": margin, "alpha": alpha}
        given["min_labels"] = min_labels
        others = {name: max(margin, getattr(cls(), name)) for name in ("slow_margin", "wrong_margin")}
        return cls(**{name: value for name, value in given.items() if value}, **others)  # type: ignore[arg-type]

    def margin(self, kind: str) -> float:
        return {ERRORS: self.error_margin, SLOW: self.slow_margin, WRONG: self.wrong_margin}[kind]


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """One version on its way to all the traffic of a deployment.

    `stable` are the weights before it, `steps` the shares it gets (percent, the last is 100), `step` the place in them.
    `to` is where the registry promotes it in the end ("" for nowhere). `slow_ms` and `wrong_beyond` (regression) are the
    bounds of slow and wrong, taken from before it began; None where nothing was known. `revision` is that of the deployment.
    """

    id: int
    deployment: str
    model: str
    version: int
    stable: dict[int, float]
    steps: tuple[float, ...]
    step: int
    state: RolloutState
    rules: Rules
    to: str
    slow_ms: float | None
    wrong_beyond: float | None
    revision: int
    by: str
    why: str
    reason: str
    began_at: int
    step_at: int
    ended_at: int | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def ref(self) -> str:
        return f"{self.model}/{self.version}"

    @property
    def share(self) -> float:
        """The percent of the traffic it has now."""
        return self.steps[self.step]


class Action(enum.StrEnum):
    HOLD = "hold"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ROLL_BACK = "roll back"


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """What to do now, and the sentence that says why, with its numbers."""

    action: Action
    reason: str
    evidence: tuple[Evidence, ...] = ()


def check_steps(steps: Sequence[float]) -> tuple[float, ...]:
    """Return growing shares that end with 100. Raises InvalidInput."""
    wanted = tuple(float(step) for step in steps)
    grows = all(0 < a < b for a, b in zip((0.0001, *wanted), wanted, strict=False))
    if not wanted or not grows or wanted[-1] > 100:
        raise InvalidInput(
            f"The steps {', '.join(f'{step:g}' for step in wanted) or 'of nothing'} are no rollout.",
            hint="Give growing percents of the traffic: 5,25,100.",
        )
    if wanted == (100.0,):
        raise InvalidInput("A rollout in one step compares nothing.", hint="Deploy it, or give a smaller first step.")
    return wanted if wanted[-1] == 100 else (*wanted, 100.0)


def check_rules(rules: Rules) -> Rules:
    """Return the rules when they can be; raises InvalidInput."""
    if not 0 < rules.alpha < 0.5:
        raise InvalidInput(f"alpha = {rules.alpha:g} is no chance of a false alarm.", hint="Give 0.01 to 0.1.")
    for name in ("error_margin", "slow_margin", "wrong_margin"):
        if not 0 < getattr(rules, name) <= 1:
            raise InvalidInput(f"{name} = {getattr(rules, name):g} is no difference of rates.", hint="Try 0.02.")
    if rules.bake_s < 0 or rules.min_requests < 1 or rules.min_labels < 0:
        raise InvalidInput("The time, the number of requests and that of labels cannot be negative.")
    return rules


def judge(
    rollout: Rollout,
    now: int,
    intervals: Sequence[Interval],
    labels: Iterable[Counts],
    worker: WorkerState | None,
) -> Judgement:
    """Say what follows for a running rollout from its traffic since it began (oldest first), its labels and its worker."""
    evidence = _evidence(rollout, intervals, labels)
    broken = _broken(rollout, intervals, worker)
    if broken:
        return Judgement(Action.ROLL_BACK, broken, evidence)
    worst = max(evidence, key=lambda one: one.e_value)
    limit = len(evidence) / rollout.rules.alpha  # Bonferroni: several kinds share the one chance of a false alarm
    if worst.e_value > limit:
        return Judgement(Action.ROLL_BACK, _worse(worst, limit), evidence)
    waits = _waits(rollout, now, intervals)
    if waits:
        return Judgement(Action.HOLD, waits, evidence)
    if rollout.step + 2 < len(rollout.steps):
        following = rollout.steps[rollout.step + 1]
        return Judgement(Action.ADVANCE, f"no evidence against it, so {following:g} % of the traffic", evidence)
    lacking = rollout.rules.min_labels - next((one.canary for one in evidence if one.kind == WRONG), 0)
    if lacking > 0:
        return Judgement(Action.HOLD, f"waits for labels of {lacking} more of its answers", evidence)
    unsure = [one for one in evidence if one.missing]
    if unsure:
        return Judgement(Action.HOLD, _unsure(max(unsure, key=lambda one: one.missing), rollout.rules), evidence)
    return Judgement(Action.PROMOTE, f"{'; '.join(map(_fine, evidence))}", evidence)


def slow_bound(intervals: Sequence[Interval]) -> float | None:
    """Beyond how many ms an answer counts as slow: twice the p95 of this traffic; None when there is too little of it."""
    counts = [sum(column) for column in zip(*(one.histogram for one in intervals), strict=True)]
    p95 = quantile(counts, 0.95)
    return SLOW_TIMES * p95 if p95 is not None and sum(counts) >= SLOW_NEEDS else None


def _evidence(rollout: Rollout, intervals: Sequence[Interval], labels: Iterable[Counts]) -> tuple[Evidence, ...]:
    rules = rollout.rules
    kinds = {ERRORS: [_count(rollout, group, _errors) for group in _stretches(intervals)]}
    bound = rollout.slow_ms
    if bound is not None:
        kinds[SLOW] = [_count(rollout, group, lambda one: _slow(one, bound)) for group in _stretches(intervals)]
    labelled = list(labels)
    if labelled:
        kinds[WRONG] = labelled
    return tuple(
        weigh(kind, counts, alpha=rules.alpha, margin=rules.margin(kind), tolerated=SLOWER if kind == SLOW else 1.0)
        for kind, counts in kinds.items()
    )


def _stretches(intervals: Sequence[Interval]) -> list[list[Interval]]:
    groups: dict[int, list[Interval]] = {}
    for one in intervals:
        groups.setdefault(one.at, []).append(one)
    return [groups[at] for at in sorted(groups)]


def _count(rollout: Rollout, group: Iterable[Interval], failures: Callable[[Interval], int]) -> Counts:
    sides = {True: [0, 0], False: [0, 0]}
    for one in group:
        side = sides[one.version == rollout.version]
        side[0] += one.requests
        side[1] += failures(one)
    return Counts(*sides[True], *sides[False])


def _errors(one: Interval) -> int:
    """Refusals of the model count too: mistakes of callers meet both sides alike, a version that cannot take a row does not."""
    return one.server_errors + one.client_errors


def _slow(one: Interval, bound: float) -> int:
    first = bisect.bisect_left(BOUNDS_MS, bound) + 1  # the first bucket that holds only slower ones
    return sum(one.histogram[first:])


def _broken(rollout: Rollout, intervals: Sequence[Interval], worker: WorkerState | None) -> str:
    """What needs no statistics."""
    if worker is not None and worker.state is State.FAILED:
        return f"its worker failed: {worker.detail or 'no reason given'}"
    if worker is not None and worker.restarts >= RESTARTS:
        return f"its worker had to be started {worker.restarts + 1} times"
    mine = [one for one in intervals if one.version == rollout.version and one.requests]
    if mine and mine[-1].requests >= ALL_FAILED and mine[-1].server_errors == mine[-1].requests:
        return f"each of its last {mine[-1].requests} answers was an error"
    return ""


def _waits(rollout: Rollout, now: int, intervals: Sequence[Interval]) -> str:
    requests = sum(one.requests for one in intervals if one.version == rollout.version and one.at >= rollout.step_at)
    lacking = rollout.rules.min_requests - requests
    left = rollout.rules.bake_s - (now - rollout.step_at) / 1000
    if lacking > 0:
        return f"waits for {lacking} more requests at {rollout.share:g} %"
    return f"waits {math.ceil(left)} s more at {rollout.share:g} %" if left > 0 else ""


def _worse(one: Evidence, limit: float) -> str:
    return (
        f"{one.kind}: {one.canary_failed} of {one.canary} ({one.canary_rate:.2%}) against {one.stable_failed} of "
        f"{one.stable} ({one.stable_rate:.2%}), evidence {one.e_value:.3g} past {limit:g}"
    )


def _unsure(one: Evidence, rules: Rules) -> str:
    margin, gap = rules.margin(one.kind), "?" if one.difference is None else f"{one.difference:.2%}"
    if one.missing >= MOST:
        return f"{one.kind} may be {gap} more often, past the margin of {margin:.2%}: a person has to decide"
    return (
        f"{one.kind} may still be {gap} more often (margin {margin:.2%}): about {one.missing} more requests are needed"
    )


def _fine(one: Evidence) -> str:
    gap = 0.0 if one.difference is None else one.difference
    return f"{one.kind} {one.canary_rate:.2%} against {one.stable_rate:.2%}, at most {max(0.0, gap):.2%} more"


def weights(rollout: Rollout, step: int) -> dict[int, float]:
    """Percent per version at a step: the canary's share, and the rest as it was before."""
    share = rollout.steps[step]
    rest: Mapping[int, float] = {v: w for v, w in rollout.stable.items() if v != rollout.version}
    total = sum(rest.values())
    found = {version: weight / total * (100 - share) for version, weight in rest.items()} if share < 100 else {}
    return {**found, rollout.version: share}
