"""What the gateway takes up while it runs: tokens, settings, certificates; and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.settings import Serving as Settings
from mlops_tui.core.settings import load
from mlops_tui.core.workspace import Workspace
from mlops_tui.web.certificates import Certificates
from mlops_tui.web.keeper import Keeper
from mlops_tui.workbench import Workbench

ROW = {"dataframe_records": [{"x": 1, "kind": "a"}]}


class HereLedger:
    """The gateway's databases in this thread."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    async def call(self, function: Any, *given: Any) -> Any:
        return function(self.bench.serving, *given)


@pytest.fixture
def keeper(door: Any, workbench: Workbench) -> Keeper:
    workspace = workbench.workspace
    door.fleet.apply = lambda *_: None  # the deployment is not in the workspace
    settings = load(workspace.settings_file)
    return Keeper(workspace, settings, door.fleet, HereLedger(workbench), door.meter, door.gateway, lambda: None)  # type: ignore[arg-type]


async def test_a_token_counts_from_the_next_look_and_not_after_it_is_revoked(
    door: Any, keeper: Keeper, workbench: Workbench
) -> None:
    _, secret = workbench.serving.tokens.create("shop")
    headers = {"authorization": f"Bearer {secret}"}
    for status in (401, 200):
        assert (await door.ask("POST", "/invocations", ROW, headers)).status == status
        await keeper._look()
    workbench.serving.tokens.revoke("shop")
    await keeper._look()
    assert (await door.ask("POST", "/invocations", ROW, headers)).status == 401
    await keeper.flush()
    assert [(used.token, used.requests) for used in workbench.serving.tokens.usage(0)] == [("shop", 1)]


async def test_settings_are_taken_up_and_a_mistake_leaves_them_as_they_were(
    door: Any, keeper: Keeper, workbench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    file = workbench.workspace.settings_file
    file.write_text("[serving]\nrequire_token = true\n")
    keeper._stamp = 0
    await keeper._look()
    assert (await door.ask("POST", "/invocations", ROW)).status == 401
    file.write_text("[serving]\nrequire_token = maybe\n")
    keeper._stamp = 0
    await keeper._look()
    assert (await door.ask("POST", "/invocations", ROW)).status == 401
    assert "the settings are as before" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"certificate": "chain.pem"}, "needs both"),
        ({"certificate": "none.pem", "key": "chain.pem"}, "No such file"),
        ({"certificate": "chain.pem", "key": "chain.pem"}, "cannot be used"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_one_sentence(
    workspace: Workspace, given: dict[str, str], said: str
) -> None:
    (workspace.root / "chain.pem").write_text("not a certificate")
    with pytest.raises(InvalidInput, match=said):
        Certificates.of(workspace, Settings(**given))  # type: ignore[arg-type]
    assert Certificates.of(workspace, Settings()) is None
