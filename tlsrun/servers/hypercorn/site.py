"""What Hypercorn's workers inherit from the supervisor."""

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
    """What the workers share, created before the fork.

    Arguments:
        application: the WSGI callable.
        broken: exception class raised to the application for a truncated body.
        certificates: the endpoint's certificates.
        background: renewal, status file and redirect port.
        config: Hypercorn's configuration.
        listeners: the listening sockets; empty if only HTTP/3 is served.
        datagrams: the UDP sockets, one for each worker; empty without HTTP/3.
        post: forwards datagrams of other workers' connections; None without HTTP/3.
        address: host and port of the UDP sockets.
        announcement: the Alt-Svc header.
        handshake_timeout: seconds a client has for its handshake.
        threads: how many requests a worker runs at once.
        workers: number of workers.
        speaks_http1: whether HTTP/1.1 is enabled.
        software: the server's name and version.
        account: the user and group that a worker switches to; None for no switch.
        uvloop: whether to use uvloop.
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
