"""What Hypercorn's workers share, from before their fork."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypercorn.config import Config

from tlsrun.account import Account
from tlsrun.renewal.reload import Certificates
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.broken import Broken
from tlsrun.servers.hypercorn.announcing import Announcement

if TYPE_CHECKING:
    from tlsrun.servers.hypercorn.datagram_forwarder import DatagramForwarder


@dataclass(frozen=True, kw_only=True)
class HypercornWorkerConfig:
    """What the workers share, from before the fork.

    Arguments:
        application: the WSGI callable.
        broken: makes what it is told of a body that breaks off.
        certificates: of the endpoint.
        background: what a worker does besides.
        config: Hypercorn's.
        listeners: the listening sockets; none when HTTP/3 alone is spoken.
        datagrams: the UDP sockets, one for each worker; none without HTTP/3.
        post: passes on datagrams that are another worker's; None without HTTP/3.
        address: where those listen.
        announcement: what clients are told of HTTP/3.
        handshake_timeout: seconds a client has for its handshake.
        threads: requests that a worker answers at once.
        workers: how many there are.
        speaks_http1: whether HTTP/1.1 is spoken.
        software: the server's name and version.
        account: who a worker becomes; None for who started it.
        uvloop: whether the loop is uvloop's.
    """

    application: Callable[..., Any]
    broken: Broken
    certificates: Certificates
    background: BackgroundServices
    config: Config
    listeners: tuple[socket.socket, ...]
    datagrams: tuple[socket.socket, ...]
    post: DatagramForwarder | None
    address: tuple[str, int]
    announcement: Announcement
    handshake_timeout: float
    threads: int
    workers: int
    speaks_http1: bool
    software: str
    account: Account | None
    uvloop: bool
