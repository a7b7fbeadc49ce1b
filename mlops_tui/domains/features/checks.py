"""Data checks: a list of expectations compiled to one aggregate query over a snapshot, and the rows that fail one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features import compare
from mlops_tui.domains.features.check_kinds import TABLE_WIDE, validate
from mlops_tui.domains.features.check_records import Check, CheckReport, CheckResult, Severity
from mlops_tui.domains.features.offline import as_rows, check_expression, fetch
from mlops_tui.domains.features.records import Snapshot, Table, quote, text

if TYPE_CHECKING:
    import duckdb

SAMPLE = 5
_COLUMNS_AT_ONCE = 4
PSI_LIMIT = compare.PSI_LIMIT


@dataclass(frozen=True)
class Surroundings:
    """What a check may look at beside its snapshot: SQL that reads other snapshots, their columns, the rows of the one before."""

    view: Callable[[str], str]
    snapshot: Callable[[str], Snapshot]
    previous: Snapshot | None
    now: int  # ms


@dataclass(frozen=True)
class _Compiled:
    check: Check
    aggregate: str
    join: str = ""
    baseline: compare.Baseline | None = None
    reference: tuple[int, ...] = ()  # the counts a distribution is compared with


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


def named(checks: Sequence[Check]) -> list[Check]:
    """The checks, each with a name of its own: the one given, else kind and columns; a number where two would be alike."""
    found: list[Check] = []
    taken: set[str] = set()
    for check in checks:
        stem = check.name or "_".join((check.kind, *check.columns))
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        found.append(dataclasses.replace(check, name=name))
    return found


def run(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    table: Table,
    snapshot: Snapshot,
    checks: Sequence[Check],
    around: Surroundings,
) -> CheckReport:
    """Run all checks, each column of `source` read once; rows are looked for only where some fail. Raises InvalidInput."""
    compiled = [
        _compile(connection, check, snapshot.columns, around, place) for place, check in enumerate(named(checks))
    ]
    row = _asked(connection, source, compiled)
    results = []
    for place, one in enumerate(compiled):
        found = row[f"c{place}"]
        if one.check.kind == "unique" and found and len(one.check.columns) > 1:
            found = _repeated(connection, source, one.check)
        result = _judge(one, found, int(row["n"]), around)
        if not result.ok and one.check.kind not in TABLE_WIDE:
            arrow = failing(connection, source, snapshot.columns, one.check, around, SAMPLE)
            result = dataclasses.replace(result, sample=tuple(as_rows(arrow)))
        results.append(result)
    failed = {result.severity for result in results if not result.ok}
    verdict = "fail" if Severity.ERROR.value in failed else "warn" if Severity.WARN.value in failed else "pass"
    return CheckReport(table.name, snapshot.version, around.now, int(row["n"]), verdict, tuple(results))


def _asked(connection: duckdb.DuckDBPyConnection, source: str, compiled: Sequence[_Compiled]) -> dict[str, Any]:
    """What every check counts, as `c0`, `c1` ..., and the rows, `n`.

    Checks of the same few columns share a query: each of them reads its own columns only, and many aggregates in one query make
    all of them slower.
    """
    order = sorted(range(len(compiled)), key=lambda place: (compiled[place].join, compiled[place].check.columns))
    groups: list[list[int]] = [[]]
    for place in order:
        known = {name for other in groups[-1] for name in compiled[other].check.columns}
        apart = groups[-1] and compiled[groups[-1][-1]].join != compiled[place].join
        if apart or len(known | set(compiled[place].check.columns)) > _COLUMNS_AT_ONCE:
            groups.append([])
        groups[-1].append(place)
    row: dict[str, Any] = {}
    for group in groups:
        columns = ", ".join(["count(*) AS n", *(f"{compiled[place].aggregate} AS c{place}" for place in group)])
        joins = "".join(dict.fromkeys(compiled[place].join for place in group))
        row |= fetch(connection, f"SELECT {columns} FROM {source} AS checked{joins}").to_pylist()[0]
    return row


def failing(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Mapping[str, str],
    check: Check,
    around: Surroundings,
    limit: int,
) -> Any:
    """An Arrow table of rows that fail `check`. Raises InvalidInput for a check of the table as a whole."""
    validate(check, columns)
    if check.kind in TABLE_WIDE:
        raise InvalidInput(
            f"{check.label} is about the table as a whole: no row fails it.", hint="See: mlops features check TABLE"
        )
    shown = ", ".join(f"checked.{quote(name)}" for name in columns)
    if check.kind == "unique":
        names = ", ".join(quote(name) for name in check.columns)
        there = " AND ".join(f"{quote(name)} IS NOT NULL" for name in check.columns)
        twice = f"SELECT {names} FROM {source} WHERE {there} GROUP BY {names} HAVING count(*) > 1"
        sql = f"SELECT {shown} FROM {source} AS checked JOIN ({twice}) USING ({names}) ORDER BY {names}"
    elif check.kind == "foreign_key":
        column = quote(check.columns[0])
        sql = (
            f"SELECT {shown} FROM {source} AS checked ANTI JOIN {_targets(check, around)} AS target"
            f" ON checked.{column} = target._target_key WHERE checked.{column} IS NOT NULL"
        )
    else:
        sql = f"SELECT {shown} FROM {source} AS checked WHERE {bad_row(check)}"
    return fetch(connection, f"{sql} LIMIT {max(int(limit), 0)}")


def bad_row(check: Check) -> str:
    """SQL that is true for a row that fails. A missing value fails only not_null: absence is that check's business."""
    if check.kind == "sql":
        return f"({check.where}\n)"
    column = quote(check.columns[0])
    if check.kind == "not_null":
        return f"({column} IS NULL)"
    if check.kind == "in_set":
        return f"({column} NOT IN ({', '.join(_literal(value) for value in check.values)}))"
    if check.kind == "regex":
        return f"(NOT regexp_full_match({column}::VARCHAR, {text(check.pattern)}))"
    if check.kind == "type":
        return f"({column} IS NOT NULL AND TRY_CAST({column} AS {check.type}) IS NULL)"
    measured = f"length({column}::VARCHAR)" if check.kind == "length" else column
    return f"({_outside(measured, check)})"


