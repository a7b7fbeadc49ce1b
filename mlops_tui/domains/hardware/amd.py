"""AMD GPUs through the files of the kernel's amdgpu driver: no library, and every file may be missing.

    /sys/class/drm/card*/device/           vendor, gpu_busy_percent, mem_info_vram_*, pp_dpm_*, current_link_*, hwmon/hwmon*/
    /proc/*/fdinfo/*                       drm-pdev and drm-memory-vram of every process that has the GPU open

Documented in the kernel: Documentation/gpu/amdgpu/thermal.rst, driver-misc.rst and Documentation/gpu/drm-usage-stats.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mlops_tui.domains.hardware.records import Fact, Gpu, GpuProcess, GpuState

AMD = "0x1002"
SYS, PROC = Path("/sys"), Path("/proc")
_ACTIVE = re.compile(r"(\d+)\s*Mhz\s*\*", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

FACTS: tuple[tuple[str, str, str, str, float], ...] = (
    ("identity", "uuid", "", "unique_id", 0),
    ("identity", "vbios", "", "vbios_version", 0),
    ("identity", "numa_node", "", "numa_node", 1),
    ("state", "performance_level", "", "power_dpm_force_performance_level", 0),
    ("utilization", "gpu", "%", "gpu_busy_percent", 1),
    ("utilization", "memory", "%", "mem_busy_percent", 1),
    ("memory", "used", "B", "mem_info_vram_used", 1),
    ("memory", "total", "B", "mem_info_vram_total", 1),
    ("memory", "visible_used", "B", "mem_info_vis_vram_used", 1),
    ("memory", "visible_total", "B", "mem_info_vis_vram_total", 1),
    ("memory", "shared_used", "B", "mem_info_gtt_used", 1),
    ("memory", "shared_total", "B", "mem_info_gtt_total", 1),
    ("clocks", "graphics", "MHz", "pp_dpm_sclk", -1),
    ("clocks", "memory", "MHz", "pp_dpm_mclk", -1),
    ("temperature", "edge", "C", "hwmon/temp1_input", 1e-3),
    ("temperature", "junction", "C", "hwmon/temp2_input", 1e-3),
    ("temperature", "memory", "C", "hwmon/temp3_input", 1e-3),
    ("temperature", "critical", "C", "hwmon/temp1_crit", 1e-3),
    ("temperature", "fan", "rpm", "hwmon/fan1_input", 1),
    ("power", "usage", "W", "hwmon/power1_average", 1e-6),
    ("power", "limit", "W", "hwmon/power1_cap", 1e-6),
    ("power", "limit_max", "W", "hwmon/power1_cap_max", 1e-6),
    ("power", "voltage", "V", "hwmon/in0_input", 1e-3),
    ("pcie", "speed", "", "current_link_speed", 0),
    ("pcie", "speed_max", "", "max_link_speed", 0),
    ("pcie", "width", "", "current_link_width", 1),
    ("pcie", "width_max", "", "max_link_width", 1),
    ("pcie", "replays", "", "pcie_replay_count", 1),
)
"""(group, name, unit, file, scale): scale 0 is text, -1 the active line of a list of clocks."""


def read(first: int = 0, sys: Path = SYS) -> tuple[Gpu, ...]:
    """Every AMD GPU, numbered from `first` on (after those of NVIDIA). A card that stopped answering is lost."""
    return tuple(_gpu(first + place, device) for place, device in enumerate(_devices(sys)))


def facts(place: int, sys: Path = SYS) -> list[Fact]:
    """All that the driver says of the GPU in that place, what it does not say with the reason; [] where there is none."""
    devices = list(_devices(sys))
    if not 0 <= place < len(devices):
        return []
    device = devices[place]
    head = [Fact("identity", "name", _name(device)), Fact("identity", "bus_id", device.resolve().name)]
    return head + [_fact(device, *one) for one in FACTS]


def processes(first: int = 0, sys: Path = SYS, proc: Path = PROC) -> dict[int, list[tuple[int, GpuProcess]]]:
    """(GPU, process) by process id: who has which GPU open and how much of its memory. Looks at every open file: for a screen."""
    places = {device.resolve().name: first + place for place, device in enumerate(_devices(sys))}
    found: dict[int, list[tuple[int, GpuProcess]]] = {}
    for folder in proc.glob("[0-9]*") if places else ():
        held: dict[int, dict[str, int]] = {}
        for client in _clients(folder):
            place = places.get(client.get("drm-pdev", ""))
            if place is not None:  # a client counts once, however many files lead to it
                held.setdefault(place, {})[client.get("drm-client-id", "")] = _bytes(client)
        if held:
            pid = int(folder.name)
            found[pid] = [(place, GpuProcess(pid, sum(each.values()), "")) for place, each in held.items()]
    return found


def _gpu(index: int, device: Path) -> Gpu:
    total = _number(device, "mem_info_vram_total")
    busy = _number(device, "gpu_busy_percent")
    power = _number(device, "hwmon/power1_average", 1e-6)
    speed, top = _number(device, "hwmon/pwm1"), _number(device, "hwmon/pwm1_max")
    used = _number(device, "mem_info_vram_used")
    if total is None and busy is None and not (device / "vendor").exists():
        return Gpu(index, f"GPU {index}", GpuState.LOST, vendor="amd")
    return Gpu(
        index=index,
        name=_name(device),
        state=GpuState.OK,
        uuid=_text(device, "unique_id"),
        utilization=busy,
        memory_used=None if used is None else int(used),
        memory_total=None if total is None else int(total),
        temperature=_number(device, "hwmon/temp1_input", 1e-3),
        power=power if power is not None else _number(device, "hwmon/power1_input", 1e-6),
        power_limit=_number(device, "hwmon/power1_cap", 1e-6),
        fan=100 * speed / (top or 255) if speed is not None else None,
        clock_mhz=_clock(device, "pp_dpm_sclk"),
        vendor="amd",
        memory_utilization=_number(device, "mem_busy_percent"),
        memory_clock_mhz=_clock(device, "pp_dpm_mclk"),
    )


def _devices(sys: Path) -> Iterator[Path]:
    """The cards of AMD; connectors such as card0-HDMI-A-1 are none."""
    cards = [card for card in (sys / "class" / "drm").glob("card*") if card.name[4:].isdigit()]
    for card in sorted(cards, key=lambda card: int(card.name[4:])):
        # A card whose vendor cannot be read any more has fallen off; amdgpu says so in its driver link.
        vendor, driver = _text(card / "device", "vendor"), card / "device" / "driver"
        if vendor == AMD or (vendor is None and driver.is_symlink() and driver.readlink().name == "amdgpu"):
            yield card / "device"


def _name(device: Path) -> str:
    return _text(device, "product_name") or f"AMD {_text(device, 'device') or 'GPU'}"


def _fact(device: Path, group: str, name: str, unit: str, file: str, scale: float) -> Fact:
    read = _text if scale == 0 else _clock if scale < 0 else partial(_number, scale=scale)
    value: str | float | None = read(device, file)
    return Fact(group, name, value, unit, "" if value is not None else "not supported")


def _clock(device: Path, name: str) -> float | None:
    """The line with a star: `1: 1801Mhz *`."""
    found = _ACTIVE.search(_text(device, name) or "")
    return float(found.group(1)) if found else None


def _number(device: Path, name: str, scale: float = 1.0) -> float | None:
    try:
        return float(_text(device, name) or "") * scale
    except ValueError:
        return None


def _text(device: Path, name: str) -> str | None:
    """A file of the device, or of the first of its sensors (hwmon/...); None where it cannot be read."""
    folder = device
    if name.startswith("hwmon/"):
        folder, name = next(iter(sorted((device / "hwmon").glob("hwmon*"))), device), name[6:]
    try:
        return (folder / name).read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _clients(folder: Path) -> Iterator[dict[str, str]]:
    """The fields of every open file of a process that is one of a GPU; those of others cannot be read."""
    try:
        files = list((folder / "fdinfo").iterdir())
    except OSError:
        return
    for file in files:
        try:
            text = file.read_text()
        except OSError:
            continue
        if "drm-pdev" in text:
            yield {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _bytes(client: dict[str, str]) -> int:
    """`drm-memory-vram: 1234 KiB`."""
    number, _, unit = client.get("drm-memory-vram", "0").partition(" ")
    return int(number) * _UNITS.get(unit.strip(), 1) if number.isdigit() else 0
