"""pandera schemas to checks and back: what both can say, and what one of them cannot, named.

Reading needs pandera (the extra `pandera`), writing does not: a schema is written as the Python that makes it. Statistics of checks
are as pandera 0.35 has them (pandera/backends/pandas/builtin_checks.py).
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.extras import need
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.check_records import Check, Severity
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, quote, text

_DTYPES = {
    BIGINT: '"Int64"',
    BOOLEAN: '"boolean"',
    DOUBLE: '"float64"',
    VARCHAR: '"str"',
    TIMESTAMP: '"datetime64[us, UTC]"',
}


def read(place: str, folder: Path) -> Any:
    """The schema of `FILE.py:NAME` (a DataFrameSchema or DataFrameModel) or of a YAML file. Raises NotFound, InvalidInput, Unavailable."""
    file, _, name = place.partition(":")
    path = folder / file
    if not path.is_file():
        raise NotFound(f"There is no file {file}.", hint="Name FILE.py:SCHEMA or FILE.yaml; paths start here.")
    need("pandera.pandas", "pandera")
    try:
        if path.suffix in (".yaml", ".yml"):
            return need("pandera.io.pandas_io", "pandera").from_yaml(path)
        known = runpy.run_path(str(path))
    except WorkbenchError:
        raise
    except Exception as error:
        why = str(error).split("\n", 1)[0]
        raise InvalidInput(f"{file} cannot be read: {type(error).__name__}: {why}.", hint="Correct it.") from error
    schemas = {key: value for key, value in known.items() if hasattr(value, "to_schema") or hasattr(value, "columns")}
    if name not in schemas:
        hint = did_you_mean(name, list(schemas), f"It has: {', '.join(schemas) or 'none'}.")
        raise NotFound(f"{file} has no schema '{name}'.", hint=hint)
    found = schemas[name]
    return found.to_schema() if hasattr(found, "to_schema") else found


def to_checks(schema: Any) -> tuple[list[Check], list[str]]:
    """The checks of a pandera schema, and in words what has no counterpart here."""
    found: list[Check] = []
    left: list[str] = []
    for name, column in schema.columns.items():
        if getattr(column, "regex", False):
            left.append(f"{name}: columns by pattern")
            continue
        if not column.nullable:
            found.append(Check("not_null", (name,)))
        if column.unique:
            found.append(Check("unique", (name,)))
        for check in column.checks:
            made = _check(name, str(check.name), dict(check.statistics or {}), bool(check.raise_warning))
            if made is None:
                left.append(f"{name}: {check.name}")
            else:
                found.append(made)
    if schema.unique:
        found.append(Check("unique", tuple(schema.unique)))
    left += [f"the frame: {check.name}" for check in schema.checks]
    return found, left


def _check(column: str, kind: str, told: Mapping[str, Any], warns: bool) -> Check | None:
    severity = Severity.WARN if warns else Severity.ERROR
    one = (column,)
    if kind == "in_range" and told["include_min"] and told["include_max"] and _number(told["min_value"]):
        return Check("range", one, low=told["min_value"], high=told["max_value"], severity=severity)
    if kind == "greater_than_or_equal_to" and _number(told["min_value"]):
        return Check("range", one, low=told["min_value"], severity=severity)
    if kind == "less_than_or_equal_to" and _number(told["max_value"]):
        return Check("range", one, high=told["max_value"], severity=severity)
    if kind == "isin":
        return Check("in_set", one, values=tuple(told["allowed_values"]), severity=severity)
    if kind == "equal_to":
        return Check("in_set", one, values=(told["value"],), severity=severity)
    if kind == "str_length":
        low, high = (
            (told["exact_value"],) * 2 if told["exact_value"] is not None else (told["min_value"], told["max_value"])
        )
        return Check("length", one, low=low, high=high, severity=severity)
    if (pattern := _pattern(kind, told)) is not None:
        return Check("regex", one, pattern=pattern, severity=severity)
    if (where := _where(quote(column), kind, told)) is not None:
        return Check("sql", where=where, severity=severity)
    return None


def _pattern(kind: str, told: Mapping[str, Any]) -> str | None:
    """A pattern that holds from end to end, as ours do; pandera's hold from the start, or anywhere."""
    anything = r"[\s\S]*"
    if kind == "str_matches":
        return f"(?:{_source(told['pattern'])}){anything}"
    if kind == "str_contains":
        return f"{anything}(?:{_source(told['pattern'])}){anything}"
    if kind == "str_startswith":
        return f"{re.escape(told['string'])}{anything}"
    return f"{anything}{re.escape(told['string'])}" if kind == "str_endswith" else None


