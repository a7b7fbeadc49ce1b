"""What a person or a pipeline file asks for, checked and made into the columns of a schedule."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.records import Kind, Missed, Overlap

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
)


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
    for field in ("cooldown_s", "grace_s", "min_rows", "min_share", "max_per_day"):
        if given[field] < 0:
            raise InvalidInput(f"{field} cannot be negative.")
    rule["subject"] = given["subject"] or definition.deployment
    own = [definition.spine, *definition.features]
    tables = given["tables"] or [table.partition(":")[0].partition("@")[0] for table in own if table]
    rule["tables"] = [] if rule["kind"] is Kind.SCHEDULE else sorted(set(tables))
    if rule["kind"] in (Kind.DRIFT, Kind.PERFORMANCE) and not rule["subject"]:
        raise InvalidInput(
            f"Pipeline '{definition.name}' deploys nothing, so there is nothing to watch.",
            hint="Name a deployment.",
        )
    return rule


def of_trigger(trigger: dict[str, Any], definition: Definition) -> dict[str, Any]:
    """A [[triggers]] part as the arguments of `add`."""
    cooldown = trigger.get("cooldown") or ""
    return {
        "pipeline": definition.name,
        "kind": trigger["kind"],
        "cron": trigger.get("cron") or "",
        "timezone": trigger.get("timezone") or "UTC",
        "missed": trigger.get("missed") or Missed.LATEST,
        "overlap": trigger.get("overlap") or Overlap.SKIP,
        "cooldown_s": clock.parse_span(cooldown) / 1000 if cooldown else 0.0,
        "grace_s": GRACE_S,
        "subject": trigger.get("deployment") or "",
        "tables": [trigger["table"]] if trigger.get("table") else None,
        "min_rows": trigger.get("rows") or 0,
        "min_share": trigger.get("share") or 0.0,
        "max_per_day": trigger.get("max_per_day") or 0,
    }


def _choice(kinds: type[Choice], label: str, text: str) -> Choice:
    try:
        return kinds(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is no {label}.", hint=f"One of: {', '.join(kinds)}.") from None


def plain(value: Any) -> Any:
    """A column of a rule as the audit trail keeps it, and as it is compared."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, StrEnum) else value
