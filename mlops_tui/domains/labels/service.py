"""The room's one class: make queues, label their rows, see how far people agree, publish labels as a feature table."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features.service import Features
from mlops_tui.domains.labels import agreeing
from mlops_tui.domains.labels.records import (
    Agreement,
    Item,
    Label,
    Measure,
    Order,
    Progress,
    Published,
    Queue,
    Suspect,
)
from mlops_tui.domains.labels.store import LabelStore
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving.service import Serving

LIMIT = 1_000
RATE_MS, LEAST_RATE_MS = 10 * clock.MINUTE, 10 * clock.SECOND
LONGEST = 200  # letters of a class
DEPLOYMENT = "deployment:"
_Choice = TypeVar("_Choice", Order, Measure)


class Labels:
    """Labelling in one workspace. A labeller is a name; unless said it is the one this workbench acts for."""

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

    def list(self) -> list[Queue]:
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

    # -- labelling ---------------------------------------------------------------------------------------------------

    def next(
        self, name: str, *, labeller: str | None = None, limit: int = 1, skipped: bool = False
    ) -> builtins.list[Item]:
        """The rows this person should label next; with `skipped` those they skipped."""
        queue = self.get(name)
        return self._store.open_items(
            queue, labeller or self._context.actor, limit, disputed=_by_labellers(queue), skipped=skipped
        )

    def item(self, name: str, position: int) -> Item:
        """One row. Raises NotFound."""
        return self._item(self.get(name), position)

    def items(self, name: str) -> builtins.list[Item]:
        """All rows in their order."""
        return self._store.items(self.get(name))

    def put(
        self,
        name: str,
        position: int,
        label: str,
        *,
        labeller: str | None = None,
        note: str = "",
        at: int | None = None,
    ) -> Label:
        """Label a row, at once and for good; a second label of the same person takes the place of the first.

        `at` is when it was said (ms), now unless given. Raises NotFound, InvalidInput for a class the queue has not.
        """
        queue = self.get(name)
        if label not in queue.classes:
            raise InvalidInput(
                f"'{label}' is no class of {name}.",
                hint=did_you_mean(label, queue.classes, f"It has: {', '.join(queue.classes)}."),
            )
        return self._put(queue, position, label, labeller, note, at)

    def put_many(
        self, name: str, rows: Iterable[Mapping[str, Any]], *, labeller: str | None = None
    ) -> builtins.list[Label]:
        """Labels made elsewhere, all of them or, on InvalidInput, none.

        Each row has `label` (nothing for skipped), the row's `position` or its key columns, and perhaps `labeller`, `note` and
        `labelled_at` (ms or ISO 8601). Raises NotFound, InvalidInput with the number of the row that is wrong.
        """
        from mlops_tui.domains.labels.loading import Loading

        queue = self.get(name)
        loading = Loading(queue, self._store.items(queue), labeller or self._context.actor, self._context.now())
        wanted = [loading.label(number, row) for number, row in enumerate(rows, 1)]
        with self._context.catalog.write() as tx:
            return [dataclasses.replace(one, id=self._store.put(tx, queue, one)) for one in wanted]

    def skip(self, name: str, position: int, *, labeller: str | None = None, note: str = "") -> Label:
        """Leave a row to others; this person is not asked again."""
        return self._put(self.get(name), position, None, labeller, note, None)

    def undo(self, name: str, *, labeller: str | None = None) -> Label:
        """Take this person's newest label or skip back; what it replaced counts again. Raises NotAllowed without one."""
        queue, who = self.get(name), labeller or self._context.actor
        with self._context.catalog.write() as tx:
            taken = self._store.undo(tx, queue, who)
        if taken is None:
            raise NotAllowed(f"{who} has nothing to take back in {name}.")
        return taken

    def labels(self, name: str, *, labeller: str | None = None) -> builtins.list[Label]:
        """Labels and skips that count, in the order they were given."""
        return self._store.labels(self.get(name), labeller)

    def progress(self, name: str, *, labeller: str | None = None) -> Progress:
        """How far a person is in a queue."""
        queue, who = self.get(name), labeller or self._context.actor
        mine = self._store.labels(queue, who)
        done = [one for one in mine if one.label is not None]
        left = self._store.count_open(queue, who, disputed=_by_labellers(queue))
        rate = _per_hour([one.at for one in mine], self._context.now())
        return Progress(who, queue.rows, len(done), len(mine) - len(done), left, queue.labelled, rate)

    # -- looking over them ---------------------------------------------------------------------------------------------

    def agreement(self, name: str) -> Agreement:
        """Cohen's kappa of all pairs of people, and Fleiss' of three or more."""
        return agreeing.agreement(self._store.labels(self.get(name)))

    def suspects(self, name: str, *, limit: int = 20, model: str = "", seed: int = 0) -> builtins.list[Suspect]:
        """Rows whose label is likely wrong, worst first, by confident learning (Northcutt, Jiang, Chuang 2021).

        Probabilities come from cross-validation over the labelled rows (logistic regression, five stratified folds), or from
        `model`, which must not have learned from these labels. Rows people are evenly split over are left out. Raises
        InvalidInput while there are too few labels.
        """
        from mlops_tui.domains.labels import drawing, suspecting

        queue = self.get(name)
        said = agreeing.majority(self._store.labels(queue))
        items = [one for one in self._store.items(queue) if one.position in said]
        given = [said[one.position] for one in items]
        if not items:
            raise InvalidInput(f"Nothing is labelled in {name} yet.", hint=f"Label rows: mlops labels next {name}")
        if model:
            classes, probabilities = drawing.probabilities(
                self._registry, model, [one.key | one.values for one in items]
            )
            if unknown := sorted(set(given) - set(classes)):
                raise InvalidInput(f"{model} does not know the class '{unknown[0]}'.", hint="Leave --model out.")
            present = [at for at, one in enumerate(classes) if one in set(given)]
            classes, probabilities = [classes[at] for at in present], probabilities[:, present]
            if len(classes) < 2:
                raise InvalidInput("The labels are all of one class.", hint="Label more rows.")
        else:
            frame = suspecting.features_of([one.values for one in items])
            classes, probabilities = suspecting.cross_validated(frame, given, seed=seed)
        return suspecting.ranked(items, given, classes, probabilities)[:limit]

    # -- publishing --------------------------------------------------------------------------------------------------

    def publish(self, name: str, *, message: str = "", feedback: bool = False) -> Published:
        """Bring the queue's feature table up to date: labels given since the last time as rows, those taken back as rows
        without a label, in one new snapshot. Nothing is made when nothing changed.

        The table has the keys of the source, its event time if it has one, `label`, `labeller`, `note` and `labelled_at`; it
        is made when it is not there. With `feedback` labels of predictions are also reported as what was true. Raises
        InvalidInput when a table of that name has other keys.
        """
        from mlops_tui.domains.labels import publishing

        queue = self.get(name)
        if feedback and not queue.deployment:
            raise InvalidInput(f"{name} does not label predictions.", hint="Leave --feedback out.")
        publishing.table_of(self._features, queue)
        with self._context.catalog.write() as tx:  # the snapshot and the note that these labels are in it land together
            labels, gone = self._store.unpublished(queue)
            if not labels and not gone:
                return Published(queue.to, None, 0, 0, 0)
            places = sorted({one.position for one in labels} | {position for position, _ in gone})
            items = {one.position: one for one in self._store.items(queue) if one.position in set(places)}
            rows = publishing.rows_of(queue, items, labels, gone, self._context.now())
            said = message or f"labels of {name}"
            snapshot = self._features.ingest(queue.to, rows, message=said, types=publishing.types_of(queue))
            self._store.put_published(tx, queue, labels, gone)
            after = {"table": queue.to, "version": snapshot.version, "labels": len(labels), "taken back": len(gone)}
            self._audit.note(tx, "publish", "label queue", name, why=message, after=after)
        told = 0
        if feedback and labels:
            truth = [
                {"id": items[one.position].key["prediction_id"], "label": one.label, "at": one.at} for one in labels
            ]
            told = self._serving.feedback(truth)
        return Published(queue.to, snapshot.version, len(labels), len(gone), told)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _put(
        self, queue: Queue, position: int, label: str | None, labeller: str | None, note: str, at: int | None
    ) -> Label:
        self._item(queue, position)
        who = (labeller or self._context.actor).strip()
        if not who or len(who) > LONGEST:
            raise InvalidInput("A labeller needs a name of at most 200 letters.", hint="Name one: --labeller ana")
        given = Label(position, label, who, note.strip(), self._context.now() if at is None else at)
        with self._context.catalog.write() as tx:
            number = self._store.put(tx, queue, given)
        return dataclasses.replace(given, id=number)

    def _item(self, queue: Queue, position: int) -> Item:
        item = self._store.item(queue, position)
        if item is None:
            raise NotFound(f"{queue.name} has no row {position}.", hint=f"It has rows 1 to {queue.rows}.")
        return item

    def _none_yet(self, name: str) -> None:
        if self._store.get(name) is not None:
            raise AlreadyExists(f"There is a label queue '{name}' already.", hint=f"See it: mlops labels show {name}")


def _by_labellers(queue: Queue) -> bool:
    return queue.order == Order.DISAGREEMENT


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


def _per_hour(times: Sequence[int], now: int) -> float | None:
    """Labels per hour over the last ten minutes; None while they span less than ten seconds."""
    recent = sorted(at for at in times if 0 <= now - at <= RATE_MS)
    if len(recent) < 2 or recent[-1] - recent[0] < LEAST_RATE_MS:
        return None
    return round((len(recent) - 1) * clock.HOUR / (recent[-1] - recent[0]), 1)