def _where(column: str, kind: str, told: Mapping[str, Any]) -> str | None:
    """The condition that bad rows meet."""
    try:
        if kind == "greater_than":
            return f"{column} <= {_literal(told['min_value'])}"
        if kind == "less_than":
            return f"{column} >= {_literal(told['max_value'])}"
        if kind == "not_equal_to":
            return f"{column} = {_literal(told['value'])}"
        if kind == "notin":
            return f"{column} IN ({', '.join(map(_literal, told['forbidden_values']))})"
        if kind == "greater_than_or_equal_to":
            return f"{column} < {_literal(told['min_value'])}"
        if kind == "less_than_or_equal_to":
            return f"{column} > {_literal(told['max_value'])}"
        if kind == "in_range":
            below = "<" if told["include_min"] else "<="
            above = ">" if told["include_max"] else ">="
            low, high = _literal(told["min_value"]), _literal(told["max_value"])
            return f"{column} {below} {low} OR {column} {above} {high}"
    except TypeError:
        pass
    return None


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return f"({value!r})"
    if isinstance(value, str):
        return text(value)
    if hasattr(value, "isoformat"):
        return f"TIMESTAMPTZ {text(value.isoformat())}"
    raise TypeError(value)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _source(pattern: Any) -> str:
    return str(getattr(pattern, "pattern", pattern))


# -- back --------------------------------------------------------------------------------------------------------------


def to_source(table: str, columns: Mapping[str, str], checks: Sequence[Check]) -> str:
    """Python that makes a pandera schema of a table; checks that pandera cannot say stand there as comments."""
    lines = [f'"""Checks of the feature table {table}, as a pandera schema."""', "", "import pandera.pandas as pa", ""]
    lines += ["schema = pa.DataFrameSchema(", "    {"]
    for name, kind in columns.items():
        own = [check for check in checks if check.columns == (name,)]
        required = any(check.kind == "not_null" and _exact(check) for check in own)
        unique = any(check.kind == "unique" and _exact(check) for check in own)
        lines += [f"        {name!r}: pa.Column(", f"            {_DTYPES[kind]},"]
        lines += ["            [", *(f"                {said}," for said in _said(own)), "            ],"]
        lines += [f"            nullable={not required},", f"            unique={unique},", "            coerce=True,"]
        lines.append("        ),")
    joint = next(
        (check for check in checks if check.kind == "unique" and len(check.columns) > 1 and _exact(check)), None
    )
    lines += ["    },", f"    unique={list(joint.columns)!r}," if joint else "    unique=None,", ")"]
    other = [check for check in checks if not _expressed(check) and check is not joint]
    if other:
        lines += ["", "# pandera has no words for:", *(f"# - {check.label} ({check.severity})" for check in other)]
    return "\n".join(lines) + "\n"


def _exact(check: Check) -> bool:
    return check.severity is Severity.ERROR and not check.tolerate


def _expressed(check: Check) -> bool:
    if check.kind in ("not_null", "unique"):
        return _exact(check) and len(check.columns) == 1
    return next(_said([check]), None) is not None


def _said(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        if check.tolerate or check.severity is Severity.INFO:
            continue
        warns = ", raise_warning=True" if check.severity is Severity.WARN else ""
        if check.kind == "range" and check.low is not None and check.high is not None:
            yield f"pa.Check.in_range({check.low!r}, {check.high!r}{warns})"
        elif check.kind == "range" and check.low is not None:
            yield f"pa.Check.ge({check.low!r}{warns})"
        elif check.kind == "range":
            yield f"pa.Check.le({check.high!r}{warns})"
        elif check.kind == "in_set":
            yield f"pa.Check.isin({list(check.values)!r}{warns})"
        elif check.kind == "regex":
            yield f"pa.Check.str_matches({f'^(?:{check.pattern})$'!r}{warns})"
        elif check.kind == "length":
            low, high = (None if bound is None else int(bound) for bound in (check.low, check.high))
            yield f"pa.Check.str_length({low!r}, {high!r}{warns})"
