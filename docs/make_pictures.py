"""Draw every desk of a workspace in two sizes into docs/pictures: python -m docs.make_pictures PROJECT.

The pictures of the repository are of what `mlops demo` leaves, a minute after it has ended.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.actions import DESKS
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.state import Source
from mlops_tui.workbench import Workbench

FOLDER = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (160, 45))
LIVE_S = 12.0
"""The overview and the machine show what happens while one looks on."""
MORE: dict[str, tuple[str, ...]] = {
    "run": ("3", "enter", "enter", "right_square_bracket"),
    "rows": ("2", "right_square_bracket", "right_square_bracket"),
    "palette": ("3", "colon", *"bike"),
    "danger": ("6", "d"),
}
"""Further pictures, by the keys that lead there."""


async def still(pilot: Pilot[Any]) -> None:
    """Until nothing is being read any more."""
    for _ in range(40):
        await pilot.pause(0.15)
        if all(worker.is_finished or worker.group == "background" for worker in pilot.app.workers):
            return


async def draw(workspace: Workspace, size: tuple[int, int]) -> None:
    source = Source(lambda: Workbench(workspace, actor="you"))
    app = MlopsApp(source, project=workspace.project.name)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause(LIVE_S)

        def save(name: str) -> None:
            # The font is not asked for elsewhere: a picture loads nothing.
            svg = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(title="mlops"), flags=re.DOTALL)
            (FOLDER / f"{name}-{size[0]}x{size[1]}.svg").write_text(svg, encoding="utf-8")

        for at, (name, _, _) in enumerate(DESKS, 1):
            await pilot.press(str(at))
            await still(pilot)
            await pilot.pause(LIVE_S if name in ("overview", "system") else 0.5)
            save(name)
        for name, keys in MORE.items():
            for key in keys:
                await pilot.press(key)
                await still(pilot)
            save(name)
            await pilot.press("escape", "escape", "escape")


async def main(project: str) -> None:
    workspace = Workspace.find(Path(project))
    for size in SIZES:
        await draw(workspace, size)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
