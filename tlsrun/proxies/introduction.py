"""The PROXY header at the beginning of a connection: from whom one is awaited, and how it is taken off the wire."""

from __future__ import annotations

import socket
from typing import Any

from tlsrun.proxies.proxy_protocol import CHUNK, Introduction, parse


def is_introduced(context: Any, peer: Any) -> bool:
    """Whether a connection begins with a PROXY header.

    Arguments:
        context: a `ServerContext`; others know of no proxies.
        peer: who has made the connection, an address as the socket module has it.
    """
    introducers = getattr(context, "introducers", None)
    return bool(introducers and (peer[0] if isinstance(peer, tuple) else "") in introducers)


def take(sock: socket.socket, data: bytes) -> tuple[bytes, Introduction | None]:
    """Take what is there of a header, and not one byte of what follows it.

    Arguments:
        sock: read as it is, past any TLS.
        data: what was taken before.

    Returns:
        what is taken now, and the header as soon as it is whole.

    Raises:
        ConnectionResetError: the connection ends.
        Malformed: it is no header.
        OSError: as the socket module's.
    """
    chunk = socket.socket.recv(sock, CHUNK, socket.MSG_PEEK)
    if not chunk:
        raise ConnectionResetError("closed before a PROXY header was whole")
    found = parse(data + chunk)
    size = len(chunk) if found is None else found.size - len(data)
    return data + socket.socket.recv(sock, size), found
