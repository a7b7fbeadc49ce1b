"""GPUs through the real pynvml binding over a library built here from C: what is missing, what is lost, no driver."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pynvml
import pytest

from mlops_tui.domains.hardware import amd, nvml_calls, nvml_facts
from mlops_tui.domains.hardware import nvml as nvml_module
from mlops_tui.domains.hardware.nvml import RETRY_S, RETURN_S, Nvml
from mlops_tui.domains.hardware.nvml_calls import shares_of
from mlops_tui.domains.hardware.nvml_facts import FACTS, LINK_LOOK_S
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import Gpu, GpuProcess, GpuState

SOURCE = Path(__file__).with_name("libnvidia_ml.c")
SCRIPT = """
import dataclasses, json
from mlops_tui.domains.hardware.nvml import Nvml
driver, gpus = Nvml().read()
print(json.dumps({"driver": driver, "gpus": [dataclasses.asdict(gpu) for gpu in gpus]}))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("nvml")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", SOURCE], check=True)
    return folder


@pytest.fixture
def now() -> list[float]:
    """The time the reader sees."""
    return [0.0]


@pytest.fixture
def nvml(library: Path, monkeypatch: pytest.MonkeyPatch, now: list[float]) -> Iterator[Nvml]:
    """A reader whose binding has loaded the library built here."""
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(library / "libnvidia-ml.so.1")))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    for name in ("INIT", "GONE", "PIDS", "MIG", "COUNT", "OLD"):
        monkeypatch.delenv(f"FAKE_NVML_{name}", raising=False)
    reader = Nvml(clock=lambda: now[0])
    yield reader
    reader.close()


