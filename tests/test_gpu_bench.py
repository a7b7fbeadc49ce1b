"""bench/gpu.py: our figures of a GPU beside those of nvidia-smi, here beside an invented one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bench import gpu
from mlops_tui.domains.hardware.records import Fact, Gpu, GpuProcess, GpuState

SMI = """#!/bin/sh
case "$1" in
  *utilization.ofa*) echo 'Field "utilization.ofa" is not a valid field to query.'; exit 2;;
  --query-gpu=*) echo "0, Invented GPU, GPU-1, [N/A], 8192 MiB, 64, 300.00 W, Enabled, 41 %";;
  --query-compute-apps=*) echo "GPU-1, 12, 1024 MiB"; echo "GPU-1, 14, [N/A]";;
esac
"""
FACTS = (
    Fact("identity", "name", "Invented GPU"),
    Fact("identity", "uuid", "GPU-1"),
    Fact("identity", "serial", None, "", "not supported"),
    Fact("memory", "total", 8 << 30, "B"),
    Fact("temperature", "gpu", 61, "C"),
    Fact("power", "usage", None, "W", "not supported"),
    Fact("errors", "ecc", True),
    Fact("utilization", "gpu", 38, "%"),
)
ASKED = ("name", "uuid", "serial", "memory.total", "temperature.gpu", "power.draw", "utilization.ofa", "ecc.mode.current",
         "utilization.gpu")  # fmt: skip


class Ours:
    """Looks twice; the second time the GPU is three degrees warmer, and another process is there."""

    looks = 0

    def facts(self, index: int) -> list[Fact]:
        self.looks += 1
        return [
            one if one.name != "gpu" else Fact(one.group, one.name, one.value + 3 * (self.looks - 1), one.unit)
            for one in FACTS
        ]

    def read(self) -> tuple[str, tuple[Gpu, ...]]:
        people = (GpuProcess(12, 1 << 30), GpuProcess(13, None), GpuProcess(14, None))
        return "ok", (
            Gpu(0, "Invented GPU", GpuState.OK, uuid="GPU-1", processes=people),
            Gpu(1, "GPU 1", GpuState.LOST),
        )


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An nvidia-smi that knows a few fields, in the path."""
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpu, "FIELDS", tuple(one for name in ASKED for one in gpu.FIELDS if one[0] == name))


def test_what_both_say_only_one_says_and_what_moves_is_told_apart(smi: None) -> None:
    ours = Ours()
    rows, unknown = gpu.everything(ours, ours.read()[1])  # type: ignore[arg-type]
    found = {row.field: row.verdict for row in rows}
    assert unknown == ["utilization.ofa"]
    assert found == {
        "name": "same", "uuid": "same", "serial": "neither", "memory.total": "same", "temperature.gpu": "same",
        "power.draw": "theirs only", "ecc.mode.current": "same", "utilization.gpu": "same",
        "process 12": "same", "process 13": "ours only", "process 14": "neither",
    }  # fmt: skip
    assert [row.field for row in rows if row.wrong] == ["power.draw"]


@pytest.mark.parametrize(
    ("mine", "theirs", "slack", "said"),
    [
        ((10, 20), 15, 0, "same"),
        ((10, 20), 23, 2, "differs"),
        ((10.0, 10.0), 10.4, 0, "same"),
        (("P0", "P2"), "P0", 0, "same"),
        ((False, False), True, 0, "differs"),
        ((None, None), None, 0, "neither"),
        ((0, 0), None, 0, "ours only"),
    ],
)
def test_a_figure_lies_between_our_two_looks(
    mine: tuple[object, object], theirs: object, slack: float, said: str
) -> None:
    assert gpu.verdict(mine, theirs, slack) == said


def test_every_fact_that_is_compared_is_one_of_ours() -> None:
    from mlops_tui.domains.hardware.nvml_facts import FACTS as known

    assert {fact for _, fact, _, _ in gpu.FIELDS} <= {f"{group}.{name}" for group, name, _, _ in known}
