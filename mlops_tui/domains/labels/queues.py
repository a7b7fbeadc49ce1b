"""Queues: made of rows in an order worth people's time, found by name, removed."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TypeVar

from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features.service import Features
from mlops_tui.domains.labels.records import Item, Measure, Order, Queue
from mlops_tui.domains.labels.store import LabelStore
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving.service import Serving

LIMIT = 1_000
LONGEST = 200  # letters of a class, and of a labeller's name
DEPLOYMENT = "deployment:"
_Choice = TypeVar("_Choice", Order, Measure)


class Queues:
    """The queues of one workspace."""

    def __init__(
        self, context: Context, audit: Audit, features: Features, registry: Registry, serving: Serving
    ) -> None:
        self._context = context
        self._audit = audit
        self._features = features
        self._registry = registry
        self._serving = serving
        self._store = LabelStore(context)

    # -- queues ------------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        source: str,
        classes: Sequence[str],
        *,
        order: Order | str = Order.RANDOM,
        models: Sequence[str] = (),
        score: str = "",
        measure: Measure | str = Measure.MARGIN,
        where: str | None = None,
        joins: Sequence[str] = (),
        columns: Sequence[str] = (),
        limit: int = LIMIT,
        seed: int = 0,
        votes: int = 1,
        to: str = "",
    ) -> Queue:
        """A queue of at most `limit` rows of `source`, a snapshot (`orders`, `orders@3`) or `deployment:NAME`.

        `order` says what comes first: uncertainty of a model version's probabilities (`models`, `measure`) or of the column
        `score`, disagreement between several `models` or, without any, between labellers, random by `seed`, or as given.
        `joins` are tables (`weather:temp`) whose columns at each row's time come along, for people and for models that learned
        from such a join. `columns` are shown, all unless said. Each row wants `votes` labels. They are published to the table `to`
        (`NAME_labels` unless said). Raises NotFound, InvalidInput, AlreadyExists.
        """
        from mlops_tui.domains.labels import drawing

        check_name("label queue", name)
        said = _classes(classes)
        chosen, how = _choice(Order, order, "order"), _choice(Measure, measure, "measure")
        if not 1 <= limit <= drawing.MOST or not 1 <= votes <= 100:
            raise InvalidInput(f"A queue has 1 to {drawing.MOST:,} rows with 1 to 100 votes each.")
        self._none_yet(name)
        if source.startswith(DEPLOYMENT):
            if where or joins:
                raise InvalidInput(
                    "Predictions are neither filtered by SQL nor joined.", hint="Use a table, or leave it out."
                )
            drawn = drawing.from_deployment(self._serving, source.removeprefix(DEPLOYMENT))
        else:
            drawn = drawing.from_table(self._features, source, where, seed)
        if not drawn.rows:
            raise InvalidInput(f"{drawn.source} has no rows to label.", hint="Correct --where, or wait for traffic.")
        if joins:
            drawn = drawing.with_joined(self._features, drawn, joins)
        for column in columns:
            if column not in drawn.rows[0]:
                raise InvalidInput(
                    f"The rows have no column '{column}'.",
                    hint=did_you_mean(column, drawn.rows[0], f"They have: {', '.join(drawn.rows[0])}."),
                )
        scores, why = drawing.scored(drawn, chosen, models, score, how, self._registry)
        places = drawing.in_order(chosen, scores, seed)[:limit]
        items = drawn.items(places, scores, columns)
        queue = Queue(
            name=name,
            source=drawn.source,
            classes=said,
            order=chosen.value,
            why=why,
            seed=seed,
            votes=votes,
            to=check_name("feature table", to or f"{name}_labels"),
            keys=drawn.keys,
            time=drawn.time,
            types=drawn.types,
            rows=len(items),
            labelled=0,
            labels=0,
            unpublished=0,
            created_at=self._context.now(),
            created_by=self._context.actor,
            last_at=None,
        )
        with self._context.catalog.write() as tx:
            self._none_yet(name)
            self._store.add(tx, queue, items)
            after = {"source": queue.source, "classes": list(said), "rows": len(items), "order": chosen.value}
            self._audit.note(tx, "create", "label queue", name, after=after)
        return self.get(name)

    def list(self) -> builtins.list[Queue]:
        """Queues by name."""
        return self._store.find()

    def get(self, name: str) -> Queue:
        """One queue; NotFound with the nearest name otherwise."""
        queue = self._store.get(name)
        if queue is None:
            names = [one.name for one in self._store.find()]
            hint = did_you_mean(name, names, "List them: mlops labels list")
            raise NotFound(f"There is no label queue '{name}'.", hint=hint)
        return queue

    def remove(self, name: str, *, why: str = "") -> None:
        """Remove a queue with its labels; what was published stays."""
        queue = self.get(name)
        with self._context.catalog.write() as tx:
            self._store.remove(tx, queue)
            before = {"rows": queue.rows, "labels": queue.labels, "unpublished": queue.unpublished}
            self._audit.note(tx, "remove", "label queue", name, why=why, before=before)

    def _item(self, queue: Queue, position: int) -> Item:
        item = self._store.item(queue, position)
        if item is None:
            raise NotFound(f"{queue.name} has no row {position}.", hint=f"It has rows 1 to {queue.rows}.")
        return item

    def _none_yet(self, name: str) -> None:
        if self._store.get(name) is not None:
            raise AlreadyExists(f"There is a label queue '{name}' already.", hint=f"See it: mlops labels show {name}")


def _classes(given: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in given))
    if len(names) < 2 or "" in names or max(map(len, names)) > LONGEST:
        raise InvalidInput("A queue needs at least two classes.", hint="Name them: --class good --class bad")
    return names


def _choice(kind: type[_Choice], value: str, what: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"'{value}' is no {what}.", hint=f"Use one of {', '.join(kind)}.") from None
