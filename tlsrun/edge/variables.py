"""The uwsgi protocol's packet: CGI variables for a worker (uwsgi-docs, "The uwsgi Protocol")."""

from __future__ import annotations

from collections.abc import Mapping

from tlsrun.http1.refusal import Refused


def sized(data: bytes) -> bytes:
    """``data`` after its length in 16 bits, little endian."""
    return len(data).to_bytes(2, "little") + data


def pair(name: bytes, value: bytes) -> bytes:
    """One variable: name and value, each after its length."""
    return b"".join((len(name).to_bytes(2, "little"), name, len(value).to_bytes(2, "little"), value))


def pairs(variables: Mapping[str, str]) -> bytes:
    """Variables in order; values are bytes as characters (latin-1, PEP 3333), others are sent as UTF-8."""
    return b"".join(pair(name.encode("ascii"), _bytes(value)) for name, value in variables.items())


def _bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def packet(connection: bytes, request: bytes, length: int | None, limit: int) -> bytes:
    """A WSGI request's packet (modifiers 0 and 0).

    Arguments:
        connection: variables of the connection; first, so that no number of headers can push them out.
        request: variables of the request.
        length: of the body, for CONTENT_LENGTH; None without one.
        limit: bytes of all variables.

    Raises:
        Refused: 431, more than ``limit``.
    """
    last = b"" if length is None else pair(b"CONTENT_LENGTH", b"%d" % length)
    size = len(connection) + len(request) + len(last)
    if size > limit:
        raise Refused(431, f"The request's headers are larger than {limit} bytes with what is added to them.")
    return b"".join((b"\0", size.to_bytes(2, "little"), b"\0", connection, request, last))


def connection_variables(*, server: tuple[str, int], peer: tuple[str, int], facts: Mapping[str, str]) -> bytes:
    """The variables that are the same for every request of a connection, and that no request can change.

    They come first in the packet. HTTPS and UWSGI_SCHEME make ``wsgi.url_scheme`` https.

    Arguments:
        server: SERVER_NAME and SERVER_PORT.
        peer: REMOTE_ADDR and REMOTE_PORT.
        facts: variables about the TLS connection, by mod_ssl's names.
    """
    return pairs(
        {
            "REMOTE_ADDR": peer[0],
            "REMOTE_PORT": str(peer[1]),
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "UWSGI_SCHEME": "https",
            "SCRIPT_NAME": "",
            **facts,
            "HTTPS": "on",
        }
    )
