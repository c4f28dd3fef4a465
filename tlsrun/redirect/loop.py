"""The event loop of the plain-HTTP port: one thread answers all clients, however slow they are.

The states of a client, and what ends them::

    HEAD ──► ANSWER ──► GOODBYE ──► closed
      └─► closed (no HTTP)

Each state has its own deadline, which a client cannot extend by sending slowly. If there are too many clients or no
file descriptors, the oldest connection is dropped.

A proxy that passes connections through may begin each with a PROXY header, as on the TLS port, but need not. HAProxy's
doc/proxy-protocol.txt (section 2) says that a receiver "must not try to guess"; guessing is harmless here, since the
client's address is only logged, and it lets proxies and health checks that speak plain HTTP be answered, too.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import logging
import socket
import time
from collections.abc import Sequence
from typing import Any

from tlsrun.endpoint import spell_peer
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused
from tlsrun.polling.poller import READ, WRITE, new_poller
from tlsrun.polling.waker import Waker
from tlsrun.proxies import proxy_protocol
from tlsrun.proxies.peers import NOBODY, Peers
from tlsrun.redirect.answer import PlainHttpResponse, Redirect, refused, respond, too_slow
from tlsrun.redirect.request import LIMITS, is_hopeless

_log = logging.getLogger("tlsrun.redirect")

_BATCH = 64  # connections accepted at once, before existing ones get their turn
_TICK = 0.5  # seconds between checks of the deadlines
_PAUSE = 1.0  # seconds without accept() after it failed
_GOODBYE = 2.0  # seconds for a client to close after the response
_MAX_BODY = 16 * 1024 * 1024  # bytes of a body that are read and discarded after the response
_QUIET = 60.0  # seconds between two log lines of the same kind
_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # accept(2)


class _State(enum.Enum):
    HEAD = "reads its request"
    ANSWER = "takes the answer"
    GOODBYE = "has its answer and is to close"


class _Client:
    __slots__ = ("data", "deadline", "inbox", "expects_proxy_header", "peer", "read_away", "sock", "state")

    def __init__(self, sock: socket.socket, peer: Any, deadline: float, *, expects_proxy_header: bool) -> None:
        self.sock = sock
        self.peer = peer
        self.deadline = deadline
        self.state = _State.HEAD
        self.expects_proxy_header = expects_proxy_header
        self.inbox = Inbox(LIMITS)
        self.data = b""  # the part of a PROXY header that has arrived, then the rest of the response
        self.read_away = 0


class RedirectLoop:
    """Answers on listening sockets. Only `stop` may be called by other threads than the one in `run`.

    Arguments:
        socks: listening sockets, which remain the caller's to close.
        redirect: how to answer.
        head_timeout: seconds for a client's whole request head, and again for reading the response.
        max_connections: the most clients at once.
        proxy_protocol_peers: whose connections may begin with a PROXY header.
    """

    def __init__(
        self,
        socks: Sequence[socket.socket],
        redirect: Redirect,
        head_timeout: float,
        max_connections: int,
        proxy_protocol_peers: Peers = NOBODY,
    ) -> None:
        self._listeners = tuple(socks)
        self._redirect = redirect
        self._head_timeout = head_timeout
        self._max_connections = max_connections
        self._proxy_protocol_peers = proxy_protocol_peers
        self._clients: dict[_Client, None] = {}  # in the order of their arrival
        self._note = _Notes()
        self._resume_at: float | None = None
        self._swept = 0.0
        self._stopped = False
        self._moves = {
            _State.HEAD: self._read_head,
            _State.ANSWER: self._write,
            _State.GOODBYE: self._read_away,
        }
        self._poller = new_poller()
        self._waker = Waker()
        self._poller.watch(self._waker.fileno(), READ, self._waker)
        for listener in self._listeners:
            listener.setblocking(False)
            self._poller.watch(listener.fileno(), READ, listener)

    def stop(self) -> None:
        """Make `run` return soon; may be called by any thread."""
        self._stopped = True
        self._waker.wake()

    def run(self) -> None:
        """Answer until `stop`, then close every connection."""
        with contextlib.closing(self._poller), contextlib.closing(self._waker):
            while not self._stopped:
                self._step()
            for client in list(self._clients):
                self._drop(client)

    def _step(self) -> None:
        idle = not self._clients and self._resume_at is None
        for ready in self._poller.wait(None if idle else _TICK):
            if ready in self._listeners:
                self._accept(ready)
            elif ready in self._clients:  # not dropped meanwhile to make room
                self._advance(ready)
        now = time.monotonic()
        if now - self._swept >= _TICK:
            self._swept = now
            self._sweep(now)

    # -- one client -----------------------------------------------------------------------------------------

    def _advance(self, client: _Client, answer: PlainHttpResponse | None = None) -> None:
        """Do what the client's state requires, or send it ``answer``; a failure affects only this client."""
        try:
            if answer is None:
                self._moves[client.state](client)
            else:
                self._answer(client, answer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)  # it went away
        except Exception as error:
            # One request must not stop the loop for all others.
            kind = type(error).__name__
            self._note(logging.ERROR, kind, f"{spell_peer(client.peer)} got no answer: {error!r}")
            self._drop(client)

    def _read_head(self, client: _Client) -> None:
        came = client.sock.recv(LIMITS.size)
        if client.expects_proxy_header and came:
            came = self._introduce(client, client.data + came)
            if not came:  # more is to come
                return
        inbox = client.inbox
        inbox.put(came)
        first = inbox.peek()
        if not came or is_hopeless(first.removeprefix(b"\r\n")):
            self._drop(client)
            return
        try:
            head = inbox.next_head()
            answer = None if head is None else respond(head, self._redirect)
        except Refused as refusal:
            answer = refused(refusal, head_only=first.startswith(b"HEAD "))
        if answer is not None:
            self._answer(client, answer)

    def _introduce(self, client: _Client, data: bytes) -> bytes:
        """Parse a PROXY header if ``data`` begins with one; returns what follows it, empty while it is incomplete."""
        client.data = b""
        try:
            found = proxy_protocol.parse(data)
        except proxy_protocol.Malformed:  # a request, or something else
            client.expects_proxy_header = False
            return data
        if found is None:
            client.data = data
            return b""
        client.expects_proxy_header = False
        client.peer = found.source or client.peer
        return data[found.size :]

    def _answer(self, client: _Client, answer: PlainHttpResponse) -> None:
        if answer.note:
            self._note(answer.level, str(answer.status), f"{spell_peer(client.peer)}: {answer.note}")
        client.data = answer.render()
        client.state = _State.ANSWER
        client.deadline = time.monotonic() + self._head_timeout
        self._poller.change(client.sock.fileno(), WRITE, client)
        self._write(client)

    def _write(self, client: _Client) -> None:
        client.data = client.data[client.sock.send(client.data) :]
        if client.data:
            return
        client.sock.shutdown(socket.SHUT_WR)
        client.state = _State.GOODBYE
        client.deadline = time.monotonic() + _GOODBYE
        self._poller.change(client.sock.fileno(), READ, client)

    def _read_away(self, client: _Client) -> None:
        """Discard a body: closing with unread bytes resets the connection and loses the response (RFC 9112, 9.6)."""
        came = client.sock.recv(65536)
        client.read_away += len(came)
        if not came or client.read_away > _MAX_BODY:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            del self._clients[client]
            self._poller.forget(client.sock.fileno())
            client.sock.close()

    # -- all of them ----------------------------------------------------------------------------------------

    def _accept(self, listener: Any) -> None:
        if self._resume_at is not None:  # another listener has just failed to accept
            return
        for _ in range(_BATCH):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return  # the client is gone, or another process was faster
            except ConnectionError:
                continue
            except OSError as error:
                self._cannot_accept(error)
                return
            if len(self._clients) >= self._max_connections:
                self._evict(f"there are {self._max_connections} connections")
            self._admit(sock, peer)

    def _admit(self, sock: socket.socket, peer: Any) -> None:
        expects = peer[0] in self._proxy_protocol_peers
        client = _Client(sock, peer, time.monotonic() + self._head_timeout, expects_proxy_header=expects)
        try:
            sock.setblocking(False)
            self._poller.watch(sock.fileno(), READ, client)
        except OSError as error:  # the system watches no more sockets (epoll_ctl(2))
            self._note(logging.WARNING, "admit", f"{spell_peer(peer)} was turned away: {error.strerror}")
            sock.close()
        else:
            self._clients[client] = None

    def _cannot_accept(self, error: OSError) -> None:
        if error.errno in _SHORTAGE and self._evict(f"accept() said: {error.strerror}"):
            return
        # The socket stays readable, and the loop would spin.
        line = f"no connection can be accepted for {_PAUSE:g} s: {error.strerror}"
        self._note(logging.WARNING, "accept", line)
        for listener in self._listeners:
            if listener.fileno() >= 0:
                self._poller.forget(listener.fileno())
        self._resume_at = time.monotonic() + _PAUSE

    def _evict(self, why: str) -> bool:
        """Drop the oldest client; False if there is none."""
        first = next(iter(self._clients), None)
        if first is None:
            return False
        self._note(logging.WARNING, "full", f"{spell_peer(first.peer)} was dropped, it came first and {why}")
        self._drop(first)
        return True

    def _sweep(self, now: float) -> None:
        if self._resume_at is not None and self._resume_at <= now:
            self._resume_at = None
            for listener in self._listeners:
                if listener.fileno() >= 0:
                    self._poller.watch(listener.fileno(), READ, listener)
        for client in [one for one in self._clients if one.deadline <= now]:
            if client.state is _State.HEAD and (client.inbox.size or client.data):
                self._advance(client, too_slow(self._head_timeout))
            else:
                self._drop(client)


class _Notes:
    """A log that clients cannot flood: one line of each kind per minute, with the number of suppressed ones."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def __call__(self, level: int, kind: str, line: str) -> None:
        now = time.monotonic()
        if now - self._last.get(kind, float("-inf")) < _QUIET:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return
        self._last[kind] = now
        held_back = self._held_back.pop(kind, 0)
        _log.log(level, "%s%s", line, f" (and {held_back} like it before)" if held_back else "")
