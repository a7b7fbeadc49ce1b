"""What can be searched by in each of MLflow's lists, the orders they take, and page tokens."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_tui.core.conditions import AMONG, NUMERIC, PRESENCE, TEXTUAL, Condition, Order
from mlops_tui.core.errors import InvalidInput
from mlops_tui.web.mlflow_filter import Comparison, Mistake, identifier, parse

_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
_ORDER = re.compile(r"\s*(.+?)(?:\s+(asc|desc))?\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Searchable:
    """One list: its entities, its attributes (other spellings -> name), those that are numbers, those that may be IN."""

    entities: tuple[str, ...]
    attributes: Mapping[str, str]
    numbers: frozenset[str]
    among: frozenset[str]
    orders: tuple[str, ...] = ("attribute",)

    def conditions(self, text: str) -> list[Condition]:
        """Read a filter. Raises InvalidInput with a caret."""
        return [self._condition(text, one) for one in parse(text)]

    def orders_of(self, texts: Sequence[str]) -> list[Order]:
        """Read `metrics.acc DESC` and the like."""
        return [self._order(text) for text in texts]

    def order(self, name: str, ascending: bool) -> Order:
        """One order by an identifier. Raises InvalidInput."""
        entity, key = self._named(
            *identifier(name.strip()), lambda problem: InvalidInput(f"Invalid order_by: {problem}")
        )
        if entity not in self.orders:
            raise InvalidInput(f"Invalid order_by: cannot order by {name[:100]!r}.")
        return Order(entity, key, ascending)

    def _order(self, text: str) -> Order:
        match = _ORDER.fullmatch(text)
        if match is None:
            raise InvalidInput("Invalid order_by: a name was expected.")
        return self.order(match[1], (match[2] or "asc").lower() == "asc")

    def _named(self, entity: str, key: str, mistake: Callable[[str], InvalidInput]) -> tuple[str, str]:
        kind = _ENTITIES.get(entity.lower()) if entity else "attribute"
        if kind is None or kind not in self.entities:
            names = [{"param": "parameter"}.get(name, name) for name in self.entities]
            raise mistake(f"Invalid entity type '{entity}'. Valid values are {names}")
        if kind == "attribute":
            if key.lower() not in self.attributes:
                known = sorted(set(self.attributes.values()))
                raise mistake(f"Invalid attribute key '{key[:100]}' specified. Valid keys are {known}")
            key = self.attributes[key.lower()]
        if kind == "dataset" and key not in {"name", "digest", "context"}:
            raise mistake(f"Invalid dataset key '{key[:100]}' specified. Valid keys are ['name', 'digest', 'context']")
        return kind, key

    def _condition(self, text: str, one: Comparison) -> Condition:
        def mistake(problem: str) -> Mistake:
            return Mistake(text, one.at, problem)

        entity, key = self._named(one.entity, one.key, mistake)
        numeric = entity == "metric" or (entity == "attribute" and key in self.numbers)
        if numeric:
            allowed = NUMERIC
        else:
            allowed = TEXTUAL
            if entity in {"param", "tag"}:
                allowed = allowed | PRESENCE
            if entity == "dataset" or (entity == "attribute" and key in self.among):
                allowed = allowed | AMONG
        if one.op not in allowed:
            raise mistake(f"'{one.op}' does not compare {key[:100]!r}; use one of {', '.join(sorted(allowed))}.")
        if numeric and not isinstance(one.value, float):
            raise mistake(f"Expected numeric value type for {key[:100]!r}. Found {one.value!r}")
        if not numeric and isinstance(one.value, float):
            raise mistake(f"Expected a quoted string value for {key[:100]!r}.")
        return Condition(entity, key, one.op, one.value)


def _same(*names: str, **others: str) -> dict[str, str]:
    return {**{name: name for name in names}, **others}


RUNS = Searchable(
    ("metric", "param", "tag", "attribute", "dataset"),
    _same("run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time", "experiment_id")
    | {"run name": "run_name", "created": "start_time", "name": "run_name", "created_at": "start_time"},
    frozenset({"start_time", "end_time"}),
    frozenset({"run_id", "status"}),
    ("metric", "param", "tag", "attribute"),
)
EXPERIMENTS = Searchable(
    ("attribute", "tag"),
    _same("name", "experiment_id", "creation_time", "last_update_time"),
    frozenset({"creation_time", "last_update_time"}),
    frozenset(),
)
MODELS = Searchable(
    ("attribute", "tag"),
    _same("name", "creation_timestamp", "last_updated_timestamp", "timestamp"),
    frozenset({"creation_timestamp", "last_updated_timestamp", "timestamp"}),
    frozenset({"name"}),
)
VERSIONS = Searchable(
    ("attribute", "tag"),
    _same("name", "run_id", "source_path", "version_number", "creation_timestamp", "last_updated_timestamp"),
    frozenset({"version_number", "creation_timestamp", "last_updated_timestamp"}),
    frozenset({"name", "run_id"}),
)
LOGGED = Searchable(
    ("attribute", "metric", "param", "tag"),
    _same(
        *("name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp", "creation_time"),
        *("last_updated_timestamp", "last_updated_time"),
    ),
    frozenset({"creation_timestamp", "creation_time", "last_updated_timestamp", "last_updated_time"}),
    frozenset({"name", "model_id", "model_type", "status", "source_run_id"}),
    ("attribute", "metric"),
)


def offset_of(token: str) -> int:
    """The place a page begins at, 0 without a token. Raises InvalidInput for a token that is none of ours."""
    if not token:
        return 0
    try:
        offset = json.loads(base64.b64decode(token, validate=True))["offset"]
    except (binascii.Error, ValueError, LookupError, TypeError, RecursionError):
        offset = None
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < 2**53:
        raise InvalidInput("Invalid page token, could not decode it. Pass the next_page_token of the page before.")
    return offset


def page(items: Sequence[Any], limit: int, offset: int) -> tuple[Sequence[Any], dict[str, str]]:
    """The items of a page of which one more was asked for, and the field that names the next page where there is one."""
    if len(items) <= limit:
        return items, {}
    token = base64.b64encode(json.dumps({"offset": offset + limit}).encode()).decode()
    return items[:limit], {"next_page_token": token}
