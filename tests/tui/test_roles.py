"""Roles: every one has a look in every theme, and none depends on colour where there is none."""

from __future__ import annotations

import pytest
from rich.color import ColorType

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import roles, themes
from mlops_tui.tui.lines import ROLES

from .conftest import Open, desk_of, press


@pytest.mark.parametrize("name", themes.names())
async def test_every_role_has_its_colour_in_every_theme(open_app: Open, blank: Workspace, name: str) -> None:
    async with open_app(blank, "registry") as pilot:
        pilot.app.theme = name
        await press(pilot)
        table = desk_of(pilot).table
        looks = {role: table.role_style(role) for role in ROLES}
        assert all(look.color is not None for look in looks.values())
        assert looks["good"] != looks["bad"] != looks["warn"]
        if not name.startswith("ansi"):
            assert table.role_style("cursor").bgcolor is not None
            assert looks["text"].color.type is ColorType.TRUECOLOR


def test_in_the_colours_of_the_terminal_weights_stand_for_what_it_has_no_colour_for() -> None:
    assert roles.style("muted", {}, ansi=True).dim
    assert roles.style("cursor", {}, ansi=True).reverse
    assert roles.style("blur", {}, ansi=True).underline


async def test_rows_that_are_out_of_date_are_dim(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        table = desk_of(pilot).table
        table.add_class("-stale")
        assert table.role_style("good").dim
        assert table.role_style("text").color == table.role_style("muted").color
