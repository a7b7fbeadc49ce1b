"""Finding models and versions by what people call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.query import read
from mlops_tui.domains.registry import searching
from mlops_tui.domains.registry.records import Model, Promotion, Reference, Version, parse_reference
from mlops_tui.domains.registry.store import RegistryStore

if TYPE_CHECKING:
    from mlops_tui.core.context import Context


class Finding:
    """Models, versions and aliases as they are."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = RegistryStore(context)

    def models(self, query: str = "") -> list[Model]:
        """Return models by name; `query` is in the query language, and InvalidInput is raised when it cannot be read."""
        return read(query, searching.MODELS, self._context.now()).select(self._store.models())

    def model(self, name: str) -> Model:
        """Return one model; NotFound with the nearest name otherwise."""
        found = {model.name: model for model in self._store.models()}
        if name not in found:
            raise self._no_model(name, list(found))
        return found[name]

    def versions(self, model: str, query: str = "") -> list[Version]:
        """Return the versions of a model, newest first; `query` is in the query language (`metrics.auc>0.9 stage:staging`)."""
        found = self._store.versions(model)
        if not found:
            self.model(model)
        return read(query, searching.VERSIONS, self._context.now()).select(found)

    def search(self, query: str = "") -> list[Version]:
        """Return the versions of all models that meet a query, newest first. Raises InvalidInput when it cannot be read."""
        asked = read(query, searching.VERSIONS, self._context.now())
        found = [one for model in self._store.models() for one in self._store.versions(model.name)]
        return sorted(asked.select(found), key=lambda one: -one.created_at)

    def version(self, ref: str) -> Version:
        """Return the version meant by `m` (the newest), `m/3` or `m@champion`."""
        parsed = parse_reference(ref)
        if parsed is None:
            raise InvalidInput(f"{ref!r} is no model reference.", hint="Write model, model/3 or model@champion.")
        number = self._number(parsed)
        found = self._store.find(parsed.model, number)
        if found is None:
            newest = self._store.latest(parsed.model)
            raise NotFound(f"{parsed.model} has no version {number}.", hint=f"Its newest is {parsed.model}/{newest}.")
        return found

    def find_by_pipeline_run(self, model: str, pipeline_run: str) -> Version | None:
        """Return what a pipeline run registered under `model`, or None."""
        return self._store.find_by_pipeline_run(model, pipeline_run)

    def by_run(self, run_id: str) -> list[Version]:
        """Return the versions that came out of an experiment run."""
        return self._store.by_run(run_id)

    def alias(self, model: str, alias: str) -> int | None:
        """Return the version number an alias points to, or None."""
        return self._store.alias(model, alias)

    def promotions(self, model: str) -> list[Promotion]:
        """Return each move of an alias of the model, newest first."""
        return self._store.promotions(model)[::-1]

    def _number(self, parsed: Reference) -> int:
        if parsed.version is not None:
            self._check_model(parsed.model)
            return parsed.version
        if parsed.alias:
            return self._aliased(parsed)
        newest = self._store.latest(parsed.model)
        if newest is None:
            raise self._no_model(parsed.model, [model.name for model in self.models()])
        return newest

    def _aliased(self, parsed: Reference) -> int:
        number = self._store.alias(parsed.model, parsed.alias)
        if number is None:
            aliases = self.model(parsed.model).aliases
            hint = ids.did_you_mean(parsed.alias, aliases, f"It has: {', '.join(aliases) or 'no alias yet'}.")
            raise NotFound(f"{parsed.model} has no alias {parsed.alias!r}.", hint=hint)
        return number

    def _check_model(self, name: str) -> None:
        if not self._store.has_model(name):
            raise self._no_model(name, [model.name for model in self.models()])

    def _no_model(self, name: str, known: list[str]) -> NotFound:
        return NotFound(f"There is no model {name!r}.", hint=ids.did_you_mean(name, known, "See: mlops models list"))
