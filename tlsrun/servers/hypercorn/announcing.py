"""Alt-Svc: tells clients where to find HTTP/3, if they can reach it there."""

from __future__ import annotations

import functools

from tlsrun.proxies.peers import Peers
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.wsgi.forwarded import parse_host

#: Seconds for which a client may cache it; a day is the default of RFC 7838, section 3.1.
_MAX_AGE = 86400


class Announcement:
    """The Alt-Svc header (RFC 9114, section 3.1.1), and which clients get it.

    The port in it is the one in the request's Host, not ours: if a container's port is published under another number,
    that is so for UDP as for TCP. Clients behind a trusted proxy get no header: they talk to the proxy, whose UDP port
    of that number may be closed, or belong to another service.

    Arguments:
        port: UDP port of HTTP/3; 0 if HTTP/3 is not served.
        trusted: addresses of the trusted proxies.
    """

    def __init__(self, port: int, trusted: Peers) -> None:
        self._port = port
        self._trusted = trusted

    def to(self, line: Line, host: str) -> bytes | None:
        """Return the header's value.

        Arguments:
            line: the connection of the request.
            host: the request's Host, or ``:authority``.

        Returns:
            None for no header.
        """
        if not self._port or line.peer[0] in self._trusted:
            return None
        return _value(host, self._port)


@functools.lru_cache(maxsize=256)
def _value(host: str, port: int) -> bytes:
    """Format the header, with the port in ``host``; with ``port`` if ``host`` is invalid."""
    asked = parse_host(host)
    return b'h3=":%d"; ma=%d' % (port if asked is None else asked[1] or 443, _MAX_AGE)
