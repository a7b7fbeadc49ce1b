"""What a person or a pipeline file asks for, checked and made into the columns of a schedule."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.records import Action, Condition, Kind, Missed, Overlap

GRACE_S = 300.0
Choice = TypeVar("Choice", bound=StrEnum)
RULE = (
    "pipeline",
    "kind",
    "cron",
    "timezone",
    "missed",
    "overlap",
    "cooldown_s",
    "grace_s",
    "subject",
    "tables",
    "min_rows",
    "min_share",
    "max_per_day",
    "priority",
    "jitter_s",
    "within_s",
    "all_of",
    "any_of",
    "branch",
    "paths",
    "action",
    "dry_run",
)
EVENTS = frozenset({"new_data", "drift", "performance"})  # conditions that become true at a moment


def checked(given: dict[str, Any], definition: Definition) -> dict[str, Any]:
    """The columns of a rule, or InvalidInput for the first thing wrong with it."""
    rule = {field: given[field] for field in RULE}
    rule["kind"] = _choice(Kind, "kind of trigger", given["kind"])
    rule["missed"] = _choice(Missed, "policy for missed slots", given["missed"])
    rule["overlap"] = _choice(Overlap, "policy for overlaps", given["overlap"])
    if rule["kind"] is Kind.SCHEDULE and not given["cron"]:
        raise InvalidInput("A schedule needs a crontab line.", hint="For example --cron '0 3 * * *'.")
    if given["cron"]:
        cron.parse(given["cron"])
    cron.zone(given["timezone"])
    for field in ("cooldown_s", "grace_s", "min_rows", "min_share", "max_per_day", "jitter_s", "within_s"):
        if given[field] < 0:
            raise InvalidInput(f"{field} cannot be negative.")
    rule["action"] = _choice(Action, "action", given["action"])
    rule["subject"] = given["subject"] or definition.deployment
    for name in ("all_of", "any_of"):
        rule[name] = tuple(_condition(one, rule["subject"]) for one in given[name])
    _combination(rule)
    own = [definition.spine, *definition.features]
    tables = given["tables"] or [table.partition(":")[0].partition("@")[0] for table in own if table]
    watched = {one.table for one in (*rule["all_of"], *rule["any_of"]) if one.table}
    clocked = rule["kind"] is Kind.SCHEDULE and not (rule["all_of"] or rule["any_of"])
    rule["tables"] = [] if clocked or rule["kind"] is Kind.COMMIT else sorted({*tables, *watched})
    rule["paths"] = tuple(given["paths"])
    if rule["kind"] in (Kind.DRIFT, Kind.PERFORMANCE) and not rule["subject"]:
        raise InvalidInput(
            f"Pipeline '{definition.name}' deploys nothing, so there is nothing to watch.",
            hint="Name a deployment.",
        )
    return rule


def _combination(rule: dict[str, Any]) -> None:
    conditions = (*rule["all_of"], *rule["any_of"])
    if rule["all_of"] and rule["any_of"]:
        raise InvalidInput("Either all conditions must hold or any of them.", hint="Give one of the two.")
    if rule["kind"] is Kind.CONDITION and not any(one.kind in EVENTS for one in conditions):
        raise InvalidInput(
            "A rule of conditions needs one that becomes true at a moment.",
            hint=f"One of: {', '.join(sorted(EVENTS))}. For 'fresh' alone use a line: --cron '0 * * * *'.",
        )


def _condition(given: Condition | dict[str, Any], subject: str) -> Condition:
    """A checked condition. Raises InvalidInput for an unknown kind, and for an alert of no deployment."""
    one = given if isinstance(given, Condition) else Condition(**given)
    if one.kind not in (*EVENTS, "fresh"):
        raise InvalidInput(f"'{one.kind}' is no condition.", hint=f"One of: {', '.join(sorted((*EVENTS, 'fresh')))}.")
    if one.rows < 0 or one.share < 0 or one.within_s < 0:
        raise InvalidInput("The numbers of a condition cannot be negative.")
    if one.kind == "fresh" and not one.within_s:
        raise InvalidInput("'fresh' needs how old the data may be.", hint="For example fresh:within=24h")
    if one.kind in ("drift", "performance") and not (one.deployment or subject):
        raise InvalidInput(f"'{one.kind}' needs a deployment to watch.", hint=f"{one.kind}:deployment=NAME")
    return one


def condition(text: str) -> Condition:
    """Read `new_data:table=orders,rows=500,within=24h`. Raises InvalidInput for a name or number that cannot be."""
    kind, _, rest = text.partition(":")
    values: dict[str, Any] = {}
    for part in (part for part in rest.split(",") if part.strip()):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            if name == "within":
                values["within_s"] = clock.parse_span(value) / 1000
            elif name in ("table", "deployment"):
                values[name] = value
            elif name in ("rows", "share"):
                values[name] = int(value) if name == "rows" else float(value)
            else:
                near = did_you_mean(name, ("table", "deployment", "rows", "share", "within"), "")
                raise InvalidInput(
                    f"'{name}' is nothing a condition knows.", hint=near or "table, deployment, rows, share, within"
                )
        except ValueError:
            raise InvalidInput(f"'{value}' is not a number.", hint=f"Write {name}=500") from None
    return Condition(kind.strip(), **values)


def of_trigger(trigger: dict[str, Any], definition: Definition) -> dict[str, Any]:
    """A [[triggers]] part as the arguments of `add`."""

    def span(name: str) -> float:
        return clock.parse_span(trigger[name]) / 1000 if trigger.get(name) else 0.0

    release = trigger["kind"] == Kind.COMMIT
    return {
        "pipeline": definition.name,
        "kind": trigger["kind"],
        "cron": trigger.get("cron") or "",
        "timezone": trigger.get("timezone") or "UTC",
        "missed": trigger.get("missed") or Missed.LATEST,
        "overlap": trigger.get("overlap") or Overlap.SKIP,
        "cooldown_s": span("cooldown"),
        "grace_s": span("grace") or GRACE_S,
        "subject": trigger.get("deployment") or "",
        "tables": [trigger["table"]] if trigger.get("table") else None,
        "min_rows": trigger.get("rows") or 0,
        "min_share": trigger.get("share") or 0.0,
        "max_per_day": trigger.get("max_per_day") or 0,
        "priority": trigger.get("priority") or 0,
        "jitter_s": span("jitter"),
        "within_s": span("within"),
        "all_of": [_of_when(one) for one in trigger.get("all") or ()],
        "any_of": [_of_when(one) for one in trigger.get("any") or ()],
        "branch": trigger.get("branch") or "",
        "paths": trigger.get("paths") or [],
        "dry_run": trigger.get("dry_run") or False,
        "action": trigger.get("then") or (Action.RELEASE if release else Action.RUN),
    }


def _of_when(one: dict[str, Any]) -> Condition:
    values = {name: value for name, value in one.items() if name != "within"}
    within = one.get("within")
    return Condition(**values, within_s=clock.parse_span(within) / 1000 if within else 0.0)


def _choice(kinds: type[Choice], label: str, text: str) -> Choice:
    try:
        return kinds(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is no {label}.", hint=f"One of: {', '.join(kinds)}.") from None


def plain(value: Any) -> Any:
    """A column of a rule as the audit trail keeps it, and as it is compared."""
    if isinstance(value, (list, tuple)):
        return [dataclasses.asdict(one) if isinstance(one, Condition) else one for one in value]
    return str(value) if isinstance(value, StrEnum) else value


def facts(rule: dict[str, Any]) -> dict[str, Any]:
    """A whole rule for the audit trail: what is said, without what is left at nothing."""
    return {name: plain(rule[name]) for name in RULE if rule[name]}
