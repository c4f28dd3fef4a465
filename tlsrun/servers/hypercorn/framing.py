"""aioquic's HTTP/3 framing, with limits on what a client can make the server buffer before the application runs.

aioquic (1.7) buffers a header block of any length, and frames of unknown type.
"""

from __future__ import annotations

from typing import Any

from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import ErrorCode, FrameType, H3Connection, Setting, encode_frame
from aioquic.h3.events import H3Event
from aioquic.quic.events import QuicEvent, StreamDataReceived
from pylsqpack import Decoder


class Framing(H3Connection):
    """The server's side of one connection.

    Arguments:
        quic: the connection.
        most: maximum size in bytes of a request's headers, and of any frame other than DATA.
    """

    def __init__(self, quic: Any, most: int) -> None:
        self.most = most
        self.quic = quic
        self.control = quic.get_next_available_stream_id(is_unidirectional=True)  # opened by super().__init__()
        self.over = False
        super().__init__(quic)
        self._decoder = Decoder(0, 0)  # as in _get_local_settings()

    def _get_local_settings(self) -> dict[int, int]:
        settings = super()._get_local_settings()
        del settings[Setting.ENABLE_CONNECT_PROTOCOL]  # WSGI does not support WebSocket
        # Without a dynamic table (RFC 9204, section 3.2) a short block cannot expand to long headers.
        without = dict.fromkeys((Setting.QPACK_MAX_TABLE_CAPACITY, Setting.QPACK_BLOCKED_STREAMS), 0)
        return settings | without | {Setting.MAX_FIELD_SECTION_SIZE: self.most}

    def say_goodbye(self, stream_id: int) -> None:
        """Send GOAWAY (RFC 9114, section 7.2.6), for which aioquic (1.7) has no API.

        Arguments:
            stream_id: the first request that will not be processed.
        """
        self.quic.send_stream_data(self.control, encode_frame(FrameType.GOAWAY, encode_uint_var(stream_id)))

    def handle_event(self, event: QuicEvent) -> list[H3Event]:
        """As aioquic's, but closes the connection of a client that exceeds the limit (RFC 9114, section 10.5)."""
        events = [] if self.over else super().handle_event(event)
        if isinstance(event, StreamDataReceived):
            stream = self._stream.get(event.stream_id)
            if stream is not None and len(stream.buffer) > self.most:
                self.over = True
                self.quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD, reason_phrase="a frame is too long")
        return events


def size_of(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the size of a header section as RFC 9114, section 4.2.2, defines it."""
    return sum(len(name) + len(value) + 32 for name, value in headers)
