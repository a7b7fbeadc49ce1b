"""What a pipeline file says about where a model goes, when and with what it runs, section by section: the names and types of INTERFACES."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mlops_tui.domains.pipelines.making import Positive, Share


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
    margin: Share = 0.0
    approval: bool = False


class Trigger(Struct, forbid_unknown_fields=True, frozen=True):
    """[[triggers]] `deployment` and `table` name what is watched; by default the pipeline's own."""

    kind: Literal["schedule", "new_data", "drift", "performance", "commit", "manual"]
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


class Resources(Struct, forbid_unknown_fields=True, frozen=True):
    """[resources] `jobs`: processors an estimator may use, where it takes `n_jobs` and [model.params] says nothing of it, and
    how many settings are tried at once. `cache`: a step whose inputs, settings and code were seen before is not done again.
    """

    engine: Literal["local"] = "local"
    jobs: Positive = 1
    timeout: str = ""
    memory: Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?\s?(MB|GB|MiB|GiB))?$")] = ""
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    cache: bool = True


class Extra(Struct, forbid_unknown_fields=True, frozen=True):
    """[[steps]] A function `run(frame) -> frame` of the project that changes the joined rows; `params` go to it by name.

    `cache` false: it reads more than the frame, so it is done anew each time.
    """

    name: str
    uses: str
    params: dict[str, Any] = {}
    cache: bool = True
    after: Literal["load"] = "load"
