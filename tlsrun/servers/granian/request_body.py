"""A request body received through Granian's ASGI interface, which tells a complete body from a truncated one."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from tlsrun.servers.granian.asgi import when_kept

#: Seconds without data after which a client is given up, while the application reads the body.
PATIENCE = 60.0
#: Bytes buffered ahead of the application; beyond that no more is received, and flow control stops the client.
_AHEAD = 1 << 18

_GONE = "the client went away before it had sent all"


class RequestBody:
    """Read by one thread; its parts arrive in Granian's threads.

    Arguments:
        protocol: Granian's protocol object of the request.

    Attributes:
        gone: the client is known to have disconnected, or to have reset the stream.
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
        """Return ``size`` bytes; fewer at the end of the body.

        Raises:
            ConnectionResetError: the body is truncated or malformed, or nothing came for `PATIENCE` seconds.
        """
        parts: list[bytes] = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def watch(self) -> None:
        """Watch for a disconnect while the application answers; to be called with each part of the response.

        If the application has not read the buffered body for `PATIENCE` seconds, further parts of it are discarded.
        """
        self._watched = True
        if self._held >= _AHEAD and time.monotonic() - self._taken > PATIENCE:
            self._drops = True
        self._ask()

    def wait_until_gone(self, seconds: float) -> None:
        """Wait for a disconnect, for ``seconds`` at most; `watch` must have been called."""
        with self._changed:
            self._changed.wait_for(lambda: self.gone, seconds)

    def close(self) -> None:
        """Stop receiving, and drop the protocol object: Granian goes on with the connection only when it is freed."""
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
        # Without the lock: the future may be done already, and then calls back at once.
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
