"""WSGI environ variables from Hypercorn's ASGI scope of a request; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from tlsrun.http1.head import split_target
from tlsrun.http1.variables import variables as header_variables
from tlsrun.proxies.peers import unmapped


@dataclass(frozen=True)
class Line:
    """The connection that a request came over.

    Arguments:
        tls: the object that the facts about its TLS are read from.
        peer: the client's address and port.
        here: the local address and port.
    """

    tls: Any
    peer: tuple[str, int]
    here: tuple[str, int]


def variables(scope: Any, line: Line) -> dict[str, Any]:
    """Return the part of environ that differs between requests.

    Arguments:
        scope: the ASGI specification's "HTTP connection scope".

    Raises:
        Refused: 400, the request target is invalid; Hypercorn's own protocols accept any.
    """
    path, host = scope["raw_path"], None
    if path[:1] != b"/":
        _, host, path, *_ = split_target(scope["method"].encode("latin-1"), path, None)
    found = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": unmapped(line.here[0]),
        "SERVER_PORT": str(line.here[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": unmapped(line.peer[0]),
        "REMOTE_PORT": str(line.peer[1]),
        **header_variables(scope["headers"]),
    }
    if host is not None:
        found["HTTP_HOST"] = host.decode("latin-1")
    if "CONTENT_LENGTH" not in found and any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        # For Bottle (`tlsrun.wsgi.chunked`); the middleware removes it.
        found["HTTP_TRANSFER_ENCODING"] = "chunked"
    return found
