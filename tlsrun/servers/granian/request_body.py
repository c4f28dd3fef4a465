"""A request's body as Granian's ASGI interface hands it over: asked for part by part, and whole only if it says so."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from tlsrun.servers.granian.asgi import when_kept

#: Seconds within which some more of a body must come while the application waits for it.
PATIENCE = 60.0
#: Bytes that may wait for the application before no more is asked for, and the client has to wait.
_AHEAD = 1 << 18

_GONE = "the client went away before it had sent all"


class RequestBody:
    """Read by one thread; its parts come in others, those of Granian.

    Arguments:
        protocol: Granian's side of the request.

    Attributes:
        gone: it is known that the client has gone, or has broken off its request.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._changed = threading.Condition(threading.Lock())
        self._parts: deque[bytes] = deque()
        self._held = self._begin = 0  # bytes, and where the rest of the first part begins
        self._promise: Any = None
        self._why: str | None = None
        self._taken = time.monotonic()
        self._ended = self._over = self._watched = self._drops = False
        self.gone = False

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end.

        Raises:
            ConnectionResetError: the body broke off or is malformed, or nothing came for too long.
        """
        parts: list[bytes] = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def watch(self) -> None:
        """Learn when the client goes, while the application answers; to be called with each part of the answer.

        Of a body that the application does not read meanwhile, no more is kept than what it has not read so far.
        """
        self._watched = True
        if self._held >= _AHEAD and time.monotonic() - self._taken > PATIENCE:
            self._drops = True
        self._ask()

    def wait_until_gone(self, seconds: float) -> None:
        """Wait until it is known that the client has gone, but no longer than so many seconds; after `watch`."""
        with self._changed:
            self._changed.wait_for(lambda: self.gone, seconds)

    def close(self) -> None:
        """Nobody reads any more. Granian goes on with the connection when nothing holds the body."""
        with self._changed:
            self._over = True
            self._why = self._why or "the request was answered"
            promise, self._promise, self._protocol = self._promise, None, None
            self._parts.clear()
        if promise is not None:
            promise.cancel()

    def _next(self, most: int) -> bytes:
        deadline = time.monotonic() + PATIENCE
        while True:
            with self._changed:
                if self._parts:
                    return self._take(most)
                if self._why is not None:
                    raise ConnectionResetError(self._why)
                if self._ended:
                    return b""
                if self._promise is not None:
                    if (left := deadline - time.monotonic()) <= 0:
                        self._why = f"the client sent nothing for {PATIENCE:g} s"
                    else:
                        self._changed.wait(left)
                    continue
            self._ask()

    def _take(self, most: int) -> bytes:
        part = self._parts[0][self._begin : self._begin + most]
        self._begin += len(part)
        if self._begin == len(self._parts[0]):
            self._parts.popleft()
            self._begin = 0
        self._held -= len(part)
        self._taken = time.monotonic()
        return part

    def _ask(self) -> None:
        with self._changed:
            wanted = self._watched if self._ended else self._drops or self._held < _AHEAD
            if self._promise is not None or self._over or not wanted:
                return
            promise = self._promise = self._protocol.receive()
        # Without the lock: it may be kept already.
        when_kept(promise, self._got)

    def _got(self, message: Any) -> None:
        with self._changed:
            self._promise = None
            if message["type"] == "http.request":
                self._keep(message["body"])
                self._ended = self._ended or not message["more_body"]
            else:
                self._over = self.gone = True
                if not self._ended:
                    self._why = self._why or "the client went away before it had sent all"
            self._changed.notify()
        self._ask()

    def _keep(self, body: bytes) -> None:
        if self._drops:
            self._why = self._why or "the request was answered before it was read"
        elif body:
            self._parts.append(body)
            self._held += len(body)
