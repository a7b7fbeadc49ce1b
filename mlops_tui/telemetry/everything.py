"""All that a workspace knows of itself as Prometheus families: machine, loads, deployments, monitors, alerts, jobs, schedules, runs.

What is counted request by request (`mlops_requests_total`, latencies) only the gateway knows, at its own `/metrics`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mlops_tui._version import __version__
from mlops_tui.core.clock import MINUTE
from mlops_tui.domains.jobs.records import JobState
from mlops_tui.telemetry.machine import machine_parts
from mlops_tui.telemetry.prometheus import Family, exposition, gauge
from mlops_tui.telemetry.watching import monitors

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

logger = logging.getLogger(__name__)
JOBS = 1000
FRESH = MINUTE
MACHINE = {
    "cpu": ("cpu_percent", "Processors in use."),
    "load": ("load_average", "Processes that run or want to, mean of a minute."),
    "memory": ("memory_percent", "Memory in use."),
    "memory_used": ("memory_used_bytes", "Memory in use."),
    "swap": ("swap_percent", "Swap in use."),
    "disk": ("disk_percent", "The workspace's file system in use."),
    "disk_read": ("disk_read_bytes_per_second", "Read from disks."),
    "disk_write": ("disk_written_bytes_per_second", "Written to disks."),
    "net_in": ("network_received_bytes_per_second", "Received over all networks."),
    "net_out": ("network_sent_bytes_per_second", "Sent over all networks."),
    "temperature": ("temperature_celsius", "The hottest sensor of the processors."),
    "throttled": ("throttled_percent", "Periods in which the control group was out of processor time."),
}
GPU = {
    "utilization": ("utilization_percent", "How busy the GPU is."),
    "memory": ("memory_percent", "Memory of the GPU in use."),
    "temperature": ("temperature_celsius", "Temperature of the GPU."),
    "power": ("power_watts", "Power the GPU draws."),
    "clock": ("clock_megahertz", "Clock of the GPU's processors."),
    "fan": ("fan_percent", "Speed of the GPU's fan."),
}
LOAD = {
    "cpu_percent": ("cpu_percent", "Processor time taken, of one core.", 1.0),
    "memory_mb": ("memory_bytes", "Resident memory.", 1e6),
    "processes": ("processes", "Processes.", 1.0),
    "threads": ("threads", "Threads.", 1.0),
    "gpu_percent": ("gpu_percent", "GPU time taken, of one GPU.", 1.0),
    "gpu_memory_mb": ("gpu_memory_bytes", "GPU memory held.", 1e6),
    "workers": ("workers", "Workers of the deployment.", 1.0),
    "restarts": ("restarts", "How often workers were begun again.", 1.0),
    "saturation": ("saturation_percent", "Time of the workers in use.", 1.0),
}


def text(bench: Workbench) -> str:
    """The exposition. A part that fails is left out and named by `mlops_part_failed`; the others are there."""
    failed = gauge("mlops_part_failed", "Parts of this exposition that could not be read.")
    found: list[Family] = []
    for part in (
        _workspace,
        _machine,
        machine_parts,
        _loads,
        _deployments,
        monitors,
        _alerts,
        _jobs,
        _schedules,
        _pipelines,
        _experiments,
        _data,
    ):
        found += _guarded(part, bench, failed)
    return exposition([*found, failed])


def _guarded(part: Callable[[Workbench], Iterable[Family]], bench: Workbench, failed: Family) -> list[Family]:
    try:
        return list(part(bench))
    except Exception:  # one broken room must not blind whoever watches the others
        logger.exception("%s could not be read for Prometheus", part.__name__)
        failed.add(1, part=part.__name__.strip("_"))
        return []


def _workspace(bench: Workbench) -> Iterable[Family]:
    build = gauge("mlops_build_info", "The version that runs.")
    build.add(1, version=__version__)
    daemon = gauge("mlops_daemon_up", "Whether the daemon runs.")
    daemon.add(bench.daemon_alive())
    gateway = gauge("mlops_gateway_up", "Whether a gateway answers HTTP.")
    gateway.add(bench.serving.gateway() is not None)
    return build, daemon, gateway


def _machine(bench: Workbench) -> Iterable[Family]:
    values = bench.hardware.latest(FRESH)
    for name, (title, words) in MACHINE.items():
        one = gauge(f"mlops_machine_{title}", words)
        one.add(values.get(name))
        yield one
    for name, (title, words) in GPU.items():
        one = gauge(f"mlops_gpu_{title}", words)
        for series, value in values.items():
            index, _, kind = series.removeprefix("gpu").partition("_")
            if series.startswith("gpu") and kind == name:
                one.add(value, gpu=index)
        yield one


def _loads(bench: Workbench) -> Iterable[Family]:
    found = {name: gauge(f"mlops_load_{title}", words) for name, (title, words, _) in LOAD.items()}
    for subject in bench.hardware.loads():
        kind, _, what = subject.partition(" ")
        for name, value in bench.hardware.load(subject, FRESH).items():
            if name in found:
                found[name].add(value * LOAD[name][2], kind=kind, name=what)
    return found.values()


def _deployments(bench: Workbench) -> Iterable[Family]:
    state = gauge("mlops_deployment_state", "The state each deployment is in.")
    weight = gauge("mlops_deployment_weight_percent", "Share of the traffic of each version.")
    up = gauge("mlops_deployment_version_up", "Whether a worker of the version answers.")
    for one in bench.serving.list():
        state.add(1, deployment=one.name, model=one.model, state=one.state)
        for route in one.versions:
            weight.add(route.weight, deployment=one.name, version=route.version)
            up.add(route.state == "ready", deployment=one.name, version=route.version)
    return state, weight, up


def _alerts(bench: Workbench) -> Iterable[Family]:
    counts = gauge("mlops_alerts", "Alerts by state.")
    for state, count in bench.alerts.counts().items():
        counts.add(count, state=state)
    firing = gauge("mlops_alert_open", "Alerts that wait for somebody.")
    for one in {(one.rule, one.subject): one for one in bench.alerts.list(state="open", limit=JOBS)}.values():
        firing.add(1, rule=one.rule, subject=one.subject, severity=one.severity)
    paused = gauge("mlops_alert_rule_paused", "Rules, and whether they are paused.")
    for rule in bench.alerts.rules.list():
        paused.add(rule.paused, rule=rule.name, series=rule.series)
    return counts, firing, paused


def _jobs(bench: Workbench) -> Iterable[Family]:
    jobs = bench.jobs.list(internal=None, limit=JOBS)
    tally = Counter((one.kind, str(one.state)) for one in jobs)
    kept = gauge("mlops_jobs", f"The newest {JOBS} jobs by kind and state.")
    for kind in sorted({one.kind for one in jobs}):
        for state in JobState:
            kept.add(tally[kind, state], kind=kind, state=state)
    waiting = gauge("mlops_jobs_oldest_queued_seconds", "How long the job has waited that has waited longest.")
    queued = [one.created_at for one in jobs if one.state is JobState.QUEUED]
    waiting.add((bench.context.now() - min(queued)) / 1000 if queued else 0)
    return kept, waiting


def _schedules(bench: Workbench) -> Iterable[Family]:
    paused = gauge("mlops_schedule_paused", "Schedules, and whether they are paused.")
    due = gauge("mlops_schedule_next_timestamp_seconds", "When the schedule is next due.")
    fired = gauge("mlops_schedule_fired_timestamp_seconds", "When the newest slot of the schedule was due.")
    state = gauge("mlops_schedule_fire_state", "What became of the newest slot of the schedule.")
    for one in bench.schedules.list():
        names = {"schedule": one.name, "pipeline": one.pipeline}
        paused.add(one.paused, **names)
        due.add(_seconds(next(iter(bench.schedules.next(one.name, 1)), None)), **names)
        for fire in bench.schedules.fires(one.name, 1):
            fired.add(_seconds(fire.due_at), **names)
            state.add(1, **names, state=fire.state)
    return paused, due, fired, state


def _pipelines(bench: Workbench) -> Iterable[Family]:
    state = gauge("mlops_pipeline_run_state", "How the newest run of the pipeline stands.")
    ended = gauge("mlops_pipeline_run_ended_timestamp_seconds", "When the newest run of the pipeline ended.")
    took = gauge("mlops_pipeline_run_seconds", "How long the newest run of the pipeline took.")
    for one in bench.pipelines.list():
        for run in bench.pipelines.runs(one.name, 1):
            state.add(1, pipeline=one.name, state=run.state)
            ended.add(_seconds(run.ended_at), pipeline=one.name)
            if run.started_at is not None and run.ended_at is not None:
                took.add((run.ended_at - run.started_at) / 1000, pipeline=one.name)
    return state, ended, took


def _experiments(bench: Workbench) -> Iterable[Family]:
    kept = gauge("mlops_experiment_runs", "Runs by experiment.")
    for one in bench.experiments.list():
        kept.add(one.runs, experiment=one.name)
    running = gauge("mlops_runs_running", "Runs said to run on this machine.")
    running.add(len(bench.experiments.processes()))
    return kept, running


def _data(bench: Workbench) -> Iterable[Family]:
    rows = gauge("mlops_feature_rows", "Rows of the newest snapshot of a feature table.")
    size = gauge("mlops_feature_bytes", "Bytes of the newest snapshot of a feature table.")
    version = gauge("mlops_feature_version", "The newest snapshot of a feature table.")
    updated = gauge("mlops_feature_updated_timestamp_seconds", "When a feature table was last fed.")
    for table in bench.features.list():
        rows.add(table.rows, table=table.name)
        size.add(table.bytes, table=table.name)
        version.add(table.latest_version, table=table.name)
        updated.add(_seconds(table.updated_at), table=table.name)
    newest = gauge("mlops_model_version", "The newest version of a model.")
    production = gauge("mlops_model_production_version", "The version of a model that is in production.")
    for model in bench.registry.models():
        newest.add(model.latest_version, model=model.name)
        production.add(model.production, model=model.name)
    return rows, size, version, updated, newest, production


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
