"""Reading a pipeline file: every mistake at once, each with its line and the nearest known name."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.criteria import Behaviour, Evaluate, Explain, Fairness, Gate
from mlops_tui.domains.pipelines.making import (
    Calibrate,
    Charter,
    Data,
    Estimator,
    Head,
    Preprocess,
    Range,
    Select,
    Split,
    Tune,
)
from mlops_tui.domains.pipelines.operating import Contract, Deploy, Extra, Register, Resources, Trigger
from mlops_tui.domains.pipelines.recipe import Recipe
from mlops_tui.domains.pipelines.records import Problem
from mlops_tui.domains.pipelines.rules import Mistake, mistakes
from mlops_tui.domains.pipelines.toml_lines import Lines

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from msgspec import Struct

SECTIONS: dict[str, type[Struct]] = {
    "pipeline": Head,
    "charter": Charter,
    "data": Data,
    "split": Split,
    "preprocess": Preprocess,
    "model": Estimator,
    "select": Select,
    "tune": Tune,
    "calibrate": Calibrate,
    "evaluate": Evaluate,
    "explain": Explain,
    "fairness": Fairness,
    "gate": Gate,
    "register": Register,
    "deploy": Deploy,
    "resources": Resources,
}
LISTS: dict[str, type[Struct]] = {"triggers": Trigger, "steps": Extra, "tests": Behaviour, "contracts": Contract}
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
    lines = Lines(text)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for where, message in _walk(raw, values):
        problems.append(Problem(file, lines.of(where), _dotted(where), message))
    recipe = None if problems else Recipe(**values)
    if recipe is not None:
        problems = [Problem(file, lines.of(where), _dotted(where), message) for where, message in mistakes(recipe)]
    return recipe, sorted(problems, key=lambda problem: problem.line)


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
    fields = _fields(kind)
    found: dict[str, Any] = {}
    clean = True
    for key, value in raw.items():
        if kind is Tune and key == "space" and isinstance(value, dict):
            found[key] = yield from _searched(value, (*where, key))
            continue
        inner = _struct_in(fields[key].type) if key in fields else None
        if inner is not None:
            many = getattr(fields[key].type, "__origin__", None) is dict
            found[key] = yield from (_table if many else _section)(inner, value, (*where, key))
            clean = clean and found[key] is not None
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


@lru_cache(maxsize=64)
def _fields(kind: type[Struct]) -> dict[str, Any]:
    """The fields of a section by name; msgspec resolves their types anew each time, most of what reading a file costs."""
    return {field.name: field for field in msgspec.structs.fields(kind)}


def _struct_in(kind: Any) -> type[Struct] | None:
    """The struct of a field that is a section of its own, such as [evaluate.threshold]."""
    for option in (kind, *getattr(kind, "__args__", ())):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _table(
    kind: type[Struct], raw: Any, where: tuple[str | int, ...]
) -> Generator[Mistake, None, dict[str, Any] | None]:
    """A table of sections by name, such as the columns of a contract."""
    if not isinstance(raw, dict):
        yield where, "a table of names was expected"
        return None
    found = {}
    for key, value in raw.items():
        found[key] = yield from _section(kind, value, (*where, key))
    return None if None in found.values() else found


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


def _dotted(where: tuple[str | int, ...]) -> str:
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text
