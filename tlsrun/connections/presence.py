"""Whether the client of a queued request still waits for its answer, checked when the request's turn has come.

A reset can be seen. An end of stream is ambiguous: a client that has closed, and one that has only shut down its
sending side and waits for the answer, look the same, with or without TLS's close_notify, until something is sent to
them. The system of the closed one answers that with a reset. So a client that has shut down its sending side is sent
100 (Continue) as a probe, which every HTTP/1.1 client must be able to ignore (RFC 9110, section 15.2).
"""

from __future__ import annotations

import contextlib
import enum
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

#: The probe; send it whole, before any other byte of the answer.
QUESTION = b"HTTP/1.1 100 Continue\r\n\r\n"

#: Seconds after which a request counts as having waited; one that ran sooner is not checked.
WAITED = 0.01

#: poll(2): only Linux tells the peer's shutdown apart from readable data.
_ENDED: int = getattr(select, "POLLRDHUP", 0)
_INFO: int | None = getattr(socket, "TCP_INFO", None)
_RTT = struct.Struct("=68xI")  # tcpi_rtt, in microseconds, of linux/tcp.h's struct tcp_info
_SLACK, _LONGEST = 0.05, 1.0  # seconds


class ClientGone(ConnectionError):
    """The client closed, reset, or kept us waiting for too long: there is nobody to answer."""


class Presence(enum.Enum):
    """What is known about a client."""

    HERE = "nothing speaks against it"
    ENDED = "it sends nothing more; it may have closed"
    GONE = "its connection is broken"


def has_waited(since: float) -> bool:
    """Whether a request that was ready at ``since`` (time.monotonic) has waited for its turn."""
    return time.monotonic() - since > WAITED


def presence_of(sock: socket.socket) -> Presence:
    """What can be known about the client without sending anything."""
    return _by_poll(sock) if _ENDED else _by_peeking(sock)


def tcp_has_ended(descriptor: int) -> bool:
    """Whether the client's end of the TCP connection has come; true where only a reader could tell (not Linux)."""
    if not _ENDED:
        return True
    poller = select.poll()
    try:
        poller.register(descriptor, _ENDED)
    except ValueError:  # it is closed
        return True
    return bool(poller.poll(0))


def _by_poll(sock: socket.socket) -> Presence:
    poller = select.poll()
    try:
        poller.register(sock, _ENDED)
    except ValueError:  # it is closed
        return Presence.GONE
    events = poller.poll(0)
    if not events:
        return Presence.HERE
    return Presence.GONE if events[0][1] & (select.POLLERR | select.POLLHUP | select.POLLNVAL) else Presence.ENDED


def _by_peeking(sock: socket.socket) -> Presence:
    """Without POLLRDHUP: the end is seen only if nothing unread precedes it, such as a close_notify."""
    if sock.fileno() < 0 or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return Presence.GONE
    flags = socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)
    try:
        return Presence.HERE if socket.socket.recv(sock, 1, flags) else Presence.ENDED
    except (BlockingIOError, ValueError):
        return Presence.HERE
    except OSError:
        return Presence.GONE


def understands_the_question(head: bytes) -> bool:
    """Whether the client of the request with this head may be sent `QUESTION`: HTTP/1.0 has no 1xx responses."""
    return head.partition(b"\n")[0].rstrip().endswith(b" HTTP/1.1")


def seconds_to_answer(sock: socket.socket) -> float:
    """How long to wait for the reset from a client that has closed, after sending it the probe."""
    seconds = 0.0
    if _INFO is not None:
        with contextlib.suppress(OSError, struct.error):  # no TCP
            seconds = _RTT.unpack(sock.getsockopt(socket.IPPROTO_TCP, _INFO, _RTT.size))[0] / 1e6
    return min(_LONGEST, _SLACK + 2 * seconds)


def has_gone(sock: socket.socket, send: Callable[[bytes], object] | None) -> bool:
    """Whether the client has gone; probes it if that cannot be seen, and waits for the result.

    Arguments:
        send: sends bytes to it; None if it must not be sent `QUESTION`.

    Raises:
        whatever ``send`` raises.
    """
    presence = presence_of(sock)
    if presence is not Presence.ENDED or send is None:
        return presence is Presence.GONE
    send(QUESTION)
    seconds = seconds_to_answer(sock)
    if _ENDED:
        poller = select.poll()
        poller.register(sock, 0)  # a broken connection is always reported
        poller.poll(seconds * 1000)
    else:
        threading.Event().wait(seconds)
    return presence_of(sock) is Presence.GONE
