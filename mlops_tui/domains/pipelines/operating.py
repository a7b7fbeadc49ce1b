"""What a pipeline file says about where a model goes, when and with what it runs, section by section: the names and types of INTERFACES."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mlops_tui.domains.pipelines.making import Positive, Share

_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


class Register(Struct, forbid_unknown_fields=True, frozen=True):
    """[register]"""

    model: str = ""
    description: str = ""


class Deploy(Struct, forbid_unknown_fields=True, frozen=True):
    """[deploy] `steps` are the shares of a canary in percent, each held for `bake` and `min_requests`, and in the end its
    failures may be more by `margin`; `approval` leaves the last word to a person.
    """

    to: Literal["none", "staging", "production"] = "none"
    deployment: str = ""
    strategy: Literal["replace", "blue_green", "canary", "shadow"] = "replace"
    steps: list[Annotated[float, Meta(gt=0, le=100)]] = []
    bake: str = ""
    min_requests: Annotated[int, Meta(ge=0)] = 0
    min_labels: Annotated[int, Meta(ge=0)] = 0
    margin: Share = 0.0
    approval: bool = False


class Trigger(Struct, forbid_unknown_fields=True, frozen=True):
    """[[triggers]] `deployment` and `table` name what is watched; by default the pipeline's own.

    `jitter` spreads slots over that span, `within` is how young data must be, `grace` how late a slot may start under
    missed = "skip". `all` and `any` are conditions (`When`) on top of the kind, or all there is of kind "condition". `branch` and
    `paths` are what a commit trigger watches; `then` "release" tests, packages and deploys to staging instead of running; with `dry_run`
    it only says what it would do.
    """

    kind: Literal["schedule", "new_data", "drift", "performance", "commit", "condition", "manual"]
    cron: str = ""
    timezone: str = "UTC"
    missed: Literal["skip", "latest", "all"] = "latest"
    overlap: Literal["skip", "queue", "replace"] = "skip"
    cooldown: str = ""
    deployment: str = ""
    table: str = ""
    rows: Annotated[int, Meta(ge=0)] = 0
    share: Share = 0.0
    max_per_day: Annotated[int, Meta(ge=0)] = 0
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    jitter: str = ""
    grace: str = ""
    within: str = ""
    all: list[dict[str, Any]] = []
    any: list[dict[str, Any]] = []
    branch: str = ""
    paths: list[str] = []
    then: Literal["", "run", "release"] = ""
    dry_run: bool = False


class When(Struct, forbid_unknown_fields=True, frozen=True):
    """One condition of a trigger. new_data: a table has at least `rows` more, no older than `within`; fresh: its newest data
    is no older than `within`; drift and performance: the deployment has such an alert.
    """

    kind: Literal["new_data", "fresh", "drift", "performance"]
    table: str = ""
    deployment: str = ""
    rows: Annotated[int, Meta(ge=0)] = 0
    share: Share = 0.0
    within: str = ""


_BYTES = r"^(\d+(\.\d+)?\s?(MB|GB|MiB|GiB))?$"


class Limits(Struct, forbid_unknown_fields=True, frozen=True):
    """[resources.steps.NAME] What one step may take: processors, GPUs and what else `needs` names while others run beside it,
    time, memory, and how often it is tried again after a failure that is not the data's, with a pause that doubles.
    """

    timeout: str = ""
    memory: Annotated[str, Meta(pattern=_BYTES)] = ""
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    backoff: str = "1s"
    cpu: Annotated[float, Meta(ge=0)] = 1.0
    gpu: Annotated[float, Meta(ge=0)] = 0.0
    needs: dict[str, Annotated[float, Meta(gt=0)]] = {}

    @property
    def taken(self) -> dict[str, float]:
        """How much of what the step takes while it runs."""
        return {"cpu": self.cpu, **({"gpu": self.gpu} if self.gpu else {}), **self.needs}


class Resources(Struct, forbid_unknown_fields=True, frozen=True):
    """[resources] `jobs`: processors an estimator may use, where it takes `n_jobs` and [model.params] says nothing of it, and
    how many settings are tried at once. `cache`: a step whose inputs, settings and code were seen before is not done again.
    `engine`: where that is done, on the cluster at `address` or on `jobs` workers here.
    `cpu`, `gpu` and whatever `needs` names are taken from the workspace's [daemon] limits while the run lasts; it waits for them.
    Of what only its steps name (processors aside), a run takes what the largest of them does; steps share what their run holds.
    """

    engine: Literal["local", "dask", "ray"] = "local"
    address: str = ""
    jobs: Positive = 1
    timeout: str = ""
    memory: Annotated[str, Meta(pattern=_BYTES)] = ""
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    cache: bool = True
    cpu: Annotated[float, Meta(ge=0)] = 0.0
    gpu: Annotated[float, Meta(ge=0)] = 0.0
    needs: dict[str, Annotated[float, Meta(gt=0)]] = {}
    steps: dict[str, Limits] = {}

    @property
    def taken(self) -> dict[str, float]:
        """How much of which limited resource a run holds."""
        held: dict[str, float] = {}
        for step in self.steps.values():
            for name, amount in step.taken.items():
                if name != "cpu":
                    held[name] = max(held.get(name, 0.0), amount)
        own = {name: amount for name, amount in (("cpu", self.cpu), ("gpu", self.gpu)) if amount}
        return {**held, **self.needs, **own}


class Extra(Struct, forbid_unknown_fields=True, frozen=True):
    """[[steps]] A function `run(frame) -> frame` of the project that changes the joined rows; `params` go to it by name.

    `needs`: the own steps, or `load`, whose rows it takes, side by side where there are several; by default the step listed
    before it. Steps that do not need each other run at the same time. `cache` false: it reads more than the frame, so it is
    done anew each time.
    """

    name: str
    uses: str
    params: dict[str, Any] = {}
    cache: bool = True
    after: Literal["load"] = "load"
    needs: list[str] | None = None


class Column(Struct, forbid_unknown_fields=True, frozen=True):
    """A column as a contract wants it: `min` and `max` of numbers, `missing` the share that may be, `values` all there are."""

    type: Literal["any", "number", "integer", "text", "time", "bool"] = "any"
    min: float | None = None
    max: float | None = None
    missing: Annotated[float, Meta(ge=0, le=1)] = 1.0
    values: list[Any] = []


class Contract(Struct, forbid_unknown_fields=True, frozen=True):
    """[[contracts]] What the rows must be after `load` (with all own steps), `split` or one own step, else the run ends."""

    columns: dict[str, Column] = {}
    after: str = "load"
    rows: Annotated[int, Meta(ge=0)] = 0


def bytes_of(text: str) -> int | None:
    """`1.5GB` as bytes; None for no limit."""
    if not text:
        return None
    unit = next(unit for unit in sorted(_UNITS, key=len, reverse=True) if text.endswith(unit))
    return round(float(text.removesuffix(unit)) * _UNITS[unit])
