"""What is told to Prometheus is in its text format, whoever tells it, and a broken room blinds nobody to the others."""

from __future__ import annotations

import importlib.util
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon import metrics
from mlops_tui.domains.alerts.rules import Rule, Watch
from mlops_tui.domains.hardware.records import Driver, Gpu, GpuProcess, GpuState, Mig
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.monitoring.measured import Gap, Labels, Measure, Standing, Stretch
from mlops_tui.domains.monitoring.odd_records import OddWindow
from mlops_tui.domains.monitoring.records import FeatureDrift, Joint, Pair, Performance, Quality, Report, Verdict
from mlops_tui.domains.serving.records import State, WorkerState
from mlops_tui.telemetry import everything, machine, watching
from mlops_tui.telemetry.prometheus import Family, counter, exposition, gauge
from mlops_tui.web.meter import Meter
from mlops_tui.workbench import Workbench

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (NaN|[+-]Inf|[-+0-9.e]+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "counter": ("",)}


def read(text: str) -> dict[str, dict[str, float]]:
    """Samples by family, by name with labels; every rule of the format is asserted."""
    assert text == "" or text.endswith("\n")
    found: dict[str, dict[str, float]] = {}
    family, kind, helped = "", "", ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped = line.split(" ")[2]
            assert helped not in found, f"{helped} comes in two places"
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family == helped
            assert kind in SUFFIXES
            assert (kind == "counter") == family.endswith("_total")
            found[family] = {}
        else:
            matched = SAMPLE.fullmatch(line)
            assert matched, line
            name, labels, value = matched.groups()
            assert name in [family + suffix for suffix in SUFFIXES[kind]], f"{name} stands under {family}"
            sample = f"{name}{{{labels}}}" if labels else name
            assert sample not in found[family], f"{sample} comes twice"
            found[family][sample] = float(value)
    if importlib.util.find_spec("prometheus_client"):
        from prometheus_client import parser

        assert len(list(parser.text_string_to_metric_families(text))) == len(found)
    return found


def test_values_and_words_are_written_as_the_format_wants_them() -> None:
    one = gauge("a", "Two\nlines and a \\.")
    one.add(1.0, path='C:\\ "x"\nnext')
    one.add(float("nan"), path="none")
    one.add(float("-inf"), path="low")
    one.add(0.1, path="")
    one.add(None, path="missing")
    found = read(exposition([one, counter("empty_total", "Nothing was counted.")]))
    assert list(found) == ["a"]
    assert found["a"]['a{path="C:\\\\ \\"x\\"\\nnext"}'] == 1
    assert found["a"]['a{path="low"}'] == float("-inf")
    assert 'a{path="missing"}' not in found["a"]


def test_the_check_sees_a_family_in_two_places_and_a_sample_under_another() -> None:
    with pytest.raises(AssertionError, match="two places"):
        read("# HELP a b\n# TYPE a gauge\na 1\n# HELP a b\n# TYPE a gauge\na 2\n")
    with pytest.raises(AssertionError, match="stands under"):
        read("# HELP a b\n# TYPE a gauge\nb 1\n")


