"""Sends responses through Granian's ASGI interface."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from tlsrun.servers.granian.asgi import is_open, wait_for
from tlsrun.servers.granian.queued_response import ClientGone
from tlsrun.servers.granian.request_body import RequestBody
from tlsrun.servers.wsgi import Headers, Parts

_log = logging.getLogger("tlsrun.granian")

#: Seconds after which a client that accepts no data of a response is given up.
PATIENCE = 60.0
#: Parts sent, or seconds passed, before a response is watched for a disconnect of its client: watching costs as much
#: as a small response.
_UNWATCHED, _SOON = 4, 0.01
_WRITTEN = 0.5  # seconds for the parts sent so far to reach the client before an aborted response is ended

_END = {"type": "http.response.body", "body": b""}


class GranianAnswer:
    """The response to one request; not thread-safe.

    Arguments:
        protocol: Granian's protocol object of the request.
        body: the request's body; None if it has none.
        may_wait: returns whether one more of Granian's threads may block on its client; None when called in a thread
            that may always block.
    """

    __slots__ = ("_body", "_may_wait", "_protocol")

    def __init__(
        self, protocol: Any, body: RequestBody | None = None, may_wait: Callable[[], bool] | None = None
    ) -> None:
        self._protocol = protocol
        self._body = body
        self._may_wait = may_wait

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response; Granian buffers it and returns at once."""
        send = self._protocol.send
        send({"type": "http.response.start", "status": status, "headers": _octets(headers)})
        send({"type": "http.response.body", "body": body})

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send a response in parts, and close ``body`` at the end.

        A response that is aborted ends short of its Content-Length, which is how the client notices.
        """
        send = self._protocol.send
        request = self._body or RequestBody(self._protocol)
        try:
            send({"type": "http.response.start", "status": status, "headers": _octets(headers)})
            send(_part(next(body, b"")))
            try:
                self._send_rest(send, request, body)
            except ConnectionError as error:
                _log.info("an answer broke off: %s", error)
            except Exception:
                _log.exception("an answer broke off")
                # If the end follows the first part at once, Granian (2.8) shuts the connection down gracefully.
                request.watch()
                request.wait_until_gone(_WRITTEN)
            send(_END)
        finally:
            try:
                body.close()
            finally:
                request.close()

    def _send_rest(self, send: Any, request: RequestBody, body: Parts) -> None:
        count, watched, began = 1, False, time.monotonic()
        while (part := next(body, None)) is not None:
            count += 1
            if watched or count > _UNWATCHED or time.monotonic() - began > _SOON:
                watched = True
                request.watch()
                if request.gone:
                    raise ClientGone("its client has gone")
            promise = send(_part(part))
            if self._may_wait is not None and is_open(promise) and not self._may_wait():
                raise ClientGone("too many clients are waited for")
            try:
                wait_for(promise, PATIENCE)
            except TimeoutError:
                raise ClientGone(f"its client took nothing for {PATIENCE:g} s") from None


def _part(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}


def _octets(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(_name(name), value.encode("latin-1")) for name, value in headers]


@functools.lru_cache(maxsize=512)
def _name(name: str) -> bytes:
    return name.encode("latin-1")