def test_the_binding_finds_and_loads_the_library_by_itself(library: Path) -> None:
    environment = os.environ | {"LD_LIBRARY_PATH": str(library)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["driver"] == "ok"
    assert [gpu["state"] for gpu in found["gpus"]] == ["ok", "lost"]


def test_a_gpu_reports_what_it_can_and_none_for_the_rest(nvml: Nvml) -> None:
    driver, (gpu, _) = nvml.read()
    assert driver == "ok"
    assert (gpu.name, gpu.uuid, gpu.state) == ("Invented GPU", "GPU-fake-0", "ok")
    assert (gpu.utilization, gpu.memory_used, gpu.memory_total) == (42.0, (2 << 30) - (1 << 28), 8 << 30)
    assert (gpu.memory_utilization, gpu.temperature, gpu.power_limit) == (7.0, 61.0, 300.0)
    assert (gpu.clock_mhz, gpu.memory_clock_mhz) == (1410.0, 2619.0)
    assert (gpu.encoder, gpu.decoder, gpu.performance, gpu.ecc_errors) == (5.0, 0.0, "P2", 10)
    assert gpu.throttle == ("power cap", "thermal (driver)")  # by the older name of the call: the newer one is missing
    assert gpu.power is None  # NVML_ERROR_NOT_SUPPORTED
    assert gpu.fan is None  # the function is missing from the library
    assert gpu.processes == ()
    assert gpu.mig == ()


def test_a_driver_that_does_not_set_its_own_memory_apart_says_what_it_says(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NVML_OLD", "1")
    assert nvml.read()[1][0].memory_used == 2 << 30
    facts = {f"{one.group}.{one.name}": one for one in nvml.facts(0)}
    assert facts["memory.used"].value == 2 << 30
    assert facts["memory.reserved"].missing == "not in this driver"


def test_a_lost_gpu_is_a_state_beside_a_healthy_one(nvml: Nvml) -> None:
    _, gpus = nvml.read()
    assert [gpu.state for gpu in gpus] == ["ok", "lost"]
    assert gpus[1].utilization is None
    assert nvml.facts(1) == []


def test_who_is_on_a_gpu_with_what_it_does_there(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML_PIDS", "4711 4712")
    first, second = nvml.read()[1][0].processes
    assert (first.pid, first.memory, first.kind, first.instance) == (4711, 1 << 30, "compute+graphics", None)
    assert (second.pid, second.memory, second.kind) == (4712, None, "compute")  # the driver hides its memory
    assert {pid: (one.utilization, one.memory_utilization) for pid, one in shares_of(0).items()} == {
        4711: (30.0, 4.0),
        4712: (31.0, 4.0),
    }


def test_a_gpu_in_parts_lists_them_with_who_is_where(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML_PIDS", "4711")
    monkeypatch.setenv("FAKE_NVML_MIG", "1")
    gpu = nvml.read()[1][0]
    assert gpu.utilization is None  # NVML says none of a GPU in parts: that is not zero
    assert [(one.index, one.uuid, one.gpu_instance, one.compute_instance) for one in gpu.mig] == [
        (0, "MIG-fake-2", 1, 0),
        (1, "MIG-fake-3", 2, 0),
    ]
    assert [(one.memory_total, one.multiprocessors) for one in gpu.mig] == [(4 << 30, 16)] * 2
    assert [[each.pid for each in one.processes] for one in gpu.mig] == [[], [4711]]
    assert gpu.mig[1].processes[0].instance == (2, 0)
    assert (gpu.mig[1].bar1_used, gpu.mig[1].bar1_total) == (1 << 20, 1 << 28)
    facts = {f"{one.group}.{one.name}": one for one in nvml.facts(0, 1)}
    assert (facts["identity.uuid"].value, facts["memory.total"].value) == ("MIG-fake-3", 4 << 30)
    assert facts["utilization.gpu"].missing == "not supported"
    assert nvml.facts(0, 6) == []
    assert shares_of(0) == {}


def test_every_fact_has_a_value_or_the_reason_why_it_has_none(nvml: Nvml) -> None:
    nvml.read()
    facts = {f"{one.group}.{one.name}": one for one in nvml.facts(0)}
    assert len(facts) == len(FACTS) + 2 + 2 * 2  # NVLinks: both ways of all together, and of each of two
    assert all((one.value is None) == bool(one.missing) for one in facts.values())
    assert {
        name: facts[name].value for name in ("identity.bus_id", "identity.driver_version", "identity.cuda_version")
    } == {
        "identity.bus_id": "00000000:01:00.0",
        "identity.driver_version": "999.1",
        "identity.cuda_version": "13.2",
    }
    assert (facts["memory.reserved"].value, facts["memory.bar1_used"].value) == (1 << 28, 1 << 20)
    assert (facts["pcie.transmit"].value, facts["pcie.receive"].value) == (102_400, 204_800)
    assert (facts["temperature.memory"].value, facts["temperature.slowdown"].value) == (77, 87)
    assert (facts["nvlink.links"].value, facts["nvlink.transmit"].value) == (2, 1024 * 1024 / LINK_LOOK_S)
    assert facts["nvlink.link 1 transmit"].value == 512 * 1024 / LINK_LOOK_S
    assert facts["nvlink.link 0 transmit"].missing == "not supported"
    assert (facts["errors.uncorrected_since_boot"].value, facts["errors.corrected_ever"].value) == (10, 1)
    assert facts["errors.remapping_pending"].value is True
    assert facts["state.throttle_reasons"].value == "power cap, thermal (driver)"
    assert facts["power.usage"].missing == "not supported"
    assert facts["temperature.fan"].missing == "not in this driver"
    assert facts["nvlink.receive"].missing == "not supported"
    assert facts["power.energy"].missing == "not supported"  # "not available" inside an answer


def test_every_call_that_is_made_is_one_of_the_binding() -> None:
    source = "".join(Path(one.__file__).read_text() for one in (nvml_calls, nvml_facts, nvml_module))
    names = set(re.findall(r"(?:pynvml\.|\")(nvml[A-Z]\w+)", source))
    assert len(names) > 50
    assert [name for name in names if not hasattr(pynvml, name)] == []


@pytest.mark.parametrize(
    ("code", "state"),
    [(9, "driver not loaded"), (18, "library and driver versions differ"), (4, "no permission"), (999, "failed")],
)
def test_a_driver_that_does_not_start_is_a_state(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, code: int, state: str
) -> None:
    monkeypatch.setenv("FAKE_NVML_INIT", str(code))
    assert nvml.read() == (state, ())
    assert nvml.facts(0) == []


def test_a_driver_restarted_under_us_is_found_again(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, now: list[float]
) -> None:
    gone = tmp_path / "unloaded"
    monkeypatch.setenv("FAKE_NVML_GONE", str(gone))
    assert len(nvml.read()[1]) == 2
    gone.touch()
    assert nvml.read() == ("driver not loaded", ())
    gone.unlink()
    assert nvml.read() == ("driver not loaded", ())  # it is not asked a hundred times while it loads
    now[0] += RETURN_S
    assert [gpu.state for gpu in nvml.read()[1]] == ["ok", "lost"]


def test_a_driver_restarted_between_two_readings_is_not_noticed(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "unloaded"
    monkeypatch.setenv("FAKE_NVML_GONE", str(gone))
    nvml.read()
    gone.touch()
    with pytest.raises(pynvml.NVMLError):
        pynvml.nvmlDeviceGetCount()
    gone.unlink()
    assert nvml.read()[0] == "ok"  # its old handles were worth nothing: it began anew


def test_a_lost_gpu_is_asked_for_again_after_a_minute(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, now: list[float]
) -> None:
    begun = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: begun.append(pynvml.nvmlInitWithFlags(0)))
    for _ in range(3):
        nvml.read()
    assert len(begun) == 1
    now[0] += RETRY_S
    assert len(nvml.read()[1]) == len(nvml.read()[1]) == 2
    assert len(begun) == 2


def test_no_driver_is_normal_and_asked_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def missing() -> None:
        calls.append(1)
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    now = [0.0]
    nvml = Nvml(clock=lambda: now[0])
    assert nvml.read() == ("no driver", ())
    now[0] = RETRY_S - 1
    assert nvml.read() == ("no driver", ())
    assert len(calls) == 1
    now[0] = RETRY_S + 1
    nvml.read()
    assert len(calls) == 2


def test_a_driver_that_goes_away_under_us_is_a_state_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", gone)
    assert Nvml().read() == ("failed", ())


def test_what_a_process_uses_of_each_gpu_is_put_together(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_NVML_PIDS", f"{os.getpid()}")
    radeon = GpuProcess(os.getpid(), 512, "")
    monkeypatch.setattr(amd, "read", lambda first: (Gpu(first, "Radeon", GpuState.OK, vendor="amd"),))
    monkeypatch.setattr(amd, "processes", lambda first: {os.getpid(): [(first, radeon)]})
    probe = Probe(tmp_path, nvml=nvml)
    assert [(gpu.index, gpu.vendor) for gpu in probe.gpus()[1]] == [(0, "nvidia"), (1, "nvidia"), (2, "amd")]
    held = probe.on_gpus()[os.getpid()]
    assert (held[0].memory, held[0].utilization, held[0].kind) == (1 << 30, 30.0, "compute+graphics")
    assert held[2] == radeon
    mine = next(one for one in probe.processes() if one.pid == os.getpid())
    assert (mine.gpus, mine.gpu_memory, mine.gpu_utilization) == ((0, 2), (1 << 30) + 512, 30.0)
    assert (mine.gpu_kind, mine.gpu_bandwidth, mine.gpu_encoder, mine.gpu_decoder) == (
        "compute+graphics",
        4.0,
        0.0,
        0.0,
    )