def _outside(measured: str, check: Check) -> str:
    outside = []
    if check.low is not None:
        outside.append(f"{measured} < ({check.low!r})")
    if check.high is not None:
        outside.append(f"{measured} > ({check.high!r})")
    return " OR ".join(outside)


def _compile(
    connection: duckdb.DuckDBPyConnection, check: Check, columns: Mapping[str, str], around: Surroundings, place: int
) -> _Compiled:
    """An aggregate: rows that fail, or the number a table-wide check looks at."""
    validate(check, columns)
    if check.kind in ("row_count", "row_change"):
        return _Compiled(check, "count(*)")
    if check.kind == "sql":
        check_expression(connection, check.where, columns)
    if check.kind == "distribution":
        return _distribution(connection, check, columns, around)
    names = [f"checked.{quote(name)}" for name in check.columns]
    column = names[0] if names else ""
    if check.kind == "unique":
        there = " AND ".join(f"{name} IS NOT NULL" for name in names)
        # Equal rows have equal hashes, so as many hashes as rows proves uniqueness; fewer are counted again, exactly.
        distinct = column if len(names) == 1 else f"hash({', '.join(names)})"
        if len(names) == 1:
            return _Compiled(check, f"count({column}) - count(DISTINCT {column})")
        return _Compiled(check, f"count(*) FILTER ({there}) - count(DISTINCT {distinct}) FILTER ({there})")
    if check.kind == "foreign_key":
        join = f" LEFT JOIN {_targets(check, around)} AS target{place} ON {column} = target{place}._target_key"
        return _Compiled(check, f"count(*) FILTER ({column} IS NOT NULL AND target{place}._target_key IS NULL)", join)
    whole = {
        "freshness": f"epoch_ms(max({column}))",
        "mean": f"avg({column}) FILTER (isfinite({column}::DOUBLE))",
        "std": f"stddev_samp({column}) FILTER (isfinite({column}::DOUBLE))",
        "quantile": f"approx_quantile({column}, {check.share!r}) FILTER (isfinite({column}::DOUBLE))",
    }.get(check.kind)
    return _Compiled(check, whole or f"count(*) FILTER {bad_row(check)}")


