"""What an MLflow store holds, in the words of its protocol, whichever of its three forms it is read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlops_tui.domains.experiments.arrivals import Kept, Series
from mlops_tui.domains.experiments.remote_records import DataInput, LoggedModel


@dataclass(frozen=True, slots=True)
class Group:
    """An experiment; `broken` is why it cannot be read."""

    id: str
    name: str
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A run; `outputs` are the ids of models it logged."""

    id: str
    group: Group
    name: str
    user: str
    status: str
    started_at: int
    ended_at: int | None
    deleted: bool
    uri: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[DataInput] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A model version. `source` is what it was made of: a run's folder, a logged model, or a path."""

    number: int
    source: str
    run_id: str
    stage: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A registered model with its versions and aliases (name -> number)."""

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: list[FoundVersion] = field(default_factory=list)


def data_input(said: Callable[[str], Any], tags: dict[str, str]) -> DataInput:
    """A data set out of what `said` answers to the names of its fields."""
    names = ("name", "digest", "source_type", "source", "schema", "profile")
    name, digest, source_type, source, schema, profile = (str(said(one) or "") for one in names)
    return DataInput(name, digest, source_type, source, schema, profile, tags)


class MlflowStore(Protocol):
    """One of the forms. Reading raises what the files or the server raise."""

    def groups(self) -> list[Group]:
        """Experiments, deleted ones too."""
        ...

    def runs(self, group: Group) -> Iterator[tuple[str, str, str]]:
        """Runs of an experiment by their start: (id, name, stamp)."""
        ...

    def run(self, group: Group, run_id: str) -> Found: ...

    def series(self, run: Found) -> Iterator[Series]:
        """Every metric with all its points."""
        ...

    def files(self, run: Found) -> list[Kept] | None:
        """Files of a run, put into the artifact store; None when they cannot be reached."""
        ...

    def models(self, run: Found) -> list[tuple[LoggedModel, list[Kept]]]:
        """Models that the run logged, with their files."""
        ...

    def registered(self) -> list[FoundModel]: ...
