"""What a study is: how it searches, what it tries, and what came out of each trial."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from mlops_tui.core.errors import InvalidInput

DIRECTIONS = ("minimize", "maximize")
SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("none", "median", "hyperband")
KINDS = ("float", "int", "choice")
STUDY_TAG = "study"
TRIAL_TAG = "study.trial"
STATE_TAG = "study.state"
VALUE = "objective"
BEST = "best"
_HOLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a command: a range from `low` to `high` (by `log`arithm if said so), or `choices`."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float = 0.0
    choices: tuple[str, ...] = ()

    def suggest(self, trial: Any) -> Any:
        """Its value in an Optuna trial."""
        if self.kind == "choice":
            return trial.suggest_categorical(self.name, list(self.choices))
        if self.kind == "int":
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=int(self.step) or 1, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step or None, log=self.log)

    def grid(self) -> list[Any]:
        """All its values. Raises InvalidInput for a float without a step, which has no end of them."""
        if self.kind == "choice":
            return list(self.choices)
        if self.kind == "float" and not self.step:
            raise InvalidInput(f"A grid needs a step for '{self.name}'.", hint=f"{self.name}=float:0:1:step=0.1")
        step = self.step or 1
        values: list[Any] = []
        while (value := self.low + len(values) * step) <= self.high + step * 1e-9:
            values.append(int(value) if self.kind == "int" else value)
        return values


def read_param(text: str) -> Param:
    """`lr=float:1e-5:0.1:log`, `depth=int:2:10`, `kind=choice:a,b`, `rate=float:0:1:step=0.1`. Raises InvalidInput."""
    name, _, rest = text.partition("=")
    kind, _, rest = rest.partition(":")
    hint = "Write lr=float:1e-5:0.1:log, depth=int:2:10 or kind=choice:a,b."
    if not re.fullmatch(r"\w+", name) or kind not in KINDS:
        raise InvalidInput(f"'{text}' is no parameter.", hint=hint)
    if kind == "choice":
        choices = tuple(one for one in rest.split(",") if one)
        if not choices:
            raise InvalidInput(f"'{text}' names no choices.", hint=hint)
        return Param(name, kind, choices=choices)
    parts = rest.split(":")
    try:
        low, high = float(parts[0]), float(parts[1])
        step = next((float(one[5:]) for one in parts[2:] if one.startswith("step=")), 0.0)
    except (ValueError, IndexError):
        raise InvalidInput(f"'{text}' is no range.", hint=hint) from None
    unknown = [one for one in parts[2:] if one != "log" and not one.startswith("step=")]
    log = "log" in parts[2:]
    if (
        unknown
        or not low < high
        or (log and (low <= 0 or step))
        or (kind == "int" and (low % 1 or high % 1 or step % 1))
    ):
        raise InvalidInput(f"'{text}' is no range that can be searched.", hint=hint)
    return Param(name, kind, low, high, log, step)


@dataclass(frozen=True, slots=True)
class Study:
    """How a study was made. `objective` is `module:function`, or empty when `command` (a list of words with {holes}) is run."""

    name: str
    run_id: str
    experiment: str
    direction: str
    sampler: str
    pruner: str
    seed: int | None
    objective: str
    command: tuple[str, ...]
    params: tuple[Param, ...]
    created_at: int
    created_by: str

    @property
    def maximizes(self) -> bool:
        return self.direction == "maximize"


def check_command(command: tuple[str, ...], params: tuple[Param, ...]) -> None:
    """Raises InvalidInput for a hole without a parameter, and a parameter without a hole."""
    holes = {name for word in command for name in _HOLE.findall(word)}
    names = {param.name for param in params}
    if holes - names:
        raise InvalidInput(
            f"The command has {{{min(holes - names)}}}, which is no parameter.",
            hint=f"--param {min(holes - names)}=float:0:1",
        )
    if names - holes:
        raise InvalidInput(
            f"The command does not use the parameter '{min(names - holes)}'.",
            hint=f"Write {{{min(names - holes)}}} in it.",
        )


def filled(command: tuple[str, ...], values: dict[str, Any]) -> list[str]:
    """The words of a command with the values in their holes."""
    return [_HOLE.sub(lambda hole: str(values.get(hole[1], hole[0])), word) for word in command]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial as its run says it. `state` is running, complete, pruned, failed or lost; `best` the best value up to it."""

    number: int
    run_id: str
    state: str
    value: float | None
    best: float | None
    started_at: int
    ended_at: int | None
    params: dict[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a study is: trials by state, and the best complete one."""

    study: Study
    running: bool
    trials: list[Trial]

    @property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for trial in self.trials:
            found[trial.state] = found.get(trial.state, 0) + 1
        return found

    @property
    def best(self) -> Trial | None:
        complete = [trial for trial in self.trials if trial.state == "complete" and trial.value is not None]
        key = (lambda trial: -trial.value) if self.study.maximizes else (lambda trial: trial.value)
        return min(complete, key=key, default=None)
