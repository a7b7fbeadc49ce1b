"""The table with a million rows beside Textual's DataTable with ten thousand, each in a pseudo-terminal of its own.

    python bench/table.py                 both, one line each
    python bench/table.py --rows 100000   the table with as many rows

Figures are CPU of the application's process: until the first rows are painted, and per page-down (mean of 40).
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import struct
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path
from typing import Any

COLUMNS = 12
PAGES = 40
SIZE = (40, 120)


def _cells(row: int) -> list[str]:
    return [f"row {row}", *(f"{row * at % 9973 / 100:.2f}" for at in range(1, COLUMNS))]


def _own(rows: int) -> Any:
    from mlops_tui.tui.widgets.columns import Column
    from mlops_tui.tui.widgets.rows import Batch, Pages
    from mlops_tui.tui.widgets.table import VirtualTable

    columns = tuple(
        Column(f"c{at}", lambda one, now, at=at: (one[at], "text"), right=at > 0, rank=at + 1) for at in range(COLUMNS)
    )

    def read(offset: int, limit: int) -> Batch:
        return Batch([_cells(row) for row in range(offset, min(offset + limit, rows))], rows)

    pages = Pages(columns, read, 0, key=lambda one: str(one[0]))
    table = VirtualTable()

    def fill() -> None:
        pages.take(0, read(0, 200))
        table.show(columns, pages)

    return table, fill


def _stock(rows: int) -> Any:
    from textual.widgets import DataTable

    table: Any = DataTable(cursor_type="row")

    def fill() -> None:
        table.add_columns(*(f"c{at}" for at in range(COLUMNS)))
        table.add_rows([_cells(row) for row in range(rows)])

    return table, fill


def _child(kind: str, rows: int, report: Path) -> None:
    """Run one application: fill, wait for the paint, page down; write the figures and leave."""
    from textual.app import App

    table, fill = (_own if kind == "own" else _stock)(rows)

    class Bench(App[None]):
        CSS = "VirtualTable, DataTable { height: 1fr; }"

        def compose(self) -> Any:
            yield table

        def on_mount(self) -> None:
            self.call_after_refresh(lambda: self.run_worker(self.measure()))

        async def painted(self) -> None:
            """Until everything asked for so far is drawn."""
            from asyncio import Event

            done = Event()
            self.call_after_refresh(done.set)
            await done.wait()

        async def measure(self) -> None:
            table.focus()
            await self.painted()
            before, wall = time.process_time(), time.perf_counter()
            fill()
            await self.painted()
            ready, ready_wall = time.process_time() - before, time.perf_counter() - wall
            before = time.process_time()
            for _ in range(PAGES):
                await self.run_action("page(1)" if kind == "own" else "page_down", default_namespace=table)
                await self.painted()
            page = (time.process_time() - before) / PAGES
            report.write_text(json.dumps({"ready_s": ready, "ready_wall_s": ready_wall, "page_ms": page * 1000}))
            self.exit()

    Bench().run()


def run(kind: str, rows: int, report: Path) -> dict[str, float]:
    """The figures of one kind of table, and the bytes it sent to its terminal."""
    report.unlink(missing_ok=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(
            sys.executable, [sys.executable, __file__, "--child", kind, "--rows", str(rows), "--report", str(report)]
        )
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    sent = 0
    while True:
        try:
            ready, _, _ = select.select([terminal], [], [], 120)
            piece = os.read(terminal, 65536) if ready else b""
        except OSError:
            break
        if not piece:
            break
        sent += len(piece)
    os.waitpid(pid, 0)
    return {**json.loads(report.read_text()), "bytes": sent}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--child", choices=["own", "stock"])
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.rows, given.report)
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name, kind, rows in (
            ("VirtualTable", "own", given.rows or 1_000_000),
            ("DataTable", "stock", given.rows or 10_000),
        ):
            found = run(kind, rows, Path(folder) / "report.json")
            print(
                f"{name:<13}{rows:>10,} rows   ready {found['ready_s']:.3f} s CPU ({found['ready_wall_s']:.3f} s)"
                f"   page-down {found['page_ms']:.1f} ms CPU   {found['bytes'] / 1024:.0f} KiB sent"
            )


if __name__ == "__main__":
    main()
