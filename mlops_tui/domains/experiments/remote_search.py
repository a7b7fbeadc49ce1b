"""SQL for finding runs by conditions and in orders over their metrics, parameters, tags, data sets and own facts."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_tui.core.conditions import AMONG, PRESENCE, Condition, Order, compared
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.remote_records import PARENT_TAG, RUN_NAME_TAG, USER_TAG

ATTRIBUTES = {
    "run_id": "r.id",
    "run_name": "r.name",
    "user_id": "r.user",
    "status": "r.state",
    "artifact_uri": "('mlflow-artifacts:/' || r.experiment_id || '/' || r.id || '/artifacts')",
    "start_time": "r.started_at",
    "end_time": "r.ended_at",
    "experiment_id": "r.experiment_id",
}
STATES = {"RUNNING": "running", "SCHEDULED": "running", "FINISHED": "finished", "FAILED": "failed", "KILLED": "crashed"}
# Facts that clients know as tags are columns here, also of runs that came another way.
_TAG_COLUMNS = {RUN_NAME_TAG: "r.name", PARENT_TAG: "nullif(r.parent, '')", USER_TAG: "r.user"}
_KEY = "(SELECT id FROM metrics.key WHERE name = ?)"
Part = tuple[str, list[str | float]]


def condition_sql(condition: Condition) -> Part:
    """A condition on `run r`. A run that lacks the metric, parameter or tag never meets one, except IS NULL."""
    if condition.entity == "attribute":
        return _attribute(condition)
    if condition.entity == "metric":
        text, values = compared("l.value", condition)
        text = f"({text} OR l.value IS NULL)" if condition.op == "!=" else text  # NaN differs from everything
        return f"r.number IN (SELECT l.run FROM metrics.metric_latest l WHERE l.key = {_KEY} AND {text})", [
            condition.key,
            *values,
        ]
    if condition.entity == "param":
        return _kept("p.run", f"metrics.param p WHERE p.key = {_KEY}", "p.value", condition)
    if condition.entity == "tag":
        if condition.key in _TAG_COLUMNS:
            return compared(_TAG_COLUMNS[condition.key], condition)
        return _kept("t.run", "run_tag t WHERE t.key = ?", "t.value", condition)
    return _dataset(condition)


def _attribute(condition: Condition) -> Part:
    if condition.key == "status":
        names = condition.value if isinstance(condition.value, tuple) else (str(condition.value),)
        if condition.op in {"=", "!=", *AMONG}:
            states = tuple(STATES.get(name.upper(), name) for name in names)
            condition = Condition("attribute", "status", condition.op, states if condition.op in AMONG else states[0])
        else:
            words = " ".join(f"WHEN '{state}' THEN '{name}'" for name, state in STATES.items() if name != "SCHEDULED")
            return compared(f"(CASE r.state {words} END)", condition)
    return compared(ATTRIBUTES[condition.key], condition)


def _kept(run: str, table: str, column: str, condition: Condition) -> Part:
    if condition.op in PRESENCE:
        word = "NOT IN" if condition.op == "IS NULL" else "IN"
        return f"r.number {word} (SELECT {run} FROM {table})", [condition.key]
    text, values = compared(column, condition)
    return f"r.number IN (SELECT {run} FROM {table} AND {text})", [condition.key, *values]


def _dataset(condition: Condition) -> Part:
    columns = {"name": "i.name", "digest": "i.digest", "context": "json_extract(i.tags, '$.\"mlflow.data.context\"')"}
    text, values = compared(columns[condition.key], condition)
    return f"r.number IN (SELECT i.run FROM run_input i WHERE {text})", values


def order_sql(orders: Sequence[Order]) -> tuple[str, list[str], str]:
    """JOIN text, its parameters, and the ORDER BY list. By a metric, NaN and then missing ones come last either way."""
    joins, values, by = [], [], []
    for place, order in enumerate(orders):
        direction = "ASC" if order.ascending else "DESC"
        name = f"o{place}"
        if order.entity == "metric":
            joins.append(f"LEFT JOIN metrics.metric_latest {name} ON {name}.run = r.number AND {name}.key = {_KEY}")
            values.append(order.key)
            by += [f"{name}.run IS NULL", f"{name}.value IS NULL", f"{name}.value {direction}"]
        elif order.entity == "param":
            joins.append(f"LEFT JOIN metrics.param {name} ON {name}.run = r.number AND {name}.key = {_KEY}")
            values.append(order.key)
            by += [f"{name}.value IS NULL", f"{name}.value {direction}"]
        elif order.entity == "tag" and order.key not in _TAG_COLUMNS:
            joins.append(f"LEFT JOIN run_tag {name} ON {name}.run = r.number AND {name}.key = ?")
            values.append(order.key)
            by += [f"{name}.value IS NULL", f"{name}.value {direction}"]
        else:
            column = _TAG_COLUMNS.get(order.key) if order.entity == "tag" else ATTRIBUTES.get(order.key)
            if column is None:
                raise InvalidInput(f"Runs cannot be ordered by {order.entity} '{order.key}'.")
            by += [f"{column} IS NULL", f"{column} {direction}"]
    return " ".join(joins), values, ", ".join([*by, "r.started_at DESC", "r.id"])
