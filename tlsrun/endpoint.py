"""A TCP address to listen on, and the spelling of a peer's address."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A TCP address to listen on.

    Arguments:
        host: an address or a name; an IPv6 address without brackets.
        port: 1 to 65535, or 0 to let the system choose.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_wildcard(self) -> bool:
        """Whether it listens on every address of the machine."""
        return self.host in ("", "0.0.0.0", "::")  # noqa: S104 -- compared with, not bound to

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET6 for an IPv6 address, otherwise AF_INET."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def authority(self) -> str:
        """``host:port`` for a URL (RFC 3986, section 3.2), with brackets for IPv6."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The https URL to open in a browser, with loopback in place of a wildcard address."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # noqa: S104 -- a key
            self.host, f"[{self.host}]" if ":" in self.host else self.host
        )
        return f"https://{host}" + ("" if self.port == 443 else f":{self.port}")


def spell_peer(peer: Any) -> str:
    """``host:port`` of a peer, with brackets for IPv6; a fixed text for the peer of a Unix socket."""
    if isinstance(peer, tuple) and len(peer) >= 2:
        host, port = peer[0], peer[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return str(peer) if peer else "a local client"
