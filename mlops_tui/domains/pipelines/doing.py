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
    """Do a step, or take it from the cache; either way show with the run what it found out."""
    from mlops_tui.domains.pipelines import contracts

    key = cache.key_of(work, name)
    wanted = work.recipe.resources.cache and work.options.get("cache", True)
    work.study = key if wanted and key else f"{work.run_id}/{name}"
    work.seed()
    result = cache.restore(work, key) if key and wanted else None
    if result is not None:
        work.say(f"inputs, settings and code were seen before; taken from the cache ({key[:12]})")
        result["cached"] = True
    else:
        result = anew(name, work)
        contracts.enforce(work, name)
        if key:
            result["key"] = key
            cache.save(work, key, outputs_of(name), result)
    module = _module(name)
    if hasattr(module, "publish"):
        module.publish(work, result)
    return dict(result)


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
