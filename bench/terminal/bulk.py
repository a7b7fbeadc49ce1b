"""A workspace with very many runs or alerts, or a very long feature table, made in seconds."""

from __future__ import annotations

from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"


def many_runs(workspace: Workspace, count: int, now: int) -> None:
    """`count` runs in four experiments, one a minute until `now`, each with two metrics, a parameter and (every tenth) a tag."""
    with Workbench(workspace, actor="ana", now=lambda: now) as bench:
        bench.experiments.list()  # the tables are made on first use
        with bench.context.catalog.write() as tx:
            for at, name in enumerate(("hire", "churn", "price", "fraud"), 1):
                tx.execute(
                    "INSERT INTO experiment(id, name, created_at, created_by) VALUES (?, ?, ?, 'ana')", (at, name, now)
                )
            tx.execute(
                NUMBERS
                + """INSERT INTO run(number, id, experiment_id, name, state, started_at, ended_at, user, host, source, command,
                    python, git_commit, git_branch, git_dirty, parent, pid, process_started, boot)
                SELECT i, printf('%016x', i * 2654435761), 1 + i % 4, printf('run-%06d', i),
                    CASE i % 10 WHEN 3 THEN 'failed' WHEN 7 THEN 'crashed' ELSE 'finished' END,
                    ? - (? - i) * 60000, ? - (? - i) * 60000 + i % 5000 * 10, 'ana', 'desk', 'train.py', 'python train.py',
                    '3.11.7', '', '', 0, '', 1, 1, '' FROM n""",
                (count, now, count, now, count),
            )
            tx.execute(NUMBERS + "INSERT INTO run_tag SELECT i * 10, 'team', 'city' FROM n", (count // 10,))
        with bench.context.metrics.write() as tx:
            tx.executemany("INSERT INTO key(id, name) VALUES (?, ?)", [(1, "auc"), (2, "loss"), (3, "lr")])
            for key in (1, 2):
                tx.execute(
                    NUMBERS
                    + """INSERT INTO metric_latest SELECT i, ?, 10, ?, i * 7919 % 10000 / 10000.0, 0.0, 1.0, 1 FROM n""",
                    (count, key, now),
                )
            tx.execute(NUMBERS + "INSERT INTO param SELECT i, 3, '0.01', 0.01 FROM n", (count,))


def many_alerts(workspace: Workspace, count: int, now: int) -> None:
    """`count` open alerts of as many subjects, every seventh critical, raised as rooms raise them."""
    with Workbench(workspace, actor="ana", now=lambda: now) as bench, bench.context.catalog.write():
        for at in range(count):
            severity = "critical" if at % 7 == 0 else "warning"
            bench.alerts.raise_alert("drift", f"shop-{at}", title=f"Column {at} moved", severity=severity)


def long_table(workspace: Workspace, count: int, columns: int = 12) -> None:
    """A feature table `wide` of `count` rows: id, time, and numbers and words up to `columns` columns."""
    import duckdb

    source = Path(workspace.project) / "wide.parquet"
    more = ", ".join(
        f"(i * {at} % 1000) / 10.0 AS value_{at}" if at % 3 else f"'word ' || (i % {at * 100}) AS text_{at}"
        for at in range(1, columns - 1)
    )
    duckdb.sql(
        f"COPY (SELECT i AS id, TIMESTAMPTZ '2025-01-01 00:00:00Z' + to_seconds(i) AS at, {more} FROM range({count}) t(i))"
        f" TO '{source}' (FORMAT parquet)"
    )
    with Workbench(workspace, actor="ana") as bench:
        bench.features.create("wide", ["id"], time="at")
        bench.features.ingest("wide", source)
