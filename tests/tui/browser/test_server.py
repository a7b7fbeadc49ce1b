"""The application in a browser: who gets in, who does not, and what a real browser shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.workspace import Workspace

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")
from aiohttp import web  # noqa: E402

from mlops_tui.tui.browser.server import HOST, MOST_TABS, Door, command  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(line: str) -> AsyncIterator[Door]:
    """A door that is open, and closed at the end."""
    door = Door(line, free_port())
    runner = web.AppRunner(await door._make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, door.port).start()
    try:
        yield door
    finally:
        await runner.cleanup()


async def test_only_the_secret_address_on_this_machine_answers() -> None:
    async with serving("true") as door, aiohttp.ClientSession() as client:

        async def status(url: str, **headers: str) -> int:
            async with client.get(url, headers=headers) as answer:
                return int(answer.status)

        base = f"http://{HOST}:{door.port}"
        assert await status(door.url) == 200
        assert await status(door.url.replace(HOST, "localhost")) == 200
        assert await status(f"{base}/") == 404
        assert await status(f"{base}/{'x' * 32}/") == 404
        assert await status(f"{base}/static/js/textual.js") == 404
        assert await status(f"{door.url}static/js/textual.js") == 200
        assert await status(door.url, Host="evil.example") == 403
        assert await status(door.url, Host=f"evil.example:{door.port}") == 403
        assert await status(door.url, Origin="http://evil.example") == 403
        assert await status(door.url, Origin=f"http://{HOST}:{door.port + 1}") == 403
        assert await status(door.url, Origin=base) == 200


async def test_the_websocket_wants_our_own_origin() -> None:
    async with serving("true") as door, aiohttp.ClientSession() as client:
        url = f"{door.url}ws"
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url, headers=headers)
            assert refused.value.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(
                url.replace(door.token, "guessed"), headers={"Origin": f"http://{HOST}:{door.port}"}
            )
        assert refused.value.status == 404
        door._open = MOST_TABS
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(url, headers={"Origin": f"http://{HOST}:{door.port}"})
        assert refused.value.status == 503


async def test_the_page_asks_nobody_else_and_gives_the_address_to_nobody() -> None:
    async with serving("true") as door, aiohttp.ClientSession() as client, client.get(door.url) as answer:
        text = await answer.text()
        assert "//fonts" not in text
        assert "https://" not in text
        assert f"ws://{HOST}:{door.port}/{door.token}/ws" in text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_tokens_are_long_and_differ_and_only_loopback_is_listened_to() -> None:
    first, second = Door("true", 1), Door("true", 1)
    assert first.token != second.token
    assert len(first.token) >= 32
    assert first.host == "127.0.0.1"


def test_the_process_behind_a_tab_is_the_same_command(tmp_path: Path) -> None:
    line = command(tmp_path / "my shop", "run/3f2", read_only=True)
    assert line.startswith(f"exec {sys.executable}")
    assert line.endswith(f"'{tmp_path / 'my shop'}' tui run/3f2 --read-only")


def test_without_the_extra_the_command_says_how_to_get_it(blank: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    done = CliRunner().invoke(cli, ["-w", str(blank.root), "web"])
    assert isinstance(done.exception, Unavailable)
    assert "mlops-tui[web]" in done.exception.hint


@pytest.mark.e2e
@pytest.mark.slow
async def test_a_tab_shows_the_application_and_takes_keys(filled: Workspace) -> None:
    async with serving(command(filled.root, "registry")) as door, aiohttp.ClientSession() as client:
        url, origin = f"{door.url}ws?width=100&height=30", f"http://{HOST}:{door.port}"
        async with client.ws_connect(url, headers={"Origin": origin}) as tab:
            await until(tab, b"hire")
            await tab.send_json(["stdin", "6"])
            await until(tab, b"bikes")
            assert door._open == 1
        async with asyncio.timeout(10):
            while door._open:
                await asyncio.sleep(0.1)


async def until(tab: Any, wanted: bytes) -> None:
    """Read what the application draws until a word is in it."""
    seen = b""
    async with asyncio.timeout(60):
        while wanted not in seen:
            message = await tab.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), seen
            seen += message.data if isinstance(message.data, bytes) else message.data.encode()


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
async def test_chromium_draws_the_application(filled: Workspace, tmp_path: Path) -> None:
    async with serving(command(filled.root, "registry")) as door, aiohttp.ClientSession() as client:
        port = free_port()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-allow-origins=*", "--window-size=1200,800"]
        browser = subprocess.Popen(
            [str(CHROMIUM), *options, f"--remote-debugging-port={port}", f"--user-data-dir={tmp_path / 'b'}", door.url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(90):
                page = await first_page(client, port)
                async with client.ws_connect(page, max_msg_size=0) as wire:
                    while "-first-byte" not in await evaluate(wire, "document.body.className"):
                        await asyncio.sleep(0.3)
                    assert "no" in await evaluate(wire, "document.body.classList.contains('-closed') ? 'yes' : 'no'")
                    assert int(await evaluate(wire, "String(document.querySelectorAll('canvas').length)")) > 0
        finally:
            browser.terminate()
            browser.wait()


async def first_page(client: Any, port: int) -> str:
    """Where the first page of the browser is steered."""
    while True:
        try:
            async with client.get(f"http://{HOST}:{port}/json") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.3)


async def evaluate(wire: Any, expression: str) -> str:
    """A string that the page computes."""
    await wire.send_str(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": {"expression": expression}}))
    while True:
        found = await wire.receive_json()
        if found.get("id") == 1:
            return str(found["result"]["result"].get("value", ""))
