"""The proxies in front of the application, and how their headers are applied to environ.

From a trusted peer the trusted headers are read and written to the usual variables: REMOTE_ADDR, HTTP_HOST,
SERVER_NAME, SERVER_PORT, SCRIPT_NAME, ``wsgi.url_scheme``, HTTPS and SSL_CLIENT_…. Forwarded headers are then removed,
as they are from every other peer. The previous values are kept under `ORIGINAL`.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tlsrun.proxies.peers import Peers, address
from tlsrun.settings.proxies import CERTIFICATE_HEADERS, DEFAULT, spell
from tlsrun.wsgi.client_header import COMPANIONS, certificate_facts
from tlsrun.wsgi.facts import ConnectionFacts
from tlsrun.wsgi.forwarded_info import ForwardedInfo, read
from tlsrun.wsgi.proxy_headers import variable, variables_to_remove

_log = logging.getLogger("tlsrun.proxy")

Environ: TypeAlias = dict[str, Any]

#: The key in environ for the previous values: variable -> value; None for one that did not exist.
ORIGINAL = "tlsrun.proxy.original"

_PORTS = {"http": 80, "https": 443}
#: Ports that contradict the scheme. A proxy that reports one mixes two connections, and only the scheme is the
#: client's: ingress-nginx behind a load balancer that terminates TLS reports https and 80, the port that the balancer
#: connects to.
_CONTRADICTIONS = frozenset((("https", 80), ("http", 443)))


@dataclass(frozen=True, kw_only=True)
class Front:
    """The proxies in front.

    Arguments:
        peers: the trusted proxies.
        headers: the headers that the nearest proxy sets, in lower case.
        exempt: paths that are not redirected to https; ``/x/*`` means ``/x`` and everything below it.
        hosts: host names to redirect; empty for every name that a trusted proxy passes on.
        hsts: ``max-age`` of Strict-Transport-Security, in seconds; 0 for none.
        holds_back: whether the nearest proxy may be nginx, which buffers responses (`tlsrun.wsgi.events`).
    """

    peers: Peers = Peers()
    headers: frozenset[str] = frozenset(DEFAULT)
    exempt: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hsts: int = 0
    holds_back: bool = False

    @functools.cached_property
    def trusts(self) -> bool:
        """Whether any proxy is trusted; cached, since it is read for each request."""
        return bool(self.peers)


NOBODY = Front()


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a trusted proxy has reported of its client.

    Arguments:
        scheme: ``http`` or ``https``; None if the proxy does not tell.
        certificate: the facts of its certificate; None if no such header is trusted.
    """

    scheme: str | None
    certificate: ConnectionFacts | None

    def facts(self, connection: ConnectionFacts) -> ConnectionFacts:
        """The facts of the request: the client's if the proxy reports them, otherwise those of our connection."""
        facts = ConnectionFacts(connection)
        if self.scheme == "https":
            facts["HTTPS"] = "on"
        elif self.scheme == "http":
            facts.pop("HTTPS", None)
        if self.certificate is not None:
            facts = ConnectionFacts(
                {name: value for name, value in facts.items() if not name.startswith("SSL_CLIENT_")}
            )
            facts.update(self.certificate)
        return facts


def hear(environ: Environ, front: Front) -> Heard | None:
    """Remove forwarded headers from ``environ``, and apply those of a trusted peer.

    Returns:
        None if the peer is not trusted.
    """
    peer = environ.get("REMOTE_ADDR") or ""
    trusted = front.trusts and peer in front.peers
    removed = variables_to_remove(environ, trusted=trusted)
    if not removed and not trusted:
        return None
    taken: dict[str, Any] = {name: environ.pop(name) for name in sorted(removed)}
    environ[ORIGINAL] = taken
    if not trusted:
        _forget(environ, taken, front, peer)
        return None
    believed = {name: taken[variable(name)] for name in _with_companions(front.headers) if variable(name) in taken}
    forwarded = read(believed, front.peers)
    _take_back(environ, taken, front)
    _write(environ, forwarded, taken)
    asked = not front.headers.isdisjoint(CERTIFICATE_HEADERS)
    return Heard(scheme=forwarded.scheme, certificate=certificate_facts(believed) if asked else None)


def _with_companions(headers: Iterable[str]) -> set[str]:
    return {name for header in headers for name in (header, *COMPANIONS.get(header, ()))}


def _take_back(environ: Environ, taken: dict[str, Any], front: Front) -> None:
    """Undo what the server itself has applied from headers that nobody should have trusted."""
    if type(environ.get("uwsgi.version")) is bytes and "werkzeug.proxy_fix.orig" not in environ:
        # uWSGI applies X-Forwarded-Proto and X-Forwarded-SSL from anybody.
        scheme = environ.get("UWSGI_SCHEME")
        scheme = scheme if scheme in _PORTS else "http"
    elif front.trusts and "gunicorn.socket" in environ:
        # gunicorn applies the scheme from its forwarded_allow_ips (loopback). With TLS, the facts set https afterwards.
        scheme = "http"
    else:
        return
    if scheme != environ["wsgi.url_scheme"]:
        taken["wsgi.url_scheme"] = environ["wsgi.url_scheme"]
        environ["wsgi.url_scheme"] = scheme


# -- a trusted peer --------------------------------------------------------------------------------------------------


def _write(environ: Environ, forwarded: ForwardedInfo, before: dict[str, Any]) -> None:
    def put(name: str, value: str | None) -> None:
        before.setdefault(name, environ.get(name))
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value

    if forwarded.client is not None:
        put("REMOTE_ADDR", forwarded.client.address)
        put("REMOTE_PORT", str(forwarded.client.port) if forwarded.client.port else None)
        put("REMOTE_HOST", None)
    if forwarded.scheme is not None:
        put("wsgi.url_scheme", forwarded.scheme)
    if forwarded.prefix is not None:
        put("SCRIPT_NAME", forwarded.prefix + environ.get("SCRIPT_NAME", ""))
    if forwarded.host is None and forwarded.port is None and forwarded.scheme is None:
        return
    scheme = environ["wsgi.url_scheme"]
    usual = _PORTS.get(scheme)
    asked = environ.get("HTTP_HOST", "")
    if forwarded.scheme is not None and not forwarded.host and (scheme, _port_of(asked)) in _CONTRADICTIONS:
        asked = asked.rpartition(":")[0]
        put("HTTP_HOST", asked)
    host = forwarded.host or _without_port(asked)
    port = forwarded.port or (None if forwarded.host else _port_of(asked)) or usual
    if (scheme, port) in _CONTRADICTIONS:
        port = usual
    if host and (forwarded.host or forwarded.port):
        put("HTTP_HOST", host if port == usual else f"{host}:{port}")
    if forwarded.host:
        put("SERVER_NAME", forwarded.host)
    if port is not None:
        put("SERVER_PORT", str(port))


def _without_port(host: str) -> str:
    """The host, or nothing if it has a port: the client's own Host with its port is better than anything else."""
    return "" if _port_of(host) is not None else host


def _port_of(host: str) -> int | None:
    _, colon, port = host.rpartition(":")
    return int(port) if colon and port.isascii() and port.isdigit() and len(port) <= 5 else None


# -- everybody else --------------------------------------------------------------------------------------------------


def _forget(environ: Environ, taken: dict[str, Any], front: Front, peer: str) -> None:
    """Leave nothing of an untrusted peer's headers; `taken` gets the previous values."""
    _take_back(environ, taken, front)
    if not front.peers and _is_near(peer) and _first_time():
        names = ", ".join(sorted(spell(name[5:].replace("_", "-").lower()) for name in taken if name[:5] == "HTTP_"))
        _log.warning(
            "%s from %s: removed, as it is no trusted proxy; if it is one, set TLS_TRUSTED_PROXIES to it "
            "(TLSRUN_TRUSTED_PROXIES, --trusted-proxies)",
            names,
            peer or "a Unix socket",
        )


def _is_near(peer: str) -> bool:
    """Whether the peer may be the operator's own proxy; others are not worth a log line."""
    found = address(peer)
    return not peer or isinstance(found, ipaddress.IPv4Address | ipaddress.IPv6Address) and not found.is_global


_warned: list[bool] = []


def _first_time() -> bool:
    """True once in each process."""
    if _warned:
        return False
    _warned.append(True)
    return True
