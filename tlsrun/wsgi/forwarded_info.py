"""What a trusted proxy's forwarded headers say about the client: header values in, one `ForwardedInfo` out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlsrun.proxies.peers import Peers
from tlsrun.wsgi import forwarded
from tlsrun.wsgi.forwarded import Hop


@dataclass(frozen=True, kw_only=True)
class ForwardedInfo:
    """About the client; None for whatever the headers do not say.

    Arguments:
        client: where it comes from.
        scheme: ``http`` or ``https``.
        host: which it asked for, IPv6 in brackets.
        port: which it asked.
        prefix: the path below which the application is.
    """

    client: Hop | None = None
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    prefix: str | None = None


def read(values: Mapping[str, str], peers: Peers) -> ForwardedInfo:
    """Read the headers of a trusted peer.

    Arguments:
        values: by their names in small letters; those that are believed and no others.
        peers: who is trusted, further on.
    """
    client, scheme, host, port = _forwarded(values.get("forwarded", ""), peers)
    if client is None:
        client = _client(values, peers)
    if "cf-visitor" in values:
        # Before X-Forwarded-Proto: where another proxy stands behind Cloudflare, that one is about Cloudflare.
        scheme = scheme or forwarded.parse_visitor(values["cf-visitor"])
    scheme = scheme or forwarded.parse_scheme(values.get("x-forwarded-proto", ""))
    if host is None and (named := forwarded.parse_host(values.get("x-forwarded-host", ""))) is not None:
        host, port = named
    if port is None:
        port = forwarded.parse_port(values.get("x-forwarded-port", ""))
    prefix = forwarded.parse_prefix(values["x-forwarded-prefix"]) if "x-forwarded-prefix" in values else None
    return ForwardedInfo(client=client, scheme=scheme, host=host, port=port, prefix=prefix)


def _forwarded(value: str, peers: Peers) -> tuple[Hop | None, str | None, str | None, int | None]:
    """The element of the proxy to which the client itself connected; all proxies from there on are trusted."""
    elements = forwarded.parse_forwarded(value) if value else []
    if not elements:
        return None, None, None, None
    found = forwarded.walk([element.get("for", "") for element in elements], peers)
    element = elements[found[0]] if found else elements[-1]
    host = forwarded.parse_host(element.get("host", ""))
    scheme = forwarded.parse_scheme(element.get("proto", ""))
    return found[1] if found else None, scheme, *(host or (None, None))


def _client(values: Mapping[str, str], peers: Peers) -> Hop | None:
    if "x-forwarded-for" in values:
        found = forwarded.walk(forwarded.split_list(values["x-forwarded-for"]), peers)
        return found[1] if found else None
    return forwarded.parse_node(values.get("cf-connecting-ip", ""))
