"""Doing one step, or taking it from the cache; what a step is called, where its code lies and what it hands on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.pipelines import cache
from mlops_tui.domains.pipelines.records import STEPS

if TYPE_CHECKING:
    from types import ModuleType

    from mlops_tui.domains.pipelines.work import Work

_PLACE = "mlops_tui.domains.pipelines.steps"


def step(name: str, work: Work) -> dict[str, Any]:
    """Do a step, or take it from the cache where only a process of its own may look; show with the run what it found out."""
    from mlops_tui.domains.pipelines import contracts

    if not cache.by_files(work.recipe) and (found := kept(name, work)):
        work.say(found["said"])
        return found
    key = cache.key_of(work, name)
    work.study = key if key and _wanted(work) else f"{work.run_id}/{name}"
    work.seed()
    result = anew(name, work)
    contracts.enforce(work, name)
    if key:
        result["key"] = key
        cache.save(work, key, outputs_of(name), result)
    _publish(name, work, result)
    return dict(result)


def kept(name: str, work: Work) -> dict[str, Any] | None:
    """Take a step from the cache and show with the run what it found out; None when it must be done.

    Where the recipe names code by files (`cache.by_files`) this runs none of it, and needs no process of its own.
    """
    key = cache.key_of(work, name) if _wanted(work) else ""
    result = cache.restore(work, key) if key else None
    if result is None:
        return None
    _publish(name, work, result)
    said = f"inputs, settings and code were seen before; taken from the cache ({key[:12]})"
    return {**result, "cached": True, "said": said}


def _wanted(work: Work) -> bool:
    return bool(work.recipe.resources.cache and work.options.get("cache", True))


def _publish(name: str, work: Work, result: dict[str, Any]) -> None:
    module = _module(name)
    if hasattr(module, "publish"):
        module.publish(work, result)


def anew(name: str, work: Work) -> dict[str, Any]:
    """Do a step without looking for what was done before."""
    if name not in STEPS:
        return dict(_module(name).run(work, name))
    if name not in ("train", "calibrate") or work.recipe.resources.engine == "local":
        return dict(_module(name).run(work))
    from mlops_tui.domains.pipelines import engines, estimators

    if not estimators.shares_work(work.recipe):
        return dict(_module(name).run(work))
    with engines.engine(work.recipe.resources):
        return dict(_module(name).run(work))


def outputs_of(name: str) -> tuple[str, ...]:
    """The files that a step hands on; none for one that only looks."""
    if name not in STEPS:
        return (f"{_module(name).name_of(name)}.parquet",)
    return tuple(getattr(_module(name), "OUTPUTS", ()))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_PLACE}.{name if name in STEPS else 'own'}")
