"""Settings of a workspace: `settings.toml` under environment variables under nothing; every mistake of a file at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import nearest

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class General(Struct, forbid_unknown_fields=True, frozen=True):
    """[workspace]"""

    name: str = "workspace"


class Daemon(Struct, forbid_unknown_fields=True, frozen=True):
    """[daemon] The one background process."""

    poll_ms: Annotated[int, Meta(ge=50, le=10_000)] = 250  # how often changes of other processes are looked for
    sweep_s: Seconds = 15.0  # how often clock jumps and lost processes are looked for
    max_jobs: Positive = 2  # jobs running at once
    compact_s: Seconds = 10.0  # how often the prediction log is moved to Parquet
    monitor_s: Seconds = 60.0  # how often monitors run while there is traffic
    log_mb: Positive = 5  # size at which a log is rotated; three old ones are kept
    limits: dict[str, Annotated[float, Meta(gt=0)]] = {}  # how much of a resource all running jobs may hold together
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0  # where GET /metrics answers Prometheus; 0 nowhere
    metrics_host: str = "127.0.0.1"  # who may ask: this machine alone, unless another address is given
    free_gb: Annotated[float, Meta(ge=0)] = 1.0  # with less free disk no job is started; 0 never looks
    warm_s: Annotated[float, Meta(ge=0)] = 300.0  # how long after a pipeline's run its libraries stay loaded; 0 never


class Serving(Struct, forbid_unknown_fields=True, frozen=True):
    """[serving] The inference gateway."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8080
    durability: Literal["process", "power"] = "process"
    log_failure: Literal["reject", "serve_unlogged"] = "reject"  # what happens to a request that cannot be logged
    worker_timeout_s: Seconds = 30.0
    workers: Positive = 2  # processes a version may grow to while its requests queue up
    worker_memory_mb: int = 0  # what a worker may take beyond its model; 0 without limit
    most_ms: Seconds = 500.0  # a version that takes longer for one row (95 of 100 stored rows) gets no traffic
    most_mb: Seconds = 2000.0  # nor does one that takes more memory of its own
    max_body_mb: Positive = 16
    request_timeout_s: Seconds = 30.0  # how long a client may take to send a request
    require_token: bool = False  # whether nothing but health is answered without a token
    hosts: list[str] = []  # names that clients call this server by, besides its address
    certificate: str = ""  # PEM file with the chain, from the workspace's folder; with it the gateway speaks TLS only
    key: str = ""  # PEM file with its private key


class Tracking(Struct, forbid_unknown_fields=True, frozen=True):
    """[tracking] The tracking server for MLflow clients."""

    serve: bool = False  # whether the daemon keeps it running
    host: str = "127.0.0.1"
    port: Port = 5000


class Hardware(Struct, forbid_unknown_fields=True, frozen=True):
    """[hardware] CPU, memory and GPU history."""

    interval_s: Annotated[float, Meta(ge=0.2)] = 1.0
    flush_s: Seconds = 10.0


class Lake(Struct, forbid_unknown_fields=True, frozen=True):
    """[lake] Limits of each DuckDB connection."""

    threads: Positive = 2
    memory: Annotated[str, Meta(pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$")] = "1GB"


class Retention(Struct, forbid_unknown_fields=True, frozen=True):
    """[retention] How long things are kept, in days."""

    predictions_days: Positive = 90
    jobs_days: Positive = 90
    series_days: Positive = 90  # of hardware, deployments, runs and jobs; older than hours in coarser and coarser steps
    points_days: Positive = 30  # after a run ended its points move to Parquet; nothing is lost


class Quota(Struct, forbid_unknown_fields=True, frozen=True):
    """[quota] How much the runs of one experiment may keep before no new run of it starts; 0 is without limit."""

    experiment_gb: Annotated[float, Meta(ge=0)] = 0.0  # files, each content once
    experiment_points: Annotated[int, Meta(ge=0)] = 0  # points of metrics
    experiment_runs: Annotated[int, Meta(ge=0)] = 0  # runs, deleted ones too until they are collected


class Upkeep(Struct, forbid_unknown_fields=True, frozen=True):
    """[upkeep] What the daemon does for the workspace every night: check the databases, back up, collect garbage."""

    cron: str = "30 2 * * *"  # empty: never
    timezone: str = "UTC"
    check: bool = True
    backups: Annotated[int, Meta(ge=0)] = 3  # how many are kept; 0 makes none
    folder: str = "backups"  # where they lie, from the workspace's folder
    collect: bool = True


class Settings(Struct, frozen=True):
    """All sections."""

    workspace: General = General()
    daemon: Daemon = Daemon()
    serving: Serving = Serving()
    tracking: Tracking = Tracking()
    hardware: Hardware = Hardware()
    lake: Lake = Lake()
    retention: Retention = Retention()
    quota: Quota = Quota()
    upkeep: Upkeep = Upkeep()


SECTIONS: dict[str, type[Struct]] = {
    "workspace": General,
    "daemon": Daemon,
    "serving": Serving,
    "tracking": Tracking,
    "hardware": Hardware,
    "lake": Lake,
    "retention": Retention,
    "quota": Quota,
    "upkeep": Upkeep,
}


def load(path: Path, env: Mapping[str, str] | None = None) -> Settings:
    """Read `path` (a missing file means defaults), lay `MLOPS_<SECTION>_<KEY>` variables over it and check every value.

    Raises InvalidInput with one line per mistake, each naming its section and key.
    """
    env = os.environ if env is None else env
    document = _read(path)
    mistakes: list[str] = []
    for name in document:
        if name not in SECTIONS:
            near = nearest(name, SECTIONS)
            mistakes.append(f"[{name}] is not a section" + (f"; did you mean [{near}]?" if near else "."))
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        given = document.get(name, {})
        if not isinstance(given, dict):
            mistakes.append(f"{name} must be a section: write [{name}] on a line of its own.")
            continue
        sections[name] = _section(name, kind, given, env, mistakes)
    if mistakes:
        lines = "\n  ".join(mistakes)
        raise InvalidInput(
            f"{path} has {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}:\n  {lines}",
            hint="docs/settings.md lists every setting.",
        )
    return Settings(**sections)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} is not valid TOML: {error}.", hint="Fix that line, or move the file away to use the defaults."
        ) from error


def _section(
    name: str, kind: type[Struct], given: dict[str, Any], env: Mapping[str, str], mistakes: list[str]
) -> Struct | None:
    """One section checked key by key, because a decoder stops at its first mistake and a person wants them all."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in given.items():
        if key not in fields:
            near = nearest(key, fields)
            mistakes.append(f"[{name}] {key} is not a setting" + (f"; did you mean {near}?" if near else "."))
            continue
        try:
            good[key] = msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            mistakes.append(f"[{name}] {key} = {value!r}: {str(error).lower()}.")
    for key, field in fields.items():
        variable = f"MLOPS_{name}_{key}".upper()
        if variable in env:
            try:
                good[key] = msgspec.convert(env[variable], field.type, strict=False)
            except msgspec.ValidationError as error:
                mistakes.append(f"${variable} = {env[variable]!r}: {str(error).lower()}.")
    return kind(**good)
