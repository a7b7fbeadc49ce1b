"""TLS of the gateway: two PEM files, checked before the start and read again when they are renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.core.workspace import Workspace

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger("mlops.inference")


class Certificates:
    """A certificate chain and its key."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, key)
        self._stamp = self._now()

    @classmethod
    def of(cls, workspace: Workspace, settings: ServingSettings) -> Certificates | None:
        """What the settings name, None when they name none. Raises InvalidInput for files that cannot be used."""
        if not settings.certificate and not settings.key:
            return None
        if not settings.certificate or not settings.key:
            raise InvalidInput("TLS needs both serving.certificate and serving.key.", hint="Name two PEM files.")
        return cls(workspace.root / settings.certificate, workspace.root / settings.key)

    @property
    def options(self) -> dict[str, Any]:
        """What uvicorn wants to know."""
        return {"ssl_certfile": str(self._chain), "ssl_keyfile": str(self._key)}

    def reload(self, server: uvicorn.Server) -> None:
        """Use renewed files for new connections; those that cannot be read leave the old ones in use."""
        if self._now() == self._stamp or server.config.ssl is None:
            return
        self._stamp = self._now()
        try:
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._chain, self._key)
            _load(server.config.ssl, self._chain, self._key)
            logger.info("took the renewed certificate")
        except InvalidInput as error:
            logger.error("the certificate is as before: %s", error.message)

    def _now(self) -> tuple[int, ...]:
        try:
            return tuple(path.stat().st_mtime_ns for path in (self._chain, self._key))
        except FileNotFoundError:
            return ()


def _load(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    try:
        context.load_cert_chain(chain, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if type(error) is FileNotFoundError else str(error)
        raise InvalidInput(
            f"The certificate {chain} with the key {key} cannot be used: {reason}.", hint="Both must be PEM files."
        ) from error
