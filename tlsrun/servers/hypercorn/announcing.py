"""Alt-Svc: where clients find HTTP/3, in answers to those who can reach it there."""

from __future__ import annotations

import functools

from tlsrun.proxies.peers import Peers
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.wsgi.forwarded import parse_host

#: Seconds for which a client may remember it; a day is the default of RFC 7838, section 3.1.
_MAX_AGE = 86400


class Announcement:
    """What stands in Alt-Svc (RFC 9114, section 3.1.1), for whom.

    A client is told the port that it has come to itself, by its Host: where a container's port is published under
    another number, the one of TCP and the one of UDP are. A client of a trusted proxy is told nothing: it has to do
    with the proxy, which might have no UDP at that port, or somebody else's.

    Arguments:
        port: where HTTP/3 is spoken, by UDP; 0 for nowhere.
        trusted: the proxies.
    """

    def __init__(self, port: int, trusted: Peers) -> None:
        self._port = port
        self._trusted = trusted

    def to(self, line: Line, host: str) -> bytes | None:
        """The header's value.

        Arguments:
            line: the connection that a request came over.
            host: the request's Host, or ``:authority``.

        Returns:
            None where nothing is to be said.
        """
        if not self._port or line.peer[0] in self._trusted:
            return None
        return _value(host, self._port)


@functools.lru_cache(maxsize=256)
def _value(host: str, port: int) -> bytes:
    """As in the header; the port is that of ``host``, and ``port`` where that is no host."""
    asked = parse_host(host)
    return b'h3=":%d"; ma=%d' % (port if asked is None else asked[1] or 443, _MAX_AGE)
