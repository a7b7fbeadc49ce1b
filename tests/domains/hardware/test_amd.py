"""AMD GPUs from a tree of files as the kernel's amdgpu driver makes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlops_tui.domains.hardware import amd

GIB = 1 << 30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """One Radeon at 0000:03:00.0 beside an Intel one, with a connector that looks like a card."""
    device = tmp_path / "sys/devices/0000:03:00.0"
    write(
        device,
        vendor="0x1002",
        device="0x73bf",
        product_name="Radeon Pro W6800",
        gpu_busy_percent="37",
        mem_busy_percent="11",
        mem_info_vram_used=str(4 * GIB),
        mem_info_vram_total=str(32 * GIB),
        pp_dpm_sclk="0: 500Mhz\n1: 1825Mhz *\n2: 2555Mhz",
        current_link_width="16",
        unique_id="4b1d",
    )
    write(
        device / "hwmon/hwmon3",
        temp1_input="54000", power1_average="88000000", power1_cap="250000000", pwm1="51", pwm1_max="255",
    )  # fmt: skip
    cards = tmp_path / "sys/class/drm"
    write(cards / "card0" / "device", vendor="0x8086")
    (cards / "card1").mkdir()
    (cards / "card1" / "device").symlink_to(device)
    (cards / "card1-HDMI-A-1").mkdir()
    return device


def test_a_card_says_what_its_files_say(device: Path, tmp_path: Path) -> None:
    (gpu,) = amd.read(2, tmp_path / "sys")
    assert (gpu.index, gpu.name, gpu.vendor, gpu.state) == (2, "Radeon Pro W6800", "amd", "ok")
    assert (gpu.utilization, gpu.memory_utilization) == (37.0, 11.0)
    assert (gpu.memory_used, gpu.memory_total) == (4 * GIB, 32 * GIB)
    assert (gpu.temperature, gpu.power, gpu.power_limit, gpu.fan) == (54.0, 88.0, 250.0, 20.0)
    assert gpu.clock_mhz == 1825.0  # the line with the star
    assert gpu.memory_clock_mhz is None


def test_files_that_are_missing_or_unreadable_are_missing_figures(device: Path, tmp_path: Path) -> None:
    shutil.rmtree(device / "hwmon")
    (device / "gpu_busy_percent").write_text("Input/output error\n")
    (gpu,) = amd.read(0, tmp_path / "sys")
    assert (gpu.state, gpu.utilization, gpu.temperature, gpu.power, gpu.fan) == ("ok", None, None, None, None)


def test_every_fact_has_a_value_or_the_reason_why_it_has_none(device: Path, tmp_path: Path) -> None:
    facts = {f"{one.group}.{one.name}": one for one in amd.facts(0, tmp_path / "sys")}
    assert all((one.value is None) == bool(one.missing) for one in facts.values())
    assert facts["identity.bus_id"].value == "0000:03:00.0"
    assert (facts["clocks.graphics"].value, facts["pcie.width"].value) == (1825.0, 16.0)
    assert facts["temperature.junction"].missing == "not supported"
    assert amd.facts(1, tmp_path / "sys") == []


def test_a_card_whose_files_went_away_is_lost(device: Path, tmp_path: Path) -> None:
    for file in device.iterdir():
        if file.is_file():
            file.unlink()
    (tmp_path / "amdgpu").mkdir()
    (device / "driver").symlink_to(tmp_path / "amdgpu")
    assert [gpu.state for gpu in amd.read(0, tmp_path / "sys")] == ["lost"]


def test_who_has_a_card_open_and_how_much_of_its_memory(device: Path, tmp_path: Path) -> None:
    one = "pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t{}\ndrm-memory-vram:\t{} KiB"
    write(tmp_path / "proc/77/fdinfo", **{"3": one.format(9, 1024), "4": one.format(9, 1024), "5": one.format(10, 512)})
    write(tmp_path / "proc/78/fdinfo", **{"0": "pos:\t0", "6": one.format(11, 8).replace("03:00", "99:00")})
    (tmp_path / "proc/79").mkdir()
    found = amd.processes(4, tmp_path / "sys", tmp_path / "proc")
    assert {pid: [(gpu, one.memory) for gpu, one in held] for pid, held in found.items()} == {77: [(4, 1536 * 1024)]}


def test_a_machine_without_amd_cards_lists_none(tmp_path: Path) -> None:
    assert amd.read(0, tmp_path) == ()
    assert amd.processes(0, tmp_path, tmp_path) == {}
