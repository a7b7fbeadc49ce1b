"""Files of runs through the MLflow dialect, and no path that leads out."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import pytest

from mlops_tui.core.workspace import Workspace

from .client import FILES


async def test_files_go_in_and_out_whole_and_are_never_shown_by_a_browser(client, rooms):
    run, data = await client.run(), os.urandom(3_000_000)
    assert await client.upload(run, "a/b c.html", data) == 200
    status, body, headers = await client.raw("GET", f"{FILES}/0/{run}/artifacts/a/b c.html")
    assert (status, body) == (200, data)
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert rooms.experiments.artifact_file(run, "a/b c.html").read_bytes() == data
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts")
    assert json.loads(body) == {"files": [{"path": "a", "is_dir": True}]}
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts/a")
    assert json.loads(body)["files"] == [{"path": "b c.html", "is_dir": False, "file_size": len(data)}]
    _, body, _ = await client.raw("GET", FILES, query=f"path=0/{run}/artifacts/a/b%20c.html")
    assert json.loads(body) == {}
    assert (await client.raw("DELETE", f"{FILES}/0/{run}/artifacts/a"))[0] == 200
    assert (await client.raw("GET", f"{FILES}/0/{run}/artifacts/a/b c.html"))[0] == 404


CLIMBING = [
    "../../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "%2e%2e/%2e%2e/x",
    "a/../../x",
    "a/%252e%252e/x",
    "..\\..\\x",
    "C:\\windows\\x",
    "a\x00b",
    "x" * 600,
    "./x",
    "a//../b",
    "a\nb",
]


def everything(workspace: Workspace) -> set[str]:
    """All files under and beside the workspace, but for the databases and what is stored by its hash."""
    root = workspace.root.parent.parent
    inside = {str(path) for path in root.rglob("*") if path.is_file()}
    return {path for path in inside if ".db" not in path and str(workspace.artifacts) not in path}


@pytest.mark.parametrize("path", CLIMBING)
async def test_no_artifact_path_leads_out(client, workspace, path):
    run = await client.run()
    before = everything(workspace)
    for method in ("PUT", "GET", "DELETE"):
        status, _, _ = await client.raw(method, f"{FILES}/0/{run}/artifacts/{path}", b"evil")
        assert 400 <= status < 500, method
    for place in (f"0/{run}/artifacts/{path}", path):
        status, body, _ = await client.raw("GET", FILES, query=f"path={quote(place, safe='')}")
        assert (400 <= status < 500) or json.loads(body) == {}
    assert everything(workspace) == before


@pytest.mark.parametrize(
    "path", ["", "/", "0", "x/y/z", "models/x", "packages/../x", "packages/" + "0" * 64, "0/x/artifacts"]
)
async def test_places_that_are_none_are_refused(client, path):
    for method in ("PUT", "DELETE"):
        status, _, _ = await client.raw(method, f"{FILES}/{path}", b"x")
        assert 400 <= status < 500
