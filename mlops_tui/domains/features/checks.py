"""Data checks: a list of expectations compiled to one aggregate query over a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.offline import fetch, require_column
from mlops_tui.domains.features.records import (
    BIGINT,
    DOUBLE,
    TIMESTAMP,
    TYPES,
    Check,
    CheckReport,
    CheckResult,
    Severity,
    Snapshot,
    Table,
    quote,
    text,
)

if TYPE_CHECKING:
    import duckdb

KINDS = ("not_null", "unique", "range", "in_set", "type", "freshness", "row_count")


def default_checks(table: Table, snapshot: Snapshot) -> list[Check]:
    """What every table should hold: rows, keys and times present; and, as warnings, one row per key and time, no column all but empty."""
    checks = [Check("row_count", low=1)]
    checks += [Check("not_null", (key,)) for key in table.keys]
    if table.time:
        checks.append(Check("not_null", (table.time,)))
    identity = (*table.keys, *((table.time,) if table.time else ()))
    checks.append(Check("unique", identity, severity=Severity.WARN))
    features = [name for name in snapshot.columns if name not in table.special]
    checks += [Check("not_null", (name,), severity=Severity.WARN, tolerate=0.5) for name in features]
    return checks


def run(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    table: Table,
    snapshot: Snapshot,
    checks: Sequence[Check],
    now: int,
) -> CheckReport:
    """Run all checks in one pass over `source`; `now` in ms, for freshness. Raises InvalidInput for a check that cannot be."""
    compiled = [_failures(check, snapshot.columns, now) for check in checks]
    # `bad` counts rows for row checks; for freshness and row_count it is 0 or 1 of 1.
    columns = ", ".join(["count(*) AS n", *(f"{sql} AS c{place}" for place, sql in enumerate(compiled))])
    row: dict[str, Any] = fetch(connection, f"SELECT {columns} FROM {source}").to_pylist()[0]
    results = tuple(_judge(check, row[f"c{place}"], row["n"], now) for place, check in enumerate(checks))
    failed = {result.severity for result in results if not result.ok}
    verdict = "fail" if Severity.ERROR.value in failed else "warn" if failed else "pass"
    return CheckReport(table.name, snapshot.version, now, int(row["n"]), verdict, results)


def _failures(check: Check, columns: Mapping[str, str], now: int) -> str:
    """An aggregate: rows that fail, or the number a table-wide check looks at."""
    _validate(check, columns)
    if check.kind == "row_count":
        return "count(*)"
    names = [quote(name) for name in check.columns]
    if check.kind == "unique":
        whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
        return f"count(*) FILTER ({whole}) - count(DISTINCT row({', '.join(names)})) FILTER ({whole})"
    column = names[0]
    if check.kind == "not_null":
        return f"count(*) FILTER ({column} IS NULL)"
    if check.kind == "freshness":
        return f"epoch_ms(max({column}))"
    if check.kind == "in_set":
        allowed = ", ".join(_literal(value) for value in check.values)
        return f"count(*) FILTER ({column} NOT IN ({allowed}))"
    if check.kind == "type":
        return f"count(*) FILTER ({column} IS NOT NULL AND TRY_CAST({column} AS {check.type}) IS NULL)"
    outside = []
    if check.low is not None:
        outside.append(f"{column} < ({check.low!r})")
    if check.high is not None:
        outside.append(f"{column} > ({check.high!r})")
    return f"count(*) FILTER ({' OR '.join(outside)} OR isnan({column}::DOUBLE))"


def _validate(check: Check, columns: Mapping[str, str]) -> None:
    """Raise InvalidInput for an unknown kind or column, or a kind that lacks what it needs."""
    if check.kind not in KINDS:
        raise InvalidInput(f"There is no check '{check.kind}'.", hint=f"There are: {', '.join(KINDS)}.")
    for name in check.columns:
        require_column(name, columns)
    if not 0 <= check.tolerate <= 1:
        raise InvalidInput(
            f"The tolerated share of {check.label} is {check.tolerate}.", hint="Give a share from 0 to 1."
        )
    if (check.kind != "row_count" and not check.columns) or (
        check.kind not in ("unique", "row_count") and len(check.columns) > 1
    ):
        raise InvalidInput(f"The check {check.kind} needs one column.", hint="Name one, as in: column = 'temp'.")
    kind = columns[check.columns[0]] if check.columns else ""
    wrong = {
        "range": kind not in (BIGINT, DOUBLE) and f"'{check.columns and check.columns[0]}' is {kind}, not a number",
        "freshness": kind != TIMESTAMP and f"'{check.columns and check.columns[0]}' is {kind}, not a time",
    }.get(check.kind)
    lacking = {
        "range": check.low is None and check.high is None and "low or high",
        "row_count": check.low is None and check.high is None and "low or high",
        "in_set": not check.values and "values",
        "type": check.type not in TYPES and f"a type of {', '.join(TYPES)}",
        "freshness": check.max_age is None and "max_age in ms",
    }.get(check.kind)
    if wrong or lacking:
        raise InvalidInput(
            f"The check {check.label} cannot be run: {wrong or f'it needs {lacking}'}.", hint="Correct the check."
        )


def _judge(check: Check, found: Any, rows: int, now: int) -> CheckResult:
    """The verdict on one check from its aggregate."""
    if check.kind == "row_count":
        ok = (check.low is None or rows >= check.low) and (check.high is None or rows <= check.high)
        return CheckResult(check.label, check.severity.value, ok, int(not ok), 1, f"{rows} rows")
    if check.kind == "freshness":
        age = None if found is None else now - int(found)
        ok = age is not None and age <= (check.max_age or 0)
        detail = "no time at all" if age is None else f"newest is {clock.duration(max(age, 0))} old"
        return CheckResult(check.label, check.severity.value, ok, int(not ok), 1, detail)
    bad = int(found or 0)
    share = bad / rows if rows else 0.0
    detail = "all rows" if not bad else f"{bad} of {rows} rows ({share:.2%})"
    return CheckResult(check.label, check.severity.value, share <= check.tolerate, bad, rows, detail)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"({value!r})"
    return text(str(value))
