"""WSGI's variables from Hypercorn's description of a request; purely."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from tlsrun.proxies.peers import unmapped


@dataclass(frozen=True)
class Line:
    """The connection that a request came over.

    Arguments:
        tls: what its facts are read from.
        peer: the client's address and port.
        here: the address and port that it came to.
    """

    tls: Any
    peer: tuple[str, int]
    here: tuple[str, int]


def variables(scope: Any, line: Line) -> dict[str, Any]:
    """The part of environ that differs from request to request.

    Arguments:
        scope: as in ASGI's specification, "HTTP connection scope".
    """
    return {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(path_of(scope["raw_path"])).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": unmapped(line.here[0]),
        "SERVER_PORT": str(line.here[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": unmapped(line.peer[0]),
        "REMOTE_PORT": str(line.peer[1]),
        **headers(scope["headers"]),
    }


def path_of(target: bytes) -> bytes:
    """The path of a request's target, which a client may send in its absolute form (RFC 9112, section 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        return b"/" + rest.partition(b"/")[2]
    return target


def headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Request headers under CGI's names (RFC 3875, section 4.1.18); several of one name in one value.

    Names with an underscore are left out: they would be mistaken for those with a dash, which others may vouch for.
    """
    found: dict[str, str] = {}
    for name, value in fields:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in found:
            # HTTP/2 and HTTP/3 send a cookie in parts (RFC 9113, section 8.2.3).
            text = found[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        found[key] = text
    return found
