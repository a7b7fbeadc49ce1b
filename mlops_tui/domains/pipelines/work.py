"""What a step is given: the recipe, the rooms below, and the run's folder, through which steps hand things on."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import pandas as pd

    from mlops_tui.core.context import Context
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.experiments.spool import RunWriter
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.pipelines.records import Finding
    from mlops_tui.domains.pipelines.store import PipelinesStore
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

PARTS = ("train", "validation", "test")
PACKAGE = "package"
# The joined rows where steps of the project are still to change them.
JOINED = "joined"


class Skip(Exception):  # noqa: N818 - not an error: the step has nothing to do
    """Raised by a step that does not apply; the text says why."""


@dataclass
class Work:
    """One run as its steps see it. `results` holds what earlier steps returned, by step name."""

    run_id: str
    experiment_run: str
    git_commit: str
    recipe: Recipe
    folder: Path
    context: Context
    features: Features
    experiments: Experiments
    registry: Registry
    serving: Serving
    store: PipelinesStore
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    # Where the project's own code is taken from, if not the project: the folder that a package or the code kept with the run
    # was laid out in.
    code: Path | None = None
    # The hashes of the project's files that the recipe names, once they were asked for.
    sources: dict[str, str] = field(default_factory=dict)
    # What a test of the pipeline has found so far.
    findings: list[Finding] = field(default_factory=list)
    # Called with one line on how far the step is, for whoever looks at the run meanwhile.
    note: Callable[[str], None] = lambda text: None
    # What the running step's inputs, settings and code come to (see `cache.py`), or the run where nothing may be taken over:
    # the trials of a search belong to it.
    study: str = ""

    @property
    def project(self) -> Path:
        return self.code or self.context.workspace.project

    def say(self, text: str) -> None:
        """A line for the step's log."""
        print(text, flush=True)  # noqa: T201 - the standard output of a step is its log

    def seed(self, number: int = 0) -> None:
        """Make code that draws without a seed of its own repeatable; `number` tells apart what is done side by side."""
        import random

        import numpy as np

        start = (self.recipe.split.seed * 1_000_003 + number) % 2**32
        random.seed(start)
        np.random.seed(start)

    # -- files between steps: whole or not there

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        staged = self.folder / f".{name}.parquet"
        frame.to_parquet(staged, index=False)
        staged.replace(self.folder / f"{name}.parquet")

    def read_frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self.folder / f"{name}.parquet")

    def write_object(self, name: str, value: Any) -> None:
        import joblib

        staged = self.folder / f".{name}.joblib"
        joblib.dump(value, staged)
        staged.replace(self.folder / f"{name}.joblib")

    def read_object(self, name: str) -> Any:
        import joblib

        self.project_modules()
        return joblib.load(self.folder / f"{name}.joblib")

    def write_json(self, name: str, value: Any) -> None:
        write_json(self.folder / f"{name}.json", value)

    # -- what the rows are

    @property
    def inputs(self) -> list[str]:
        """The columns the model sees."""
        return list((self.results.get("collect") or self.results["load"])["inputs"])

    def part(self, name: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
        """Inputs and target of one part: train, validation or test. Without a target its values are missing."""
        return self.divided(self.read_frame(name))

    @property
    def package_task(self) -> str:
        """The task as those see it who serve and watch the model: how a classifier learned is nothing to them."""
        return "classification" if self.recipe.classes else self.recipe.model.task

    def divided(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series[Any]]:
        """Inputs and target of joined rows."""
        import pandas as pd

        name = self.recipe.data.target
        target = frame[name] if name else pd.Series(float("nan"), index=frame.index)
        return frame[self.inputs], target

    # -- what the experiment run shows

    def writer(self) -> RunWriter:
        from mlops_tui.domains.experiments.spool import RunWriter  # for steps alone: who asks for a run writes none

        return RunWriter(self.context.workspace, self.experiment_run)

    def log_params(self, params: dict[str, Any]) -> None:
        self._log(lambda writer: writer.params(params))

    def log_metrics(self, values: dict[str, float], step: int = 0) -> None:
        self._log(lambda writer: writer.metrics([(name, step, value) for name, value in values.items()]))

    def log_points(self, name: str, points: list[tuple[int, float]]) -> None:
        self._log(lambda writer: writer.metrics([(name, step, value) for step, value in points]))

    def log_curve(self, name: str, values: list[float]) -> None:
        self._log(lambda writer: writer.metrics([(name, step, value) for step, value in enumerate(values)]))

    def log_files(self, *names: str) -> None:
        """Keep files of the run's folder with the experiment run; those that are not there are left out."""
        paths = [self.folder / name for name in names if (self.folder / name).exists()]
        files = [(path.name, self.context.artifacts.put_file(path), path.stat().st_size) for path in paths]
        self._log(lambda writer: writer.files(files))

    def _log(self, append: Callable[[RunWriter], None]) -> None:
        writer = self.writer()
        append(writer)
        writer.close()

    # -- code of the project

    def project_modules(self) -> list[ModuleType]:
        """Import the project files that the recipe names, so that what they define can be unpickled."""
        uses = self.recipe.model.preprocess
        return [module_of(uses, self.project)] if ":" in uses else []


def write_json(path: Path, value: Any) -> None:
    """Write JSON next to the file and rename it there."""
    staged = path.with_name(f".{path.name}")
    staged.write_text(json.dumps(value, indent=1), encoding="utf-8")
    staged.replace(path)


def function_of(uses: str, project: Path) -> Callable[..., Any]:
    """Find `file.py:function` or `module:function`; NotFound or InvalidInput with the nearest name."""
    module = module_of(uses, project)
    name = uses.partition(":")[2]
    found = getattr(module, name, None)
    if not callable(found):
        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        hint = ids.did_you_mean(name, callables, f"It has: {', '.join(callables) or 'nothing callable'}.")
        raise InvalidInput(f"{uses.partition(':')[0]} has no function {name!r}.", hint=hint)
    return found  # type: ignore[no-any-return]


def module_of(uses: str, project: Path) -> ModuleType:
    """Import the module part of `uses`: a file of the project, or any importable module."""
    place = uses.partition(":")[0]
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ImportError as error:
            raise NotFound(f"{place} cannot be imported: {error}.", hint="Name a file: steps/prep.py:build") from error
    path = project / place
    if not path.is_file():
        near = [str(found.relative_to(project)) for found in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise NotFound(
            f"There is no file {place} in {project}.", hint=ids.did_you_mean(place, near, "Paths start there.")
        )
    return _import_file(path, place)


def _import_file(path: Path, place: str) -> ModuleType:
    name = "mlops_project_" + place.removesuffix(".py").replace("/", "_").replace("-", "_")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InvalidInput(
            f"{place} cannot be run: {type(error).__name__}: {error}.", hint="Correct the file."
        ) from error
    return module


def call_with(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call with as many of `arguments` as the function takes."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return function(*arguments)
    count = sum(parameter.kind in kinds for parameter in parameters)
    return function(*arguments[:count])
