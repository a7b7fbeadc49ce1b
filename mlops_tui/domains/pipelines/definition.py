"""Reading a pipeline file: every mistake at once, each with its line and the nearest known name."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.pipelines.recipe import (
    Charter,
    Data,
    Deploy,
    Estimator,
    Evaluate,
    Extra,
    Gate,
    Head,
    Range,
    Recipe,
    Register,
    Resources,
    Split,
    Trigger,
    Tune,
    margin_of,
)
from mlops_tui.domains.pipelines.records import PROBE_METRICS, Problem, metrics_of
from mlops_tui.domains.serving.records import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from msgspec import Struct

SECTIONS: dict[str, type[Struct]] = {
    "pipeline": Head,
    "charter": Charter,
    "data": Data,
    "split": Split,
    "model": Estimator,
    "tune": Tune,
    "evaluate": Evaluate,
    "gate": Gate,
    "register": Register,
    "deploy": Deploy,
    "resources": Resources,
}
LISTS: dict[str, type[Struct]] = {"triggers": Trigger, "steps": Extra}
REQUIRED = ("pipeline", "data", "model")


def read(path: Path) -> Recipe:
    """Read and check a file; InvalidInput with all its mistakes, one a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", hint="See: mlops pipelines list") from error
    return parse(text, path.name)


def parse(text: str, file: str) -> Recipe:
    """Check the text of a pipeline file; InvalidInput with all its mistakes."""
    recipe, problems = examine(text, file)
    if recipe is None or problems:
        lines = "\n  ".join(str(problem) for problem in problems)
        count = f"{len(problems)} mistake{'s' if len(problems) != 1 else ''}"
        raise InvalidInput(f"{file} has {count}:\n  {lines}", hint="Correct the file; nothing was started.")
    return recipe


def examine(text: str, file: str) -> tuple[Recipe | None, list[Problem]]:
    """Return the recipe, if there is one, and every mistake, in the order of the lines."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        return None, [Problem(file, int(found[1]) if found else 1, "TOML", str(error).partition(" (at")[0])]
    lines = _Lines(text)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for where, message in _walk(raw, values):
        problems.append(Problem(file, lines.of(where), _dotted(where), message))
    recipe = None if problems else Recipe(**values)
    if recipe is not None:
        problems = [Problem(file, lines.of(where), _dotted(where), message) for where, message in _rules(recipe)]
    return recipe, sorted(problems, key=lambda problem: problem.line)


Mistake = tuple[tuple[str | int, ...], str]


def _walk(raw: dict[str, Any], values: dict[str, Any]) -> Iterator[Mistake]:
    known = [*SECTIONS, *LISTS]
    for name in raw:
        if name not in known:
            yield (name,), "unknown section. " + ids.did_you_mean(name, known, f"Sections: {', '.join(known)}.")
    for name in REQUIRED:
        if name not in raw:
            yield (name,), f"the section [{name}] is missing"
    for name, kind in SECTIONS.items():
        if name in raw:
            values[name] = yield from _section(kind, raw[name], (name,))
    for name, kind in LISTS.items():
        items = raw.get(name, [])
        if not isinstance(items, list):
            yield (name,), f"write it as a list: [[{name}]]"
            continue
        values[name] = []
        for place, item in enumerate(items):
            values[name].append((yield from _section(kind, item, (name, place))))


def _section(kind: type[Struct], raw: Any, where: tuple[str | int, ...]) -> Generator[Mistake, None, Struct | None]:
    """Yield the mistakes of one section; the generator's value is the struct, or None."""
    if not isinstance(raw, dict):
        yield where, "a table of settings was expected"
        return None
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    found: dict[str, Any] = {}
    clean = True
    for key, value in raw.items():
        if kind is Tune and key == "space" and isinstance(value, dict):
            found[key] = yield from _searched(value, (*where, key))
            continue
        message = _field(fields, key, value, found)
        if message:
            clean = False
            yield (*where, key), message
    for field in fields.values():
        if field.required and field.name not in raw:
            clean = False
            yield where, f"'{field.name}' is missing"
    return kind(**found) if clean else None