def test_the_gateway_tells_its_counts() -> None:
    meter = Meter(1_000)
    for status, latency in ((200, 3.0), (200, 70.0), (500, 9.0)):
        meter.count("churn", 2, status, 4, latency)
    meter.refuse(404)
    meter.mark("churn", ["missing:age,range:x", "missing:y"])
    workers = [WorkerState("churn", version, State.READY, 12, "", 3) for version in (1, 2)]
    found = read(meter.exposition(workers, 5))
    assert found["mlops_requests_total"]['mlops_requests_total{deployment="churn",version="2",code="200"}'] == 2
    assert len(found["mlops_worker_up"]) == len(found["mlops_worker_restarts_total"]) == 2
    took = found["mlops_request_duration_seconds"]
    assert took['mlops_request_duration_seconds_count{deployment="churn",version="2"}'] == 3
    assert took['mlops_request_duration_seconds_sum{deployment="churn",version="2"}'] == pytest.approx(0.082)
    buckets = [value for name, value in took.items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3


def test_everything_a_workspace_knows_is_told(
    workbench: Workbench, clock: Any, working: Callable[[int], Job], sleeper: Any
) -> None:
    job = working(sleeper.pid)
    workbench.alerts.raise_alert("drift", 'a "b"', severity="warning", title="It moved")
    workbench.alerts.rules.add(Rule("hot", "hardware.cpu", "", Watch.ABOVE, 95.0, 600_000))
    workbench.features.create("hours", ["station"])
    gpu = Gpu(1, "H200", GpuState.OK, utilization=70.0, temperature=41.0)
    reading = workbench.hardware.read()
    workbench.hardware.record(
        type(reading)(**{**_fields(reading), "at": clock.now, "driver": Driver.OK, "gpus": (gpu,)})
    )
    workbench.hardware.flush()
    workbench.hardware.record_loads([(f"job {job.id}", clock.now, {"cpu_percent": 12.5, "memory_mb": 3.0})])
    found = read(everything.text(workbench))
    assert found["mlops_daemon_up"]["mlops_daemon_up"] == 0
    assert found["mlops_machine_cpu_percent"]["mlops_machine_cpu_percent"] == pytest.approx(reading.cpu, rel=1e-5)
    assert found["mlops_gpu_utilization_percent"]['mlops_gpu_utilization_percent{gpu="1"}'] == 70
    assert found["mlops_load_memory_bytes"][f'mlops_load_memory_bytes{{kind="job",name="{job.id}"}}'] == 3e6
    assert found["mlops_alerts"]['mlops_alerts{state="open"}'] == 1
    assert 'mlops_alert_open{rule="drift",subject="a \\"b\\"",severity="warning"}' in found["mlops_alert_open"]
    assert found["mlops_alert_rule_paused"]['mlops_alert_rule_paused{rule="hot",series="hardware.cpu"}'] == 0
    assert found["mlops_jobs"]['mlops_jobs{kind="pipeline",state="running"}'] == 1
    assert found["mlops_feature_version"]['mlops_feature_version{table="hours"}'] == 0
    assert "mlops_part_failed" not in found


def test_every_series_of_monitors_is_told_and_the_columns_of_a_wide_model_are_bounded() -> None:
    columns = [FeatureDrift(f"c{at}", "numeric", at / 100, 0.1, drifted=at > 10) for at in range(300)]
    performance = Performance("mae", 3.0, 2.5, 3.5, 2.9, 80, 5, 0, 1, concept_drift=True)
    report = Report(
        id=1, deployment="d", model="m", version=1, at=0, since=0, until=1, rows=300, seen=300, verdict=Verdict.DRIFT,
        error_rate=0.02, latency_p95_ms=12.0, features=columns, prediction=columns[5], label=columns[6],
        performance=performance, joint=Joint(1, 300, [Pair("a", "b", 0.9, 0.1, 0.2)]),
        quality=[Quality('x"y', "missing", 0.5, 0.0, 0.1, failed=True)],
    )  # fmt: skip
    guess = [Measure("mae", 3.1, 3.0, 3.2, "estimate", 300)]
    gap = [Gap("sex", name, 0.2, 0.1, 0.3, "a", "b", 2) for name in watching.GAPS]
    whole = Stretch("d", 1, 0, 1, 300, Labels(300, 60), [], guess, [], gap)
    out, names = watching.Watching(), {"deployment": "d"}
    out.report(names, report)
    out.standing(names, Standing(whole, "mae", 2.9, [], [whole]))
    out.window(names, OddWindow("d", 1, 0, 0, 1, 300, 3, 0.01))
    assert all(family.samples for family in out.families() if family is not out.checked)
    found = read(exposition(out.families()))
    assert len(found["mlops_monitor_psi"]) == watching.MOST_COLUMNS
    drift = found["mlops_monitor_drift_ratio"]
    assert drift['mlops_monitor_drift_ratio{deployment="d",column="c299"}'] == pytest.approx(29.9)
    assert 'mlops_monitor_drift_ratio{deployment="d",column="c0"}' not in drift
    assert found["mlops_monitor_outliers_ratio"]['mlops_monitor_outliers_ratio{deployment="d"}'] == 0.01
    assert found["mlops_monitor_label_coverage_ratio"]['mlops_monitor_label_coverage_ratio{deployment="d"}'] == 0.2


def test_what_a_gpu_does_not_say_has_no_sample_and_a_lost_one_is_named() -> None:
    part = Mig(1, "MIG 1g", memory_used=5, memory_total=9, processes=(GpuProcess(12, None),))
    known = Gpu(0, 'A "big" one', GpuState.OK, uuid="U", memory_used=7, encoder=0.0, throttle=("idle",), mig=(part,))
    found = read(exposition(machine.gpus([known, Gpu(1, "GPU 1", GpuState.LOST)])))
    assert found["mlops_gpu_lost"] == {'mlops_gpu_lost{gpu="0"}': 0, 'mlops_gpu_lost{gpu="1"}': 1}
    assert found["mlops_gpu_memory_used_bytes"] == {'mlops_gpu_memory_used_bytes{gpu="0"}': 7}
    assert found["mlops_gpu_encoder_percent"] == {'mlops_gpu_encoder_percent{gpu="0"}': 0}
    assert found["mlops_gpu_processes"] == {'mlops_gpu_processes{gpu="0"}': 1}
    assert 'mlops_gpu_held_back{gpu="0",reason="idle"}' in found["mlops_gpu_held_back"]
    assert (
        'mlops_gpu_instance_memory_bytes{gpu="0",instance="1",state="total"}'
        in found["mlops_gpu_instance_memory_bytes"]
    )
    assert not {"mlops_gpu_power_limit_watts", "mlops_gpu_uncorrected_errors"} & set(found)


def test_the_machine_is_told_part_by_part(workbench: Workbench) -> None:
    found = read(exposition(machine.machine_parts(workbench)))
    assert len(found["mlops_machine_core_percent"]) == len(workbench.hardware.lately().per_cpu)
    assert 'mlops_machine_memory_bytes{state="available"}' in found["mlops_machine_memory_bytes"]
    assert len(found["mlops_machine_cpu_time_percent"]) >= 4


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def test_figures_nobody_keeps_up_any_more_are_not_told(workbench: Workbench, clock: Any) -> None:
    workbench.hardware.record_loads([("job 7", clock.now, {"cpu_percent": 12.5})])
    clock.advance(everything.FRESH + 1)
    assert "mlops_load_cpu_percent" not in read(everything.text(workbench))


def test_a_room_that_fails_is_named_and_the_others_are_there(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no such table")

    monkeypatch.setattr(type(workbench.schedules), "list", broken)
    found = read(everything.text(workbench))
    assert found["mlops_part_failed"] == {'mlops_part_failed{part="schedules"}': 1}
    assert "mlops_alerts" in found


def test_the_daemon_answers_at_its_port_and_only_there(workspace: Workspace) -> None:
    with metrics.served(workspace, "127.0.0.1", 0, logging.getLogger("test")) as port:
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as reply:
            assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "mlops_build_info" in read(reply.read().decode())
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/", timeout=30)
        with metrics.served(workspace, "127.0.0.1", port, logging.getLogger("test")) as second:
            assert second == 0  # taken: the daemon goes on without


def test_the_command_prints_it_or_puts_it_where_a_collector_reads(workspace: Workspace, tmp_path: Path) -> None:
    def mlops(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["--workspace", str(workspace.project), "daemon", "metrics", *arguments])

    assert "mlops_daemon_up" in read(mlops().stdout)
    assert mlops("--output", str(tmp_path / "mlops.prom")).exit_code == 0
    assert "mlops_daemon_up" in read((tmp_path / "mlops.prom").read_text())
    assert [file.name for file in tmp_path.glob("mlops.prom*")] == ["mlops.prom"]


def test_a_family_without_samples_is_not_told() -> None:
    assert exposition([Family("a", "gauge", "Nothing.")]) == ""
