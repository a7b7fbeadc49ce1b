"""Freeing files whose last run was removed.

A file is stored before it is named, so a young one stays: storing content that is there already makes the file young again.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.experiments.archiving import collect_files
from mlops_tui.domains.experiments.store import ExperimentsStore


def rehearsed(context: Context, store: ExperimentsStore, *, hold: Collection[str], min_age_ms: int) -> tuple[int, int]:
    """(files, bytes) that `collect` would remove now; those of runs that are still to be removed are not among them."""
    youngest = time.time() - min_age_ms / 1000
    sizes = []
    for sha in set(store.upkeep.freed()) - set(hold):
        with suppress(NotFound):
            if context.artifacts.stored_at(sha) <= youngest:
                sizes.append(context.artifacts.size(sha))
    return len(sizes), sum(sizes)


def collect(context: Context, store: ExperimentsStore, *, hold: Collection[str], min_age_ms: int) -> tuple[int, int]:
    """(files, bytes) removed: of removed runs, named by no run, no logged model and nobody in `hold`, older than `min_age_ms`."""
    held = set(hold)
    youngest = time.time() - min_age_ms / 1000  # the clock of the files, which is the machine's
    with context.metrics.write() as tx:  # it commits before it unlinks: see the features room
        store.upkeep.done(tx, "collect", context.now())
        candidates = store.upkeep.freed()
        store.upkeep.forget_freed(tx, [sha for sha in candidates if sha in held])
    files = size = 0
    gone = []
    for sha in candidates:
        with suppress(NotFound):
            if sha in held or context.artifacts.stored_at(sha) > youngest:
                continue
            size += context.artifacts.size(sha)
            context.artifacts.remove(sha)
            files += 1
        gone.append(sha)
    with context.metrics.write() as tx:
        store.upkeep.forget_freed(tx, gone)
    return files + collect_files(context, store), size
