"""Starting the gateway: where it may listen, and what it says when it cannot."""

from __future__ import annotations

import socket

import pytest

from mlops_tui.core import locks
from mlops_tui.core.errors import NotAllowed, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.web import inference


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org", "::"])
def test_addresses_that_others_reach_are_refused(
    workspace: Workspace, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotAllowed):
        inference.serve(workspace, host=host, port=0)
    assert inference.main(["--workspace", str(workspace.root), "--host", host]) == 6
    assert f"may not listen on {host}" in capsys.readouterr().err


def test_a_port_in_use_is_one_sentence_and_code_7(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert inference.main(["--workspace", str(workspace.root), "--port", str(port)]) == 7
    said = capsys.readouterr().err
    assert said.startswith(f"Error: Port {port} on 127.0.0.1 cannot be used: address already in use.")
    assert not (workspace.run / "gateway.json").exists()


def test_a_workspace_has_one_gateway(workspace: Workspace) -> None:
    assert locks.hold(workspace.run / "gateway.lock") is not None
    with pytest.raises(Unavailable, match="already"):
        inference.serve(workspace, port=0)


def test_a_folder_that_is_no_workspace_is_said_so(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert inference.main(["--workspace", f"{tmp_path}/none"]) == 5
    assert "There is no workspace" in capsys.readouterr().err
