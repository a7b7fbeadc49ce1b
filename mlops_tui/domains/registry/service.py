"""What the registry does: register a version, move names over versions, go back, and say where a version came from."""

from __future__ import annotations

import math
import shutil
import uuid
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.registry import aside, package
from mlops_tui.domains.registry.describing import Describing
from mlops_tui.domains.registry.records import (
    CHAMPION,
    Health,
    Promotion,
    Stage,
    Version,
    previous_of,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mlops_tui.domains.registry.exports.writing import Export
    from mlops_tui.domains.registry.remote import RemoteRegistry

STAGES = {"production": Stage.PRODUCTION, "staging": Stage.STAGING, "archived": Stage.ARCHIVED}


class Registry(Describing):
    """Model versions and the names on them."""

    @cached_property
    def remote(self) -> RemoteRegistry:
        """What clients of other programs ask for over HTTP."""
        from mlops_tui.domains.registry.remote import RemoteRegistry

        return RemoteRegistry(self._context, self._audit, self._store, self, self._experiments)

    # -- registering

    def register(
        self,
        model: str,
        folder: Path,
        *,
        run_id: str = "",
        snapshots: Sequence[str] | None = None,
        pipeline: str = "",
        pipeline_run: str = "",
        git_commit: str = "",
        metrics: Mapping[str, float] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """Store a model package folder as the next version of `model` (made if new).

        The same `pipeline_run` registers once: called again, its version is returned. Raises NotFound or InvalidInput when
        the folder is no whole package.
        """
        ids.check_name("model", model)
        described, environment = package.signature(folder), package.environment(folder)
        package.check(folder)
        sha = self._context.artifacts.put_folder(folder)
        now, actor = self._context.now(), self._context.actor
        with self._context.catalog.write() as tx:
            known = self._store.find_by_pipeline_run(model, pipeline_run) if pipeline_run else None
            if known is not None:
                return known
            version = Version(
                model=model,
                version=self._store.next_number(model),
                sha=sha,
                stage=Stage.NONE,
                aliases=[],
                task=str(described.get("task", "")),
                metrics=_finite(metrics or {}),
                run_id=run_id,
                snapshots=list(snapshots or []),
                pipeline=pipeline,
                pipeline_run=pipeline_run,
                git_commit=git_commit,
                signature=described,
                environment=environment,
                tags=dict(tags or {}),
                description=description,
                size=self._context.artifacts.folder_size(sha),
                created_at=now,
                created_by=actor,
            )
            self._store.add_model(tx, model, "", now, actor)
            self._store.add_version(tx, version)
            after = {"sha": sha, "run_id": run_id, "snapshots": version.snapshots, "pipeline_run": pipeline_run}
            self._audit.note(tx, "register", "model", version.ref, why=description, after=after)
        return version

    def register_run(self, model: str, run_id: str, *, artifact: str = "model", description: str = "") -> Version:
        """Register the model package that an experiment run logged under `artifact`, with the run's metrics and commit.

        Raises NotFound when there is no such run, or it logged no package there.
        """
        run = self._experiments.run(run_id)
        folder = self._context.workspace.tmp / f"package-{uuid.uuid4().hex}"
        found = {item.path: item.sha for item in self._experiments.artifacts(run.id)}
        files = {
            path.removeprefix(f"{artifact}/"): sha for path, sha in found.items() if path.startswith(f"{artifact}/")
        }
        if package.MODEL not in files:
            models = sorted({path.rpartition("/")[0] for path in found if path.endswith(f"/{package.MODEL}")})
            hint = f"It has: {', '.join(models)}." if models else "Log one in the script: run.log_model(...)."
            raise NotFound(f"Run {run.id} logged no model under {artifact!r}.", hint=hint)
        try:
            for name, sha in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._context.artifacts.path(sha), folder / name)
            metrics = {name: metric.value for name, metric in self._experiments.metrics(run.id).items()}
            return self.register(
                model, folder, run_id=run.id, git_commit=run.git_commit, metrics=metrics, description=description
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # -- moving names

    def set_alias(self, model: str, alias: str, version: int, why: str = "") -> Version:
        """Point `alias` at a version. `champion` also moves the stage Production and wants approval, as promoting does."""
        ids.check_name("alias", alias)
        if alias.isdigit():
            raise InvalidInput(f"{alias!r} cannot be an alias: it reads as a version.", hint="Use a word.")
        target = self.version(f"{model}/{version}")
        with self._context.catalog.write() as tx:
            if alias == CHAMPION and target.version != self.alias(model, CHAMPION):
                self.approvals.check(target)
            self._move(tx, target, alias, "alias", why)
        return self.version(target.ref)

    def remove_alias(self, model: str, alias: str, why: str = "") -> None:
        """Take an alias away; NotFound when it is not there, NotAllowed for `champion`."""
        if alias == CHAMPION:
            raise NotAllowed("The champion cannot be removed, only replaced.", hint=f"mlops models rollback {model}")
        current = self._store.alias(model, alias)
        if current is None:
            raise NotFound(f"{model} has no alias {alias!r}.", hint=f"See them: mlops models show {model}")
        with self._context.catalog.write() as tx:
            self._store.remove_alias(tx, model, alias)
            self._store.add_promotion(tx, self.move_of(model, alias, current, None, "remove", why))
            self._audit.note(tx, "remove", "alias", f"{model}@{alias}", why=why, before={"version": current})

    def promote(self, ref: str, to: str = "production", why: str = "") -> Version:
        """Promote a version to `production`, `staging`, `archived`, or to an alias of your own.

        Production moves the alias `champion` and archives the earlier production version. Raises NotAllowed when the
        production version itself would be archived, or when others have to approve first (see `approvals`).
        """
        target = self.version(ref)
        stage = STAGES.get(to.lower())
        if stage is None:
            return self.set_alias(target.model, to, target.version, why)
        with self._context.catalog.write() as tx:
            target = self.version(target.ref)  # somebody may have promoted it since
            if stage is Stage.ARCHIVED and target.stage is Stage.PRODUCTION:
                raise NotAllowed(
                    f"{target.ref} is in production.",
                    hint=f"Promote another first, or: mlops models rollback {target.model}",
                )
            if stage is Stage.PRODUCTION:
                if target.version != self.alias(target.model, CHAMPION):
                    self.approvals.check(target)
                self._move(tx, target, CHAMPION, "promote", why)
            else:
                self._restage(tx, target, stage, why)
        return self.version(target.ref)

    def rollback(self, model: str, alias: str = CHAMPION, why: str = "") -> Version:
        """Return an alias to the version it named before, from the promotion history; NotAllowed when there is none."""
        self.model(model)
        with self._context.catalog.write() as tx:
            number = previous_of(self._store.promotions(model, alias))
            if number is None:
                raise NotAllowed(
                    f"{model}@{alias} has no earlier version to go back to.", hint=f"See: mlops models show {model}"
                )
            self._move(tx, self.version(f"{model}/{number}"), alias, "rollback", why)
        return self.version(f"{model}/{number}")

    def _move(self, tx: sqlite3.Connection, target: Version, alias: str, verb: str, why: str) -> None:
        self.require(target)
        before = self._store.alias(target.model, alias)
        now = self._context.now()
        self._store.set_alias(tx, target.model, alias, target.version, now)
        self._store.touch(tx, target.model, now)
        if alias == CHAMPION:
            for earlier in self._store.in_stage(target.model, Stage.PRODUCTION):
                self._store.set_stage(tx, target.model, earlier, Stage.ARCHIVED)
            self._store.set_stage(tx, target.model, target.version, Stage.PRODUCTION)
        if before != target.version or verb == "rollback":
            move = self.move_of(target.model, alias, before, target.version, verb, why)
            self._store.add_promotion(tx, move)
        note = {"before": {"version": before}, "after": {"version": target.version, "alias": alias}}
        self._audit.note(tx, verb, "model", f"{target.model}@{alias}", why=why, **note)

    def _restage(self, tx: sqlite3.Connection, target: Version, stage: Stage, why: str) -> None:
        self._store.set_stage(tx, target.model, target.version, stage)
        self._store.touch(tx, target.model, self._context.now())
        before, after = {"stage": str(target.stage)}, {"stage": str(stage)}
        self._audit.note(tx, "promote", "model", target.ref, why=why, before=before, after=after)

    def move_of(self, model: str, alias: str, old: int | None, new: int | None, verb: str, why: str) -> Promotion:
        """The record of an alias moved now by this actor."""
        return Promotion(0, model, alias, old, new, verb, self._context.now(), self._context.actor, why)

    # -- using

    def checkout(self, ref: str, dest: Path) -> Path:
        """Lay the package folder of a version at `dest`, every hash checked; what was there is replaced whole."""
        version = self.version(ref)
        staged = dest.parent / f".{dest.name}-{uuid.uuid4().hex[:8]}"
        try:
            staged.mkdir(parents=True)
            self._context.artifacts.checkout(version.sha, staged)
            if dest.exists():
                shutil.rmtree(dest)
            staged.replace(dest)
        except OSError as error:
            raise Unavailable(f"Cannot lay out {version.ref} in {dest}: {error}.", hint="Check the disk.") from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return dest

    def ask(
        self, ref: str, function: aside.Function, order: aside.Values, *, timeout_s: float = aside.TIMEOUT_S
    ) -> aside.Values:
        """Have `function(package folder, order)` called in a process of its own, after hashes were checked; its answer. See `aside`.

        Raises what the function raises of our kinds, and InvalidInput for whatever else becomes of it, naming the version.
        """
        version, project = self.version(ref), self._context.workspace.project
        with self._context.lake.room() as room, _naming(version, room / "package") as folder:
            return aside.ask(function, self.checkout(version.ref, folder), order, project=project, timeout_s=timeout_s)

    def load(self, ref: str) -> Any:
        """Unpickle the estimator of a version here, after hashes were checked. It may do to this process whatever it likes: for a step
        of a pipeline, which has a process of its own, and for programs of the user's. Everything else has to `ask`.

        Raises InvalidInput (altered or unreadable) or Unavailable (a library is missing), naming the version.
        """
        version = self.version(ref)
        with self._context.lake.room() as room, _naming(version, room / "package") as folder:
            return package.load(self.checkout(version.ref, folder))

    def export(self, ref: str, target: Path, format: str) -> Export:
        """Write a version for another program into the new folder `target`: container, mlflow, mlserver or onnx; see `exports`."""
        from mlops_tui.domains.registry.exports.writing import write

        found = write(self, ref, target, format)
        with self._context.catalog.write() as tx:
            after = {"format": format, "to": found.folder, "sha": found.sha}
            self._audit.note(tx, "export", "model", found.ref, after=after)
        return found

    def import_file(
        self, model: str, path: Path, sample: Path, *, task: str, trust: bool = False, description: str = ""
    ) -> Version:
        """Register a model file of others (ONNX, skops; a pickle only with `trust`) as the next version; see `importing`."""
        from mlops_tui.domains.registry.importing import import_file

        project = self._context.workspace.project
        with self._context.lake.room() as room:
            return import_file(
                self, room, project, model, path, sample, task=task, trust=trust, description=description
            )

    def health(self, ref: str) -> list[Health]:
        """Check that a version would still serve: its files, its libraries, its answers in a fresh process (seconds)."""
        from mlops_tui.domains.registry.health import examine

        with self._context.lake.room() as room:
            return examine(self, ref, room, self._context.workspace.project)


@contextmanager
def _naming(version: Version, folder: Path) -> Iterator[Path]:
    """`folder`; in errors the version stands in its place."""
    try:
        yield folder
    except WorkbenchError as error:
        said = error.message.replace(f"in {folder}", version.ref).replace(str(folder), version.ref)
        said = said if version.ref in said else f"{version.ref}: {said}"
        raise type(error)(said, hint=error.hint or f"Is it whole? mlops models health {version.ref}") from error


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in metrics.items() if math.isfinite(float(value))}
