"""The registry for clients over HTTP: models that may have no version yet, versions of files that a run or a logged model has.

Such a version is one of ours (lineage, aliases, stages, audit). Its package is whatever the client saved, so that it can be
fetched and loaded by that client.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.registry.records import Stage, Version
from mlops_tui.domains.registry.remote_store import RemoteStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_tui.core.conditions import Condition, Order
    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.registry.records import Model
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.registry.store import RegistryStore

MAX_VALUE = 100_000
_FOREIGN = frozenset("/:@")


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version with where it came from: `source` as the client said it, and the logged model behind it."""

    version: Version
    source: str
    logged_model: str
    link: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model with its tags and the newest version of each stage."""

    model: Model
    tags: dict[str, str]
    newest: list[RemoteVersion] = field(default_factory=list)


class RemoteRegistry:
    """Models and versions by exact name and number."""

    def __init__(
        self, context: Context, audit: Audit, store: RegistryStore, registry: Registry, experiments: Experiments
    ) -> None:
        self._context = context
        self._audit = audit
        self._base = store
        self._registry = registry
        self._experiments = experiments
        self._store = RemoteStore(context)

    # -- models -------------------------------------------------------------------------------------------------------

    def create(self, name: str, description: str, tags: Mapping[str, str]) -> RemoteModel:
        """Add a model without versions. Raises AlreadyExists, InvalidInput."""
        check_model_name(name)
        check_tags(tags)
        with self._context.catalog.write() as tx:
            if self._base.has_model(name):
                raise AlreadyExists(f"Registered Model (name={name}) already exists.")
            self._base.add_model(tx, name, description, self._context.now(), self._context.actor)
            self._store.set_model_tags(tx, name, tags)
            self._audit.note(tx, "create", "model", name)
        return self.model(name)

    def has(self, name: str) -> bool:
        """Whether there is a model of that name."""
        return self._base.has_model(name)

    def tag_values(self, name: str, key: str) -> set[str]:
        """The values that a tag has among the versions of a model; none for an unknown model."""
        return {version.tags[key] for version in self._base.versions(name) if key in version.tags}

    def model(self, name: str) -> RemoteModel:
        """Raises NotFound."""
        if not self._base.has_model(name):
            raise NotFound(f"Registered Model with name={name[:200]} not found")
        model = next(model for model in self._base.models() if model.name == name)
        return RemoteModel(model, self._store.model_tags(name), self._newest(name))

    def search(
        self, conditions: Sequence[Condition], orders: Sequence[Order], limit: int, offset: int
    ) -> list[RemoteModel]:
        """Models that meet all conditions, by name unless ordered otherwise."""
        names = self._store.find_models(conditions, orders, limit, offset)
        models = {model.name: model for model in self._base.models()}
        return [RemoteModel(models[name], self._store.model_tags(name), self._newest(name)) for name in names]

    def describe(self, name: str, description: str) -> RemoteModel:
        self.model(name)
        with self._context.catalog.write() as tx:
            self._store.describe_model(tx, name, description)
            self._base.touch(tx, name, self._context.now())
            self._audit.note(tx, "describe", "model", name)
        return self.model(name)

    def rename(self, name: str, new: str) -> RemoteModel:
        """Raises NotFound, AlreadyExists, InvalidInput."""
        check_model_name(new)
        self.model(name)
        with self._context.catalog.write() as tx:
            if self._base.has_model(new):
                raise AlreadyExists(f"Registered Model (name={new}) already exists.")
            self._store.rename(tx, name, new)
            self._base.touch(tx, new, self._context.now())
            self._audit.note(tx, "rename", "model", new, before={"name": name}, after={"name": new})
        return self.model(new)

    def remove(self, name: str) -> None:
        """Remove a model with all versions; their files stay with the runs. Raises NotFound."""
        found = self.model(name)
        with self._context.catalog.write() as tx:
            self._store.remove_model(tx, name)
            self._audit.note(tx, "remove", "model", name, before={"versions": found.model.versions})

    def tag(self, name: str, key: str, value: str | None) -> None:
        """Set a tag of a model, or remove it with None."""
        self.model(name)
        check_tags({key: value or ""})
        with self._context.catalog.write() as tx:
            if value is not None:
                self._store.set_model_tags(tx, name, {key: value})
            else:
                self._store.remove_model_tag(tx, name, key)
            self._audit.note(tx, "tag", "model", name, after={key: value})

    # -- versions -----------------------------------------------------------------------------------------------------

    def add_version(
        self,
        name: str,
        source: str,
        files: Mapping[str, str],
        *,
        run_id: str = "",
        logged_model: str = "",
        link: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        number: int = 0,
    ) -> RemoteVersion:
        """Make the files (path -> hash, in the store already) the next version of a model, or version `number` if all are below.

        Raises NotFound (the model), InvalidInput (no files, a bad tag).
        """
        self.model(name)
        check_tags(tags or {})
        if not files:
            raise InvalidInput(f"There are no files at {source[:200]!r}.", hint="Log the model before registering it.")
        import msgspec

        artifacts = self._context.artifacts
        sha = artifacts.put_bytes(msgspec.json.encode(dict(files), order="sorted"))
        now = self._context.now()
        with self._context.catalog.write() as tx:
            version = Version(
                model=name,
                version=max(number, self._base.next_number(name)),
                sha=sha,
                stage=Stage.NONE,
                aliases=[],
                task="",
                metrics=self._metrics(run_id),
                run_id=run_id,
                snapshots=[],
                pipeline="",
                pipeline_run="",
                git_commit=self._commit(run_id),
                signature={},
                environment={},
                tags=dict(tags or {}),
                description=description,
                size=artifacts.folder_size(sha),
                created_at=now,
                created_by=self._context.actor,
            )
            self._base.add_version(tx, version)
            self._store.set_origin(tx, name, version.version, (source, logged_model, link), now)
            after = {"sha": sha, "run_id": run_id, "source": source}
            self._audit.note(tx, "register", "model", version.ref, why=description, after=after)
        return self.version(name, version.version)

    def version(self, name: str, number: int) -> RemoteVersion:
        """Raises NotFound."""
        found = self._base.find(name, number)
        if found is None:
            raise NotFound(f"Model Version (name={name[:200]}, version={number}) not found")
        origin = self._store.origin(name, number)
        if origin is None:
            return RemoteVersion(found, "", "", "", found.created_at)
        return RemoteVersion(found, origin["source"], origin["logged_model"], origin["link"], origin["updated_at"])

    def search_versions(
        self, conditions: Sequence[Condition], orders: Sequence[Order], limit: int, offset: int
    ) -> list[RemoteVersion]:
        """Versions that meet all conditions, by model and newest first unless ordered otherwise."""
        found = self._store.find_versions(conditions, orders, limit, offset)
        return [self.version(model, number) for model, number in found]

    def describe_version(self, name: str, number: int, description: str) -> RemoteVersion:
        self.version(name, number)
        with self._context.catalog.write() as tx:
            self._store.describe_version(tx, name, number, description)
            self._touch(tx, name, number)
            self._audit.note(tx, "describe", "model", f"{name}/{number}")
        return self.version(name, number)

    def remove_version(self, name: str, number: int) -> None:
        """Remove a version and the aliases on it; its number is not given again."""
        found = self.version(name, number)
        with self._context.catalog.write() as tx:
            self._base.keep_number(tx, name)
            for alias in found.version.aliases:
                move = self._registry.move_of(name, alias, number, None, "remove", "its version was removed")
                self._base.add_promotion(tx, move)
            self._store.remove_version(tx, name, number)
            self._base.touch(tx, name, self._context.now())
            self._audit.note(tx, "remove", "model", f"{name}/{number}", before={"sha": found.version.sha})

    def tag_version(self, name: str, number: int, key: str, value: str | None) -> None:
        """Set a tag of a version, or remove it with None."""
        check_tags({key: value or ""})
        with self._context.catalog.write() as tx:
            tags = dict(self.version(name, number).version.tags)
            if value is None:
                tags.pop(key, None)
            else:
                tags[key] = value
            self._store.set_version_tags(tx, name, number, tags)
            self._touch(tx, name, number)
            self._audit.note(tx, "tag", "model", f"{name}/{number}", after={key: value})

    def move_stage(self, name: str, number: int, stage: str, archive: bool) -> RemoteVersion:
        """Put a version into a stage; with `archive` those that are in it go to Archived. Raises InvalidInput.

        Production moves the alias `champion` as promoting does, and then always archives the earlier one.
        """
        wanted = next((item for item in Stage if item.value.lower() == stage.lower()), None)
        if wanted is None:
            raise InvalidInput(f"Invalid Model Version stage: {stage[:40]}. Value must be one of {', '.join(Stage)}.")
        self.version(name, number)
        with self._context.catalog.write() as tx:
            if wanted is Stage.PRODUCTION:
                self._registry.promote(f"{name}/{number}", "production", why="stage set by a client")
            else:
                for earlier in self._base.in_stage(name, wanted) if archive else ():
                    self._base.set_stage(tx, name, earlier, Stage.ARCHIVED)
                self._base.set_stage(tx, name, number, wanted)
                self._audit.note(tx, "promote", "model", f"{name}/{number}", after={"stage": wanted.value})
            self._touch(tx, name, number)
        return self.version(name, number)

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Point an alias at a version; `champion` also moves the stage Production. Raises NotFound, InvalidInput."""
        self.version(name, number)
        self._registry.set_alias(name, alias, number)

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away; one that is not there is no error."""
        self.model(name)
        if self._base.alias(name, alias) is not None:
            self._registry.remove_alias(name, alias)

    def aliased(self, name: str, alias: str) -> RemoteVersion:
        """Raises NotFound (the model), InvalidInput (the alias), as clients expect it."""
        self.model(name)
        number = self._base.alias(name, alias)
        if number is None:
            raise InvalidInput(f"Registered model alias {alias[:200]} not found.")
        return self.version(name, number)

    def files(self, name: str, number: int) -> dict[str, str]:
        """Names and hashes of the files of a version."""
        return self._context.artifacts.manifest(self.version(name, number).version.sha)

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _newest(self, name: str) -> list[RemoteVersion]:
        stages: dict[Stage, int] = {}
        for version in self._base.versions(name):  # newest first
            stages.setdefault(version.stage, version.version)
        return [self.version(name, number) for number in stages.values()]

    def _touch(self, tx: Any, name: str, number: int) -> None:
        self._store.touch(tx, name, number, self._context.now())
        self._base.touch(tx, name, self._context.now())

    def _metrics(self, run_id: str) -> dict[str, float]:
        if not run_id:
            return {}
        found = self._experiments.remote.runs.get(run_id).metrics
        return {key: value for key, value, _, _ in found if math.isfinite(value)}

    def _commit(self, run_id: str) -> str:
        return self._experiments.run(run_id).git_commit if run_id else ""


def check_model_name(name: str) -> None:
    """InvalidInput for a name that a reference (`model/3`, `model@alias`, `models:/...`) could not hold."""
    if not name.strip() or len(name) > 256 or not name.isprintable() or _FOREIGN & set(name) or name in {".", ".."}:
        raise InvalidInput(
            f"Registered model name {name[:60]!r} is invalid: 1 to 256 printable characters without '/', ':' and '@'."
        )


def check_tags(tags: Mapping[str, str]) -> None:
    """InvalidInput for a key of no or more than 250 characters, or a value of more than 100,000."""
    for key, value in tags.items():
        if not key.strip() or len(key) > 250 or not key.isprintable():
            raise InvalidInput(f"{key[:60]!r} cannot name a tag: use 1 to 250 printable characters.")
        if len(value) > MAX_VALUE:
            raise InvalidInput(f"The tag '{key[:60]}' has {len(value)} characters; at most {MAX_VALUE} are kept.")
