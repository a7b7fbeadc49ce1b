"""MLflow's calls about registered models and their versions."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.registry.records import Stage
from mlops_tui.domains.registry.remote import RemoteModel, RemoteVersion
from mlops_tui.web.mlflow_artifacts import PACKAGES, owner_of
from mlops_tui.web.mlflow_ask import Ask, pairs
from mlops_tui.web.mlflow_experiments import SCHEME
from mlops_tui.web.mlflow_search import MODELS, VERSIONS, offset_of, page
from mlops_tui.workbench import Workbench

_ALIAS = re.compile(r"[A-Za-z0-9_][\w\-.]{0,99}")


def create(bench: Workbench, ask: Ask) -> dict[str, Any]:
    found = bench.registry.remote.create(ask.text("name"), ask.text("description", ""), ask.pairs("tags"))
    return {"registered_model": shown(found)}


def get(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"registered_model": shown(bench.registry.remote.model(ask.text("name")))}


def search(bench: Workbench, ask: Ask) -> dict[str, Any]:
    limit, offset = ask.limit("max_results", 100, 1000), offset_of(ask.text("page_token", ""))
    conditions, orders = MODELS.conditions(ask.text("filter", "")), MODELS.orders_of(ask.texts("order_by"))
    found, more = page(bench.registry.remote.search(conditions, orders, limit + 1, offset), limit, offset)
    return {"registered_models": [shown(one) for one in found], **more}


def update(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"registered_model": shown(bench.registry.remote.describe(ask.text("name"), ask.text("description", "")))}


def rename(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"registered_model": shown(bench.registry.remote.rename(ask.text("name"), ask.text("new_name")))}


def delete(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.remove(ask.text("name"))
    return {}


def set_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.tag(ask.text("name"), ask.text("key"), ask.text("value", ""))
    return {}


def delete_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.tag(ask.text("name"), ask.text("key"), None)
    return {}


def set_alias(bench: Workbench, ask: Ask) -> dict[str, Any]:
    alias = ask.text("alias")
    if not _ALIAS.fullmatch(alias) or alias.lower() == "latest" or re.fullmatch(r"[vV]?\d+", alias):
        raise InvalidInput(
            f"Invalid alias name: '{alias[:60]}'. Use up to 100 letters, digits, '_' and '-'; not 'latest' and not 'v' with a number."
        )
    bench.registry.remote.set_alias(ask.text("name"), alias, ask.number("version"))
    return {}


def get_alias(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"model_version": version_shown(bench.registry.remote.aliased(ask.text("name"), ask.text("alias")))}


def delete_alias(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.remove_alias(ask.text("name"), ask.text("alias"))
    return {}


def latest(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """The newest version of each stage, or of the stages asked for."""
    wanted = {stage.lower() for stage in ask.texts("stages")}
    if unknown := wanted - {stage.value.lower() for stage in Stage}:
        raise InvalidInput(
            f"Invalid Model Version stage: {min(unknown)[:40]}. Value must be one of {', '.join(Stage)}."
        )
    newest = bench.registry.remote.model(ask.text("name")).newest
    found = [one for one in newest if not wanted or one.version.stage.value.lower() in wanted]
    return {"model_versions": [version_shown(one) for one in found]}


# -- versions -------------------------------------------------------------------------------------------------------------


def create_version(bench: Workbench, ask: Ask) -> dict[str, Any]:
    source, run_id, model_id = ask.text("source"), ask.text("run_id", ""), ask.text("model_id", "")
    if run_id:
        bench.experiments.remote.runs.get(run_id)
    if model_id:
        run_id = run_id or bench.experiments.remote.models.get(model_id).run_id
    found = bench.registry.remote.add_version(
        ask.text("name"),
        source,
        _files_of(bench, source),
        run_id=run_id,
        logged_model=model_id,
        link=ask.text("run_link", ""),
        description=ask.text("description", ""),
        tags=ask.pairs("tags"),
    )
    return {"model_version": version_shown(found)}


def _files_of(bench: Workbench, source: str) -> dict[str, str]:
    """Names and hashes of the files a source means. Only what this server holds can be one: nothing is opened or fetched.

    Raises InvalidInput for any other place, NotFound for what is not there.
    """
    files = bench.experiments.remote.files
    parts = urlsplit(source)
    path = parts.path.strip("/")
    plain = not (parts.netloc or parts.query or parts.fragment or "%" in source or ";" in source or "\\" in source)
    if plain and parts.scheme == "models":
        if path.startswith("m-"):
            return files.under(path)
        name, mark, alias = path.partition("@")
        remote = bench.registry.remote
        if mark:
            return remote.files(name, remote.aliased(name, alias).version.version)
        name, _, number = path.partition("/")
        return remote.files(name, Ask({"version": number}).number("version"))
    if plain and parts.scheme == "runs":
        run_id, _, folder = path.partition("/")
        return files.under(run_id, folder)
    if plain and parts.scheme == SCHEME.rstrip(":/"):
        owner, folder = owner_of(path)
        if owner.startswith(PACKAGES):
            return bench.context.artifacts.manifest(owner.partition("/")[2])
        return files.under(owner, folder)
    raise InvalidInput(
        f"Invalid model version source: '{source[:200]}'. A source is runs:/RUN/PATH, models:/MODEL_ID or a path of this "
        "server's artifacts; this server reads no other place."
    )


def get_version(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"model_version": version_shown(_version(bench, ask))}


def search_versions(bench: Workbench, ask: Ask) -> dict[str, Any]:
    limit, offset = ask.limit("max_results", 10_000, 200_000), offset_of(ask.text("page_token", ""))
    conditions, orders = VERSIONS.conditions(ask.text("filter", "")), VERSIONS.orders_of(ask.texts("order_by"))
    found, more = page(bench.registry.remote.search_versions(conditions, orders, limit + 1, offset), limit, offset)
    return {"model_versions": [version_shown(one) for one in found], **more}


def update_version(bench: Workbench, ask: Ask) -> dict[str, Any]:
    found = bench.registry.remote.describe_version(*_named(ask), ask.text("description", ""))
    return {"model_version": version_shown(found)}


def delete_version(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.remove_version(*_named(ask))
    return {}


def set_version_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.tag_version(*_named(ask), ask.text("key"), ask.text("value", ""))
    return {}


def delete_version_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.registry.remote.tag_version(*_named(ask), ask.text("key"), None)
    return {}


def transition(bench: Workbench, ask: Ask) -> dict[str, Any]:
    archive = ask.flag("archive_existing_versions")
    found = bench.registry.remote.move_stage(*_named(ask), ask.text("stage"), archive)
    return {"model_version": version_shown(found)}


def download_uri(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """The files of a version as they were when it was made, whatever became of the run since."""
    found = _version(bench, ask)
    if not found.version.sha:
        raise NotFound(f"{found.version.ref} has no files.")
    return {"artifact_uri": f"{SCHEME}{PACKAGES}/{found.version.sha}"}


def _named(ask: Ask) -> tuple[str, int]:
    return ask.text("name"), ask.number("version")


def _version(bench: Workbench, ask: Ask) -> RemoteVersion:
    return bench.registry.remote.version(*_named(ask))


# -- as JSON --------------------------------------------------------------------------------------------------------------


def shown(found: RemoteModel) -> dict[str, Any]:
    """A registered model as its JSON."""
    model = found.model
    return {
        "name": model.name,
        "creation_timestamp": model.created_at,
        "last_updated_timestamp": model.updated_at,
        "user_id": model.created_by,
        "description": model.description,
        "latest_versions": [version_shown(one) for one in found.newest],
        "tags": pairs(found.tags),
        "aliases": [{"alias": alias, "version": str(version)} for alias, version in model.aliases.items()],
    }


def version_shown(found: RemoteVersion) -> dict[str, Any]:
    """A version as its JSON; one that did not come through this door has a source of its own package."""
    version = found.version
    return {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": version.created_at,
        "last_updated_timestamp": found.updated_at,
        "user_id": version.created_by,
        "current_stage": version.stage.value,
        "description": version.description,
        "source": found.source or f"{SCHEME}{PACKAGES}/{version.sha}",
        "run_id": version.run_id,
        "run_link": found.link,
        "model_id": found.logged_model,
        "status": "READY",
        "tags": pairs(version.tags),
        "aliases": version.aliases,
    }


HANDLERS = {
    ("POST", "registered-models/create"): create,
    ("GET", "registered-models/get"): get,
    ("GET", "registered-models/search"): search,
    ("PATCH", "registered-models/update"): update,
    ("POST", "registered-models/rename"): rename,
    ("DELETE", "registered-models/delete"): delete,
    ("POST", "registered-models/set-tag"): set_tag,
    ("DELETE", "registered-models/delete-tag"): delete_tag,
    ("POST", "registered-models/alias"): set_alias,
    ("GET", "registered-models/alias"): get_alias,
    ("DELETE", "registered-models/alias"): delete_alias,
    ("POST", "registered-models/get-latest-versions"): latest,
    ("GET", "registered-models/get-latest-versions"): latest,
    ("POST", "model-versions/create"): create_version,
    ("GET", "model-versions/get"): get_version,
    ("GET", "model-versions/search"): search_versions,
    ("PATCH", "model-versions/update"): update_version,
    ("DELETE", "model-versions/delete"): delete_version,
    ("POST", "model-versions/set-tag"): set_version_tag,
    ("DELETE", "model-versions/delete-tag"): delete_version_tag,
    ("POST", "model-versions/transition-stage"): transition,
    ("GET", "model-versions/get-download-uri"): download_uri,
}
