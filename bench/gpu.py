"""Every figure of an NVIDIA GPU beside what `nvidia-smi` says of it, and who is on it.

    python bench/gpu.py              every GPU of this machine; ends with 1 where a figure differs
    python bench/gpu.py --all        with the figures that are the same
    python bench/gpu.py --json

Wants a machine with a GPU, its driver, `nvidia-smi` in the path, and `nvidia-ml-py`; nothing else. We look before and after
`nvidia-smi` does, so that what moves has to lie between our two looks, with a little slack.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlops_tui.domains.hardware.nvml import Nvml
from mlops_tui.domains.hardware.records import Fact, Gpu, GpuState

MIB = 1 << 20
Read = Callable[[str], Any]


def _number(text: str) -> float:
    return float(text.split()[0])


def _mib(text: str) -> float:
    return _number(text) * MIB


def _on(text: str) -> bool:
    return text in ("Enabled", "Yes")


def _mode(text: str) -> str:
    return text.lower().replace("_", " ")


FIELDS: tuple[tuple[str, str, Read, float], ...] = (
    ("name", "identity.name", str, 0), ("uuid", "identity.uuid", str, 0), ("serial", "identity.serial", str, 0),
    ("pci.bus_id", "identity.bus_id", str, 0), ("vbios_version", "identity.vbios", str, 0),
    ("driver_version", "identity.driver_version", str, 0), ("compute_cap", "identity.compute_capability", str, 0),
    ("pstate", "state.performance_state", str, 0), ("compute_mode", "state.compute_mode", _mode, 0),
    ("persistence_mode", "state.persistence_mode", _on, 0), ("display_active", "state.display_active", _on, 0),
    ("display_mode", "state.display_mode", _on, 0), ("mig.mode.current", "state.mig_mode", _on, 0),
    ("memory.total", "memory.total", _mib, MIB), ("memory.used", "memory.used", _mib, 8 * MIB),
    ("memory.free", "memory.free", _mib, 8 * MIB), ("memory.reserved", "memory.reserved", _mib, MIB),
    ("utilization.gpu", "utilization.gpu", _number, 25), ("utilization.memory", "utilization.memory", _number, 25),
    ("utilization.encoder", "utilization.encoder", _number, 10), ("utilization.decoder", "utilization.decoder", _number, 10),
    ("utilization.jpeg", "utilization.jpeg", _number, 10), ("utilization.ofa", "utilization.optical_flow", _number, 10),
    ("temperature.gpu", "temperature.gpu", _number, 2), ("temperature.memory", "temperature.memory", _number, 2),
    ("fan.speed", "temperature.fan", _number, 3), ("power.draw", "power.usage", _number, 25),
    ("power.limit", "power.limit", _number, 1), ("enforced.power.limit", "power.enforced_limit", _number, 1),
    ("power.default_limit", "power.default_limit", _number, 1),
    ("clocks.gr", "clocks.graphics", _number, 60), ("clocks.sm", "clocks.sm", _number, 60),
    ("clocks.mem", "clocks.memory", _number, 60), ("clocks.video", "clocks.video", _number, 60),
    ("clocks.max.gr", "clocks.graphics_max", _number, 0), ("clocks.max.sm", "clocks.sm_max", _number, 0),
    ("clocks.max.mem", "clocks.memory_max", _number, 0),
    ("pcie.link.gen.current", "pcie.generation", _number, 0), ("pcie.link.gen.max", "pcie.generation_max", _number, 0),
    ("pcie.link.width.current", "pcie.width", _number, 0), ("pcie.link.width.max", "pcie.width_max", _number, 0),
    ("ecc.mode.current", "errors.ecc", _on, 0),
    ("ecc.errors.corrected.volatile.total", "errors.corrected_since_boot", _number, 0),
    ("ecc.errors.uncorrected.volatile.total", "errors.uncorrected_since_boot", _number, 0),
    ("ecc.errors.corrected.aggregate.total", "errors.corrected_ever", _number, 0),
    ("ecc.errors.uncorrected.aggregate.total", "errors.uncorrected_ever", _number, 0),
)  # fmt: skip
"""(field of --query-gpu, fact of ours, how it is read, slack for what moves between the looks)."""
NOTHING = ("[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "[Insufficient Permissions]", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One figure as both say it. `verdict` is same, neither, ours only, theirs only or differs; the last two are mistakes of ours."""

    gpu: int
    field: str
    ours: Any
    theirs: Any
    verdict: str

    @property
    def wrong(self) -> bool:
        return self.verdict in ("differs", "theirs only")


