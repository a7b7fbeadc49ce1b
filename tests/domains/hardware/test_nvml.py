"""GPUs through the real pynvml binding over a library built here from C: what is missing, what is lost, no driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pynvml
import pytest

from mlops_tui.domains.hardware.nvml import RETRY_S, Nvml

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


def read(library: Path, **env: str) -> Any:
    environment = os.environ | {"LD_LIBRARY_PATH": str(library)} | env
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def test_a_gpu_reports_what_it_can_and_none_for_the_rest(library: Path) -> None:
    found = read(library)
    assert found["driver"] == "ok"
    gpu = found["gpus"][0]
    assert (gpu["name"], gpu["uuid"], gpu["state"]) == ("Invented GPU", "GPU-fake-0", "ok")
    assert (gpu["utilization"], gpu["memory_used"], gpu["memory_total"]) == (42.0, 2 << 30, 8 << 30)
    assert (gpu["temperature"], gpu["power_limit"], gpu["clock_mhz"]) == (61.0, 300.0, 1410.0)
    assert gpu["power"] is None  # NVML_ERROR_NOT_SUPPORTED
    assert gpu["fan"] is None  # the function is missing from the library
    assert gpu["processes"] == []


def test_a_lost_gpu_is_a_state_beside_a_healthy_one(library: Path) -> None:
    gpus = read(library)["gpus"]
    assert [gpu["state"] for gpu in gpus] == ["ok", "lost"]
    assert gpus[1]["utilization"] is None


@pytest.mark.parametrize(
    ("code", "state"),
    [(9, "driver not loaded"), (18, "library and driver versions differ"), (4, "no permission"), (999, "failed")],
)
def test_a_driver_that_does_not_start_is_a_state(library: Path, code: int, state: str) -> None:
    assert read(library, FAKE_NVML_INIT=str(code)) == {"driver": state, "gpus": []}


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
