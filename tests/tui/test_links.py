"""Deep links and what `:` finds: every kind of object, a clear error for what is not there."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import NotFound
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import actions, links
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.history import Place
from mlops_tui.tui.screens.version import VersionDesk
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, source_of, text_of
from .test_actions import desk_class


def test_every_place_and_kind_names_a_part_that_exists() -> None:
    for place in links.PLACES.values():
        assert place.section in ("", *(one.id for one in desk_class(place.desk).SECTIONS))
    for kind in links.KINDS.values():
        assert kind.section in {*(one.id for one in desk_class(kind.desk).SECTIONS), *actions.PAGES}


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("serving", Place("serving")),
        ("alerts", Place("monitoring", "alerts")),
        ("table/hours", Place("features", "tables", "hours")),
        ("snapshot/hours@1", Place("features", "snapshots", "hours@1")),
        ("model/hire", Place("registry", "models", "hire")),
        ("model/hire@champion", Place("registry", "version", "hire/2")),
        ("model/hire/3", Place("registry", "version", "hire/3")),
        ("deployment/bikes", Place("serving", "deployments", "bikes")),
        ("pipeline/hire", Place("pipelines", "pipeline", "hire")),
        ("alert/1", Place("monitoring", "incident", "1")),
        ("job/1", Place("system", "jobs", "1")),
    ],
)
def test_a_link_names_a_place(filled: Workspace, where: str, place: Place) -> None:
    with Workbench(filled, actor="ana") as bench:
        assert links.resolve(bench, where) == place


def test_a_run_is_found_by_the_beginning_of_its_id(filled: Workspace) -> None:
    with Workbench(filled, actor="ana") as bench:
        run = bench.experiments.runs("hire")[0]
        assert links.resolve(bench, f"run/{run.id[:6]}") == Place("experiments", "run", run.id)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("servin", "Did you mean 'serving'?"),
        ("modle/x", "Did you mean 'model/x'?"),
        ("model/nope", ""),
        ("alert/x", ""),
    ],
)
def test_what_is_not_there_is_said_with_the_next_step(filled: Workspace, where: str, said: str) -> None:
    with Workbench(filled, actor="ana") as bench, pytest.raises(NotFound) as caught:
        links.resolve(bench, where)
    assert said in caught.value.hint


def test_the_command_refuses_an_unknown_place_before_it_touches_the_terminal(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTUAL_DRIVER", "none")
    done = CliRunner().invoke(cli, ["-w", str(filled.root), "tui", "deployment/nope"])
    assert isinstance(done.exception, NotFound)
    assert "nope" in done.exception.message


async def test_the_application_starts_at_the_object_of_a_link(filled: Workspace) -> None:
    where = Place("registry", "versions", "hire/1")
    app = MlopsApp(source_of(filled), project="bikes", where=where, watch=False)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert desk_of(pilot).section.id == "versions"
        assert desk_of(pilot).record.ref == "hire/1"


@pytest.mark.parametrize(("typed", "ref"), [("model hire@champion", "hire/2"), ("version hire/1", "hire/1")])
async def test_the_palette_opens_what_a_link_would_name(
    open_app: Open, filled: Workspace, typed: str, ref: str
) -> None:
    async with open_app(filled, "overview", (120, 40)) as pilot:
        await press(pilot, "colon", *typed)
        await press(pilot, "enter", "enter")
        page = desk_of(pilot)
        assert isinstance(page, VersionDesk), text_of(pilot)
        assert page.of == ref