def _searched(raw: dict[str, Any], where: tuple[str | int, ...]) -> Generator[Mistake, None, dict[str, Any]]:
    """[tune.space]: a list of values, or a table that is a range; each of its mistakes at its own line."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, list):
            found[key] = value
        elif isinstance(value, dict):
            found[key] = yield from _section(Range, value, (*where, key))
        else:
            yield (*where, key), "write a list of values, or { low = ..., high = ... }"
    return found


def _field(fields: dict[str, Any], key: str, value: Any, found: dict[str, Any]) -> str:
    if key not in fields:
        return "unknown key. " + ids.did_you_mean(key, fields, f"Keys: {', '.join(fields)}.")
    try:
        found[key] = msgspec.convert(value, type=fields[key].type)
    except msgspec.ValidationError as error:
        return _plain(str(error), fields[key].type, value)
    return ""


def _plain(message: str, kind: Any, value: Any) -> str:
    options = [str(option) for option in getattr(kind, "__args__", ())] if "Literal" in str(kind) else []
    if options:
        near = f". {ids.did_you_mean(str(value), options)}".rstrip(". ")
        return f"{value!r} is none of {', '.join(options)}{near}"
    text = message.replace("`", "").replace(" - at $", " at ").replace("object", "table").replace("array", "list")
    return text[:1].lower() + text[1:]


def _rules(recipe: Recipe) -> Iterator[Mistake]:
    """Yield what is wrong although each value alone is right."""
    yield from _names(recipe)
    yield from _spans(recipe)
    yield from _metric_names(recipe)
    split = recipe.split
    if split.validation + split.test >= 1:
        yield ("split", "validation"), "validation and test leave nothing to train on; together they must stay below 1"
    if split.by == "group" and not split.group:
        yield ("split", "by"), "a split by group needs group = COLUMN"
    if split.by == "stratified" and recipe.model.task == "regression":
        yield ("split", "by"), "only classes can be stratified; use time, random or group"
    if recipe.model.target_transform != "none" and recipe.model.task != "regression":
        yield ("model", "target_transform"), "only a regression target can be transformed"
    if recipe.tune.method != "none" and not recipe.tune.space:
        yield ("tune", "method"), "a search needs a [tune.space]"
    if margin_of(recipe.gate.margin, 1.0) is None:
        yield ("gate", "margin"), f'{recipe.gate.margin!r} is no margin; write a number or a share such as "2%"'
    for key, span in recipe.tune.space.items():
        yield from _space(key, span, recipe.tune.method)
    for place, trigger in enumerate(recipe.triggers):
        if trigger.kind == "schedule" and not trigger.cron:
            yield ("triggers", place), 'a schedule needs cron = "0 3 * * *"'
    if recipe.deploy.to != "none" and recipe.deploy.strategy not in STRATEGIES:
        yield ("deploy", "strategy"), f"serving cannot {recipe.deploy.strategy} yet; use {', '.join(STRATEGIES)}"
    if any(later <= earlier for earlier, later in zip(recipe.deploy.steps, recipe.deploy.steps[1:], strict=False)):
        yield ("deploy", "steps"), "the shares of a canary must grow"


def _names(recipe: Recipe) -> Iterator[Mistake]:
    named = [
        (("pipeline", "name"), "pipeline", recipe.pipeline.name),
        (("register", "model"), "model", recipe.model_name),
        (("deploy", "deployment"), "deployment", recipe.deployment_name),
        (("data", "spine"), "feature table", recipe.data.spine.partition("@")[0]),
    ]
    for where, kind, name in named:
        try:
            ids.check_name(kind, name)
        except WorkbenchError as error:
            yield where, error.message.rstrip(".")
    if "." not in recipe.model.estimator:
        hint = "write the full name, such as sklearn.ensemble.RandomForestClassifier"
        yield ("model", "estimator"), f"{recipe.model.estimator!r} names no module; {hint}"
    if recipe.model.preprocess not in ("auto", "none") and ":" not in recipe.model.preprocess:
        yield ("model", "preprocess"), "write auto, none, or file.py:function"
    for place, extra in enumerate(recipe.steps):
        if ":" not in extra.uses:
            yield ("steps", place, "uses"), "write file.py:function or module:function"


def _spans(recipe: Recipe) -> Iterator[Mistake]:
    spans: list[tuple[tuple[str | int, ...], str]] = [
        (("data", "window"), recipe.data.window),
        (("data", "ttl"), recipe.data.ttl),
        (("resources", "timeout"), recipe.resources.timeout),
    ]
    spans += [(("triggers", place, "cooldown"), trigger.cooldown) for place, trigger in enumerate(recipe.triggers)]
    for where, text in spans:
        try:
            if text:
                clock.parse_span(text)
        except WorkbenchError as error:
            yield where, f"{error.message.rstrip('.')}. {error.hint}"


def _metric_names(recipe: Recipe) -> Iterator[Mistake]:
    known = metrics_of(recipe.model.task)
    named: list[tuple[tuple[str | int, ...], str]] = [(("evaluate", "primary"), recipe.primary)]
    named += [(("evaluate", "metrics"), name) for name in recipe.evaluate.metrics]
    named += [(("gate", "metric"), recipe.gate_metric)]
    for where, name in named:
        if name not in known:
            yield where, _no_metric(name, recipe.model.task, known)
    for key, limits in (("minimum", recipe.gate.minimum), ("maximum", recipe.gate.maximum)):
        for name in limits:
            if name not in {**known, **PROBE_METRICS}:
                yield ("gate", key), _no_metric(name, recipe.model.task, {**known, **PROBE_METRICS})


def _no_metric(name: str, task: str, known: dict[str, bool]) -> str:
    return f"{name!r} is no {task} metric. " + ids.did_you_mean(name, known, f"Metrics: {', '.join(known)}.")


def _space(key: str, span: Range | list[Any], method: str) -> Iterator[Mistake]:
    where = ("tune", "space", key)
    if isinstance(span, list):
        if not span:
            yield where, "an empty list leaves nothing to try"
        return
    if method == "grid":
        yield where, "a grid needs a list of values"
    if span.high <= span.low:
        yield where, "high must be above low"
    elif span.log and span.low <= 0:
        yield where, "a logarithmic range must start above 0"


def _dotted(where: tuple[str | int, ...]) -> str:
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Lines:
    """On which line each key of a TOML text stands: the parser of the standard library does not say."""

    _HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
    _KEY = re.compile(
        r"\s*((?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="
    )

    def __init__(self, text: str) -> None:
        self._at: dict[tuple[str | int, ...], int] = {}
        counts: dict[str, int] = {}
        here: tuple[str | int, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := self._HEADER.match(line):
                here = _split(header[2])
                if header[1] == "[[":
                    counts[header[2]] = counts.get(header[2], -1) + 1
                    here = (*here, counts[header[2]])
                self._at.setdefault(here, number)
            elif key := self._KEY.match(line):
                self._at.setdefault((*here, *_split(key[1])), number)

    def of(self, where: tuple[str | int, ...]) -> int:
        """The line of the key, else of the nearest thing around it."""
        while where and where not in self._at:
            where = where[:-1]
        return self._at.get(where, 1)


def _split(dotted: str) -> tuple[str | int, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