def main() -> int:
    """Compare, print, and say by the exit status whether all is well; 3 where there is nothing to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the figures that are the same, too")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    given = parser.parse_args()
    nvml = Nvml()
    driver, gpus = nvml.read()
    if not gpus:
        print(f"No GPU can be read: {driver}.", file=sys.stderr)
        return 3
    try:
        rows, unknown = everything(nvml, gpus)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"nvidia-smi does not answer: {error}", file=sys.stderr)
        return 3
    wrong = [row for row in rows if row.wrong]
    if given.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=2, default=str))
    else:
        for row in rows if given.all else [row for row in rows if row.verdict != "same"]:
            print(f"{row.gpu:>3}  {row.field:<42} {row.ours!s:<28} {row.theirs!s:<28} {row.verdict}")
        counts = ", ".join(
            f"{sum(row.verdict == word for row in rows)} {word}" for word in dict.fromkeys(r.verdict for r in rows)
        )
        print(
            f"{len(gpus)} GPUs, {len(rows)} figures: {counts}"
            + (f"; unknown to this nvidia-smi: {', '.join(unknown)}" if unknown else "")
        )
    return 1 if wrong else 0


def everything(nvml: Nvml, gpus: Sequence[Gpu]) -> tuple[list[Row], list[str]]:
    """All rows of all GPUs, and fields this nvidia-smi does not know."""
    alive = [gpu.index for gpu in gpus if gpu.state is GpuState.OK]
    before = {index: _facts(nvml, index) for index in alive}
    said, unknown = asked([name for name, *_ in FIELDS])
    after = {index: _facts(nvml, index) for index in alive}
    rows = [row for index in alive for row in compare(index, before[index], said.get(index, {}), after[index])]
    theirs = _users()
    for gpu in nvml.read()[1]:
        if gpu.index in alive:
            ours = {one.pid: one.memory for one in gpu.processes if "compute" in one.kind}
            rows += people(gpu.index, ours, theirs.get(gpu.uuid or "", {}))
    return rows, unknown


def asked(names: Sequence[str]) -> tuple[dict[int, dict[str, str]], list[str]]:
    """What nvidia-smi says by GPU and field, and the fields it does not know. Raises OSError, SubprocessError."""
    left, unknown = list(names), list[str]()
    while True:
        done = _smi(f"--query-gpu=index,{','.join(left)}", "--format=csv,noheader")
        missing = re.findall(r'Field "([^"]+)" is not a valid field', done.stdout + done.stderr)
        if not missing or missing[0] not in left:
            break
        left.remove(missing[0])
        unknown.append(missing[0])
    done.check_returncode()
    lines = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    return {int(line[0]): dict(zip(left, line[1:], strict=True)) for line in lines if line}, unknown


def compare(gpu: int, before: dict[str, Any], said: dict[str, str], after: dict[str, Any]) -> list[Row]:
    """One row a field."""
    rows = []
    for name, ours, read, slack in FIELDS:
        if name not in said:
            continue
        text = said[name].strip()
        theirs = None if text in NOTHING else read(text)
        mine = (before.get(ours), after.get(ours))
        rows.append(Row(gpu, name, mine[1], theirs, verdict(mine, theirs, slack)))
    return rows


def verdict(mine: tuple[Any, Any], theirs: Any, slack: float) -> str:
    """How two looks of ours stand to what was said between them."""
    known = [one for one in mine if one is not None]
    if theirs is None or not known:
        return "neither" if theirs is None and not known else "ours only" if theirs is None else "theirs only"
    if isinstance(theirs, (str, bool)):
        return "same" if theirs in known else "differs"
    inside = min(known) - slack <= theirs <= max(known) + slack
    return "same" if inside or abs(theirs - known[-1]) < 0.51 else "differs"


def people(gpu: int, ours: dict[int, int | None], theirs: dict[int, float | None]) -> list[Row]:
    """Who is on the GPU, and with how much memory; one that came or went between the looks is no mistake if it is of ours only."""
    rows = []
    for pid in sorted({*ours, *theirs}):
        if pid not in theirs:
            rows.append(Row(gpu, f"process {pid}", ours[pid], None, "ours only"))
        elif pid not in ours:
            rows.append(Row(gpu, f"process {pid}", None, theirs[pid], "theirs only"))
        else:
            memory = ours[pid]
            rows.append(
                Row(gpu, f"process {pid}", memory, theirs[pid], verdict((memory, memory), theirs[pid], 8 * MIB))
            )
    return rows


def _users() -> dict[str, dict[int, float | None]]:
    done = _smi("--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader")
    done.check_returncode()
    found: dict[str, dict[int, float | None]] = {}
    for line in csv.reader(done.stdout.splitlines(), skipinitialspace=True):
        if len(line) == 3:
            found.setdefault(line[0], {})[int(line[1])] = None if line[2] in NOTHING else _mib(line[2])
    return found


def _smi(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=60, check=False)


def _facts(nvml: Nvml, index: int) -> dict[str, Any]:
    facts: list[Fact] = nvml.facts(index)
    return {f"{one.group}.{one.name}": one.value for one in facts}


if __name__ == "__main__":
    sys.exit(main())
