"""Pause, resume and remove: the same three commands for the rules and for the channels of alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import confirm, pass_workbench, say, why_option, yes_option

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Kept:
    """What is paused and removed by name. `room` has `get(name)`, `pause(name, on, why)` and `remove(name, why)`."""

    noun: str
    example: str
    room: Callable[[Workbench], Any]
    paused: str
    resumed: str
    removed: str


def add_keeping(group: click.Group, kept: Kept) -> None:
    """Give a group its three commands; `kept` has their sentences."""
    place = f"mlops alerts {group.name} {{}} {kept.example}"

    @group.command("pause", help=_help(kept.paused, place.format("pause") + ' --why "load test"'))
    @click.argument("name")
    @why_option
    @pass_workbench
    def pause(workbench: Workbench, name: str, why: str) -> None:
        kept.room(workbench).pause(name, True, why)
        say(f"Paused the {kept.noun} {name}.")

    @group.command("resume", help=_help(kept.resumed, place.format("resume")))
    @click.argument("name")
    @why_option
    @pass_workbench
    def resume(workbench: Workbench, name: str, why: str) -> None:
        kept.room(workbench).pause(name, False, why)
        say(f"Resumed the {kept.noun} {name}.")

    @group.command("remove", help=_help(kept.removed, place.format("remove") + " --yes"))
    @click.argument("name")
    @why_option
    @yes_option
    @pass_workbench
    def remove(workbench: Workbench, name: str, why: str, yes: bool) -> None:
        room = kept.room(workbench)
        room.get(name)
        confirm(f"Remove the {kept.noun} {name}?", yes=yes)
        room.remove(name, why)
        say(f"Removed the {kept.noun} {name}.")


def _help(sentence: str, example: str) -> str:
    return f"{sentence}\n\n\b\nExample: {example}"
