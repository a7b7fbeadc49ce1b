"""`POST /v1/features/{table}/lookup` through the gateway."""

from __future__ import annotations

import pytest

from mlops_tui.web.lookups import MOST_ROWS, Lookups

PATH = "/v1/features/customers/lookup"


@pytest.fixture
def online(workbench, workspace, make_door):
    """A gateway over a workspace with two customers online."""
    workbench.features.create("customers", ["id"], time="at")
    rows = [{"id": n, "at": "2025-01-01", "spend": n * 1.5, "name": None} for n in (1, 2)]
    workbench.features.ingest("customers", rows)
    workbench.features.materialize("customers")
    door = make_door()
    lookups = Lookups(workspace)
    door.gateway._lookups = lookups
    yield door
    lookups.close()


async def test_rows_come_back_in_the_order_asked(online):
    reply = await online.ask("POST", PATH, {"rows": [{"id": 2}, {"id": 9}], "columns": ["spend"]})
    assert (reply.status, reply.json["table"]) == (200, "customers")
    first, second = reply.json["rows"]
    assert (first["key"], first["status"], first["values"]) == ({"id": 2}, "ok", {"spend": 3.0})
    assert first["age_ms"] > 0
    assert (second["status"], second["age_ms"], second["values"]) == ("missing", None, {"spend": None})


async def test_what_is_pushed_later_is_seen(online, workbench):
    await online.ask("POST", PATH, {"rows": [{"id": 1}]})
    workbench.features.push("customers", [{"id": 1, "at": "2025-02-01", "spend": 7.0}])
    assert (await online.ask("POST", PATH, {"rows": [{"id": 1}]})).json["rows"][0]["values"]["spend"] == 7.0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (PATH, {"rows": [{"id": "two"}]}, 400),
        (PATH, {"rows": [{"ident": 2}]}, 400),
        (PATH, {"rows": [{"id": 1}], "columns": ["spent"]}, 400),
        (PATH, {"rows": [{"id": 1}] * (MOST_ROWS + 1)}, 400),
        (PATH, {"row": []}, 400),
        (PATH, b"{", 400),
        ("/v1/features/customer/lookup", {"rows": [{"id": 1}]}, 404),
        ("/v1/features/customers/look", {"rows": []}, 404),
    ],
)
async def test_what_cannot_be_answered_is_told(online, path, body, status):
    reply = await online.ask("POST", path, body)
    assert reply.status == status, reply.body
    assert reply.json["error"]


async def test_only_posts_of_json_are_read(online):
    assert (await online.ask("GET", PATH)).status == 405
    assert (await online.ask("POST", PATH, b"<x/>", {"content-type": "text/xml"})).status == 415
