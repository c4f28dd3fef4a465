"""The server to ask: the address to connect to, and the name that clients use."""

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
    """A server as a client sees it.

    Arguments:
        host: the name for SNI, verification and the Host header; an IP address without brackets.
        port: the port of HTTPS.
        address: where to connect, if that is not ``host``.
        path: the page to request.
        http_port: the port that should redirect plain HTTP; None if no redirect is expected.
    """

    host: str
    port: int
    address: str | None = None
    path: str = "/"
    http_port: int | None = None

    @property
    def connect_to(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.address or self.host, self.port

    @property
    def authority(self) -> str:
        """The value for the Host header, without the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"https://{self.authority}"

    @property
    def is_address(self) -> bool:
        """Whether ``host`` is an IP address, which SNI does not allow (RFC 6066, section 3)."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def target_of_url(text: str) -> ProbeTarget:
    """The server that the user names: ``https://example.org`` or ``example.org:8443``.

    Raises:
        ConfigurationError: it is not an https URL.
    """
    parts = urllib.parse.urlsplit(text if "//" in text else f"https://{text}")
    try:
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        host, port = None, 0
    if parts.scheme != "https" or not host or not port:
        remedy = "Write it as https://example.org or https://127.0.0.1:5000"
        raise ConfigurationError.of(where="--url", what=f"{text!r} is no https URL", remedy=remedy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ProbeTarget(host=host, port=port, path=path, http_port=80 if port == 443 else None)


def target_of_settings(endpoint: Endpoint, identity: Identity | None, redirect_port: int | None) -> ProbeTarget:
    """The configured server on this machine, addressed by a name in its certificate.

    Arguments:
        endpoint: where it listens.
        identity: the certificate; None if there is none yet.
        redirect_port: the setting.
    """
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- keys
    address = loopback.get(endpoint.host, endpoint.host)
    host = address
    if identity is not None and identity.names and not identity.covers(address):
        host = identity.names[0].replace("*.", "www.")
    return ProbeTarget(host=host, port=endpoint.port, address=address, http_port=redirect_port)


class Deadline:
    """A point in time by which something must be done.

    Arguments:
        seconds: how far away it is.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left; at least 0.01, since a socket takes 0 for non-blocking."""
        return max(0.01, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end
