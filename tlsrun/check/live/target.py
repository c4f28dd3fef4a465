"""What is asked: an address to connect to, and the name that a client would use."""

from __future__ import annotations

import ipaddress
import time
import urllib.parse
from dataclasses import dataclass

from tlsrun.certificates.identity import Identity
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class ProbeTarget:
    """A server, as a client sees it.

    Arguments:
        host: the name for SNI, for verification and in the request; an address without brackets.
        port: of HTTPS.
        address: where to connect, when that is not ``host``.
        path: the page that is asked for.
        http_port: where plain HTTP should be redirected; None when nobody expects that.
    """

    host: str
    port: int
    address: str | None = None
    path: str = "/"
    http_port: int | None = None

    @property
    def connect_to(self) -> tuple[str, int]:
        """Host and port of the connection."""
        return self.address or self.host, self.port

    @property
    def authority(self) -> str:
        """As it stands in a Host header, the usual port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Scheme and authority."""
        return f"https://{self.authority}"

    @property
    def is_address(self) -> bool:
        """Whether ``host`` is an address, which no SNI may carry (RFC 6066, section 3)."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def target_of_url(text: str) -> ProbeTarget:
    """The server that a person names: ``https://example.org``, ``example.org:8443``.

    Raises:
        ConfigurationError: it is no https URL.
    """
    parts = urllib.parse.urlsplit(text if "//" in text else f"https://{text}")
    try:
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        host, port = None, 0
    if parts.scheme != "https" or not host or not port:
        what, remedy = (
            f"{text!r} is no https URL",
            "Write it as https://example.org or https://127.0.0.1:5000",
        )
        raise ConfigurationError.of(where="--url", what=what, remedy=remedy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ProbeTarget(host=host, port=port, path=path, http_port=80 if port == 443 else None)


def target_of_settings(endpoint: Endpoint, identity: Identity | None, redirect_port: int | None) -> ProbeTarget:
    """The server that is configured, connected to on this machine, by a name that its certificate is for.

    Arguments:
        identity: the certificate; None when there is none yet.
    """
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- keys
    address = loopback.get(endpoint.host, endpoint.host)
    host = address
    if identity is not None and identity.names and not identity.covers(address):
        host = identity.names[0].replace("*.", "www.")
    return ProbeTarget(host=host, port=endpoint.port, address=address, http_port=redirect_port)


class Deadline:
    """A moment that everything of one kind must be over by.

    Arguments:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; never so few that a socket takes them for "do not wait"."""
        return max(0.01, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end
