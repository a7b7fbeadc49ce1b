"""Where the work of a search and of estimators with `n_jobs` is done: here, or on a Dask or Ray cluster through joblib.

The answer is the same: settings are judged in the same groups, each with its own seed, wherever a process sits. Workers of a
cluster on other machines need this package and the workspace's folder at the same path.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

from mlops_tui.core import extras
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.operating import Resources
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.pipelines.work import Work

CONNECT_S = 20


def expect(recipe: Recipe) -> None:
    """Raise Unavailable for a library that the definition asks for and that is not installed, now rather than in the job."""
    wanted = {"dask": "distributed", "ray": "ray"}
    if recipe.resources.engine in wanted:
        extras.expect(wanted[recipe.resources.engine], recipe.resources.engine)
    if recipe.tune.method == "optuna":
        extras.expect("optuna", "optuna")
    if recipe.explain is not None and recipe.explain.shap:
        extras.expect("shap", "shap")


@contextlib.contextmanager
def engine(resources: Resources) -> Iterator[None]:
    """Send joblib's work to the engine of the definition: the cluster at `address`, or one of `jobs` workers on this machine.

    Raises Unavailable when the extra is not installed or the cluster does not answer.
    """
    if resources.engine == "local":
        yield
        return
    import joblib

    with _cluster(resources), joblib.parallel_config(backend=resources.engine):
        yield


def portable(work: Work) -> Work:
    """The run as far as judging settings needs it, without what belongs to this process: databases and rooms."""
    gone: dict[str, Any] = dict.fromkeys(("context", "features", "experiments", "registry", "serving", "store"))
    return dataclasses.replace(work, code=work.project, note=_aloud, **gone)


def _aloud(text: str) -> None:
    """What a step would note; of a worker nobody reads it. Not `print` itself, which Ray replaces and then cannot send."""
    print(text)  # noqa: T201 - goes to the worker's log


@contextlib.contextmanager
def _cluster(resources: Resources) -> Iterator[None]:
    if resources.engine == "ray":
        ray = need("ray", "ray")
        need("ray.util.joblib", "ray").register_ray()
        try:
            here = {} if resources.address else {"num_cpus": resources.jobs, "include_dashboard": False}
            ray.init(address=resources.address or None, logging_level="error", log_to_driver=False, **here)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise _silent("Ray", resources.address, error) from error
        try:
            yield
        finally:
            ray.shutdown()
        return
    distributed = need("distributed", "dask")
    with contextlib.ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a dashboard's port, which nobody looks at here
                place = resources.address or stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=resources.jobs, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
                    )
                )
                stack.enter_context(distributed.Client(place, timeout=CONNECT_S))
        except (OSError, TimeoutError) as error:
            raise _silent("Dask", resources.address, error) from error
        yield


def _silent(name: str, address: str, error: Exception) -> Unavailable:
    where = f"at {address}" if address else "on this machine"
    text = " ".join(str(error).split())[:200]
    return Unavailable(f"No {name} cluster {where}: {text}.", hint="Start it, or leave out [resources] engine.")
