"""The room's one class: make queues, label their rows, see how far people agree, publish labels as a feature table."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotAllowed
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.labels import agreeing
from mlops_tui.domains.labels.queues import LONGEST, Queues
from mlops_tui.domains.labels.records import (
    Agreement,
    Item,
    Label,
    Order,
    Progress,
    Published,
    Queue,
    Suspect,
)

RATE_MS, LEAST_RATE_MS = 10 * clock.MINUTE, 10 * clock.SECOND


class Labels(Queues):
    """Labelling in one workspace. A labeller is a name; unless said it is the one this workbench acts for."""

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


def _by_labellers(queue: Queue) -> bool:
    return queue.order == Order.DISAGREEMENT


def _per_hour(times: Sequence[int], now: int) -> float | None:
    """Labels per hour over the last ten minutes; None while they span less than ten seconds."""
    recent = sorted(at for at in times if 0 <= now - at <= RATE_MS)
    if len(recent) < 2 or recent[-1] - recent[0] < LEAST_RATE_MS:
        return None
    return round((len(recent) - 1) * clock.HOUR / (recent[-1] - recent[0]), 1)
