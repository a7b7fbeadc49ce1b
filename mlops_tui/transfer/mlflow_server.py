"""An MLflow tracking server, asked over its REST API."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable

API = "/api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_TRIES = 3
_CHUNK = 1 << 20


class Server:
    """Requests over one kept connection. $MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD, say who asks."""

    def __init__(self, url: str, *, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(f"'{url}' is no address of a server.", hint="Write it as http://host:5000.")
        self._url = url
        self._base = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            port = parts.port
        except ValueError:
            raise InvalidInput(f"'{url}' has no valid port.") from None
        self._connection = kind(parts.hostname, port, timeout=timeout_s)
        self._headers = _identity(os.environ)

    def get(self, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON of a call below the API's root."""
        query = f"?{urlencode(fields, doseq=True)}" if fields else ""
        return _json(self.ask("GET", f"{API}{path}{query}"), path)

    def post(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Like `get`, with a body."""
        body = json.dumps(fields).encode()
        return _json(self.ask("POST", API + path, body, {"Content-Type": "application/json"}), path)

    def pages(self, read: Callable[[str], dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
        """The items of all pages: `read` is called with each page's token."""
        token = ""
        while True:
            page = read(token)
            yield from page.get(name) or []
            token = page.get("next_page_token") or ""
            if not token:
                return

    def list_files(self, folder: str) -> Iterator[tuple[str, int]]:
        """(path, size) of every file below a folder of the artifact proxy."""
        answer = _json(self.ask("GET", f"{PROXY}?{urlencode({'path': folder})}"), folder)
        for item in answer.get("files") or []:
            # Names come from the server: only a last part is believed.
            path = f"{folder}/{str(item['path']).rsplit('/', 1)[-1]}"
            if item.get("is_dir"):
                yield from self.list_files(path)
            else:
                yield path, int(item.get("file_size") or 0)

    def download(self, path: str, to: Path) -> int:
        """Bytes of a file of the artifact proxy, written to `to`."""
        return self.fetch(f"{PROXY}/{quote(path)}", to)

    def fetch(self, address: str, to: Path) -> int:
        """Bytes behind an address of this server, written to `to`."""
        size = 0
        with to.open("wb") as file:

            def take(answer: http.client.HTTPResponse) -> bytes:
                nonlocal size
                file.seek(0)
                file.truncate()
                size = 0
                while chunk := answer.read(_CHUNK):
                    size += file.write(chunk)
                return b""

            self.ask("GET", address, take=take)
        return size

    def upload(self, path: str, source: Path) -> None:
        """Send a file to the artifact proxy."""
        self.ask("PUT", f"{PROXY}/{quote(path)}", source, {"Content-Type": "application/octet-stream"})

    def ask(
        self,
        method: str,
        address: str,
        body: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
        take: Callable[[http.client.HTTPResponse], bytes] | None = None,
    ) -> bytes:
        """The answer's body. A broken connection and an overloaded server are tried again; raises one of the five kinds."""
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(0.5 * attempt)
            try:
                status, data = self._once(
                    method, self._base + address, body, {**self._headers, **(headers or {})}, take
                )
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                problem = f"{type(error).__name__}: {error}"
                continue
            if status < 300:
                return data
            problem = _message(data) or f"status {status}"
            if status not in (429, 500, 502, 503, 504):
                kind = {404: NotFound, 401: NotAllowed, 403: NotAllowed}.get(status, InvalidInput)
                raise kind(f"{self._url} answered {status}: {problem}")
        raise Unavailable(
            f"{self._url} does not answer: {problem}.", hint="Is the server running, and is this its address?"
        )

    def _once(
        self,
        method: str,
        address: str,
        body: bytes | Path | None,
        headers: dict[str, str],
        take: Callable[[http.client.HTTPResponse], bytes] | None,
    ) -> tuple[int, bytes]:
        if isinstance(body, Path):
            with body.open("rb") as file:
                length = str(os.fstat(file.fileno()).st_size)
                self._connection.request(method, address, file, {**headers, "Content-Length": length})
                answer = self._connection.getresponse()
        else:
            self._connection.request(method, address, body, headers)
            answer = self._connection.getresponse()
        if take is not None and answer.status < 300:
            return answer.status, take(answer)
        return answer.status, answer.read()

    def close(self) -> None:
        self._connection.close()


def _identity(env: Mapping[str, str]) -> dict[str, str]:
    if token := env.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := env.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{env.get('MLFLOW_TRACKING_PASSWORD', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"The server's answer to {what} is no JSON object.", hint="Is it an MLflow server?")
    return found


def _message(data: bytes) -> str:
    try:
        said = json.loads(data)
        return " ".join(f"{said.get('error_code', '')} {said.get('message', '')}".split())[:300]
    except (ValueError, AttributeError):
        return ""


def proxied(uri: str) -> str | None:
    """The path of an artifact address within the proxy, or None when the bytes lie elsewhere."""
    parts = urlsplit(uri)
    path = unquote(parts.path).strip("/")
    if parts.scheme == "mlflow-artifacts":
        return path
    if parts.scheme in ("http", "https") and PROXY.strip("/") in path:
        return path.partition(PROXY.strip("/"))[2].strip("/")
    return None