def _targets(check: Check, around: Surroundings) -> str:
    reference, _, column = check.to.rpartition(":")
    if column not in around.snapshot(reference).columns:
        raise InvalidInput(f"'{reference}' has no column '{column}'.", hint="Write to = 'TABLE:COLUMN'.")
    return f"(SELECT DISTINCT {quote(column)} AS _target_key FROM {around.view(reference)} WHERE {quote(column)} IS NOT NULL)"


def _distribution(
    connection: duckdb.DuckDBPyConnection, check: Check, columns: Mapping[str, str], around: Surroundings
) -> _Compiled:
    name = check.columns[0]
    reference = around.snapshot(f"@{check.against}" if check.against else "")
    if reference.columns.get(name) != columns[name]:
        raise InvalidInput(
            f"Column '{name}' is not in {reference.reference} as {columns[name]}.", hint="Compare with another version."
        )
    source = around.view(reference.reference)
    bases = compare.baselines(connection, source, {name: columns[name]})
    if not bases:
        raise InvalidInput(f"Column '{name}' has no distribution in {reference.reference}.", hint="Drop the check.")
    sql = bases[0].aggregate(columns[name])
    counts = fetch(connection, f"SELECT {sql} AS c FROM {source}").to_pylist()[0]["c"]
    return _Compiled(check, sql, baseline=bases[0], reference=tuple(bases[0].counts(counts)))


def _repeated(connection: duckdb.DuckDBPyConnection, source: str, check: Check) -> int:
    names = ", ".join(quote(name) for name in check.columns)
    there = " AND ".join(f"{quote(name)} IS NOT NULL" for name in check.columns)
    groups = f"SELECT count(*) AS n FROM {source} WHERE {there} GROUP BY {names} HAVING n > 1"
    return int(fetch(connection, f"SELECT coalesce(sum(n - 1), 0)::BIGINT AS n FROM ({groups})").to_pylist()[0]["n"])


# -- verdicts ----------------------------------------------------------------------------------------------------------


def _judge(one: _Compiled, found: Any, rows: int, around: Surroundings) -> CheckResult:
    """The verdict on one check from its aggregate."""
    check = one.check
    if check.kind in TABLE_WIDE:
        ok, detail = _judge_table(one, found, rows, around)
        return CheckResult(check.label, check.severity.value, ok, int(not ok), 1, detail, check.name)
    bad = int(found or 0)
    share = bad / rows if rows else 0.0
    detail = "all rows" if not bad else f"{bad} of {rows} rows ({share:.2%})"
    return CheckResult(check.label, check.severity.value, share <= check.tolerate, bad, rows, detail, check.name)


def _judge_table(one: _Compiled, found: Any, rows: int, around: Surroundings) -> tuple[bool, str]:
    check = one.check
    if check.kind == "row_count":
        return _within(rows, check), f"{rows} rows"
    if check.kind == "freshness":
        if found is None:
            return False, "no time at all"
        age = around.now - int(found)
        return age <= (check.max_age or 0), f"newest is {clock.duration(max(age, 0))} old"
    if check.kind == "row_change":
        if around.previous is None or not around.previous.rows:
            return True, "nothing to compare with"
        change = rows / around.previous.rows - 1
        return _within(change, check), f"{change:+.1%} since @{around.previous.version}"
    if check.kind == "distribution":
        assert one.baseline is not None
        far = compare.distances(one.baseline, one.reference, one.baseline.counts(found))[0]
        limit = PSI_LIMIT if check.high is None else check.high
        return far is not None and far <= limit, "no values" if far is None else f"PSI {far:.3f}, at most {limit:g}"
    if found is None:
        return False, "no values"
    return _within(float(found), check), f"{float(found):.6g}"


def _within(value: float, check: Check) -> bool:
    return (check.low is None or value >= check.low) and (check.high is None or value <= check.high)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"({value!r})"
    return text(str(value))
