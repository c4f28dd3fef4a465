"""The transport below a client's TLS: reading paused and resumed, bytes the client has taken, both addresses."""

from __future__ import annotations

import asyncio
from typing import cast


class FlowControlledProtocol(asyncio.Protocol):
    """A connection with flow control, whatever protocol runs on top.

    Attributes:
        peer, here: the addresses of both ends.
    """

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._written = 0
        self._reading = True
        self.peer: tuple[str, int] = ("", 0)
        self.here: tuple[str, int] = ("", 0)

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading`, so that the client has to wait."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def taken(self) -> int:
        """Bytes that the client's side has taken so far, as far as this process knows."""
        return self._written - self._transport.get_write_buffer_size()

    def flushed(self) -> bool:
        """Whether nothing that was sent is still buffered in this process."""
        return self._transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = _address(transport.get_extra_info("peername")) or ("", 0)
        # Clients of a Unix socket come through a proxy in front, which listens on the HTTPS port.
        self.here = _address(transport.get_extra_info("sockname")) or ("localhost", 443)


def _address(name: object) -> tuple[str, int] | None:
    """Host and port; None for a Unix socket, and for a client that is gone already."""
    if isinstance(name, tuple) and len(name) >= 2:
        return str(name[0]), int(name[1])
    return None
