"""A small HTTP client for `mlops predict`: rows out in pieces, predictions back in one document."""

from __future__ import annotations

import csv
import http.client
import io
import json
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from mlops_tui.cli.output import Progress
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable

# Keeps a request far below the gateway's body limit and shows progress.
PIECE = 1000
_KINDS = {400: InvalidInput, 401: NotAllowed, 403: NotAllowed, 404: NotFound, 413: InvalidInput, 415: InvalidInput}


class Asker:
    """One kept-alive connection to the gateway at `base_url`, for one deployment.

    `token` is sent where there is one; `certificate` is trusted beside what this machine trusts.
    """

    def __init__(
        self, base_url: str, name: str, *, token: str = "", certificate: Path | None = None, timeout_s: float = 120.0
    ) -> None:
        place = urlsplit(base_url)
        self._base_url = base_url
        self._path = f"/deployments/{quote(name, safe='')}/invocations"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        host, port = place.hostname or "127.0.0.1", place.port
        if place.scheme == "https":
            trust = ssl.create_default_context()
            if certificate is not None:
                trust.load_verify_locations(certificate)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=trust
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def rows(self, rows: list[dict[str, Any]], report: Progress) -> dict[str, Any]:
        """Return predictions, their ids and the versions that made them, for rows given as objects."""
        pieces = [rows[start : start + PIECE] for start in range(0, len(rows), PIECE)]
        bodies = [json.dumps({"dataframe_records": piece}).encode() for piece in pieces]
        return self._all(bodies, "application/json", len(rows), report)

    def csv(self, lines: list[list[str]], report: Progress) -> dict[str, Any]:
        """Do the same for the lines of a CSV file, its header first."""
        head, *rest = lines
        bodies = []
        for start in range(0, len(rest), PIECE):
            text = io.StringIO(newline="")
            csv.writer(text).writerows([head, *rest[start : start + PIECE]])
            bodies.append(text.getvalue().encode())
        return self._all(bodies, "text/csv", len(rest), report)

    def _all(self, bodies: list[bytes], kind: str, total: int, report: Progress) -> dict[str, Any]:
        predictions: list[Any] = []
        ids: list[str] = []
        versions: set[int] = set()
        for body in bodies:
            answer, version = self._ask(body, kind)
            predictions += answer["predictions"]
            ids += answer["prediction_ids"]
            versions.add(version)
            report(len(ids), total, "")
        return {"predictions": predictions, "prediction_ids": ids, "versions": sorted(versions)}

    def _ask(self, body: bytes, kind: str) -> tuple[dict[str, Any], int]:
        try:
            self._connection.request("POST", self._path, body, {"content-type": kind, **self._headers})
            response = self._connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ssl.SSLError):
                text = f"The certificate of {self._base_url} is not trusted: {error.reason or error}."
                raise Unavailable(text, hint="It must name the host; SSL_CERT_FILE adds an authority.") from error
            raise Unavailable(
                f"No gateway answers on {self._base_url}.",
                hint="Start it: mlops daemon start, or mlops serve inference",
            ) from error
        if response.status != 200:
            error_kind = _KINDS.get(response.status, Unavailable)
            raise error_kind(str(answer.get("error", response.reason)), hint=str(answer.get("hint", "")))
        return answer, int(response.getheader("x-model-version") or 0)
