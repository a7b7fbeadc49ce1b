"""Secrets: for their owner's eyes, filled in where they are named."""

from __future__ import annotations

import stat

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.secrets import Secrets


def test_a_secret_lies_in_a_file_that_only_its_owner_reads(workspace):
    secrets = Secrets(workspace, env={})
    secrets.put("SMTP_PASSWORD", "hush\n")
    assert secrets.get("SMTP_PASSWORD") == "hush"
    file = workspace.root / "secrets" / "SMTP_PASSWORD"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert secrets.names() == ["SMTP_PASSWORD"]


def test_the_environment_counts_first(workspace):
    secrets = Secrets(workspace, env={"MLOPS_SECRET_KEY": "outer"})
    secrets.put("KEY", "inner")
    assert secrets.get("KEY") == "outer"


def test_texts_are_filled_and_what_is_missing_is_named_with_the_nearest(workspace):
    secrets = Secrets(workspace, env={})
    secrets.put("TOKEN", "t0p")
    assert secrets.fill("Bearer {TOKEN}, {lower} stays") == "Bearer t0p, {lower} stays"
    with pytest.raises(NotFound) as caught:
        secrets.fill("{TOKEM}")
    assert "TOKEN" in caught.value.hint


def test_a_removed_secret_is_gone(workspace):
    secrets = Secrets(workspace, env={})
    secrets.put("A", "x")
    secrets.remove("A")
    with pytest.raises(NotFound):
        secrets.get("A")
    with pytest.raises(NotFound):
        secrets.remove("A")


@pytest.mark.parametrize(("name", "value"), [("lower", "x"), ("../A", "x"), ("", "x"), ("A", " "), ("A", "")])
def test_what_cannot_be_a_secret_is_refused(workspace, name, value):
    with pytest.raises(InvalidInput):
        Secrets(workspace, env={}).put(name, value)
    assert not (workspace.root / "secrets").exists()
