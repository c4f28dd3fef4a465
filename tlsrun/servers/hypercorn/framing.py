"""aioquic's frames of HTTP/3, with bounds: what a client makes the server hold before the application is asked.

aioquic waits for the end of a block of headers, however long it says it is, and of frames that it does not know.
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
        most: bytes of a request's headers, and of any frame that is not a body.
    """

    def __init__(self, quic: Any, most: int) -> None:
        self.most = most
        self.quic = quic
        self.control = quic.get_next_available_stream_id(is_unidirectional=True)  # aioquic opens it now, as the first
        self.over = False
        super().__init__(quic)
        self._decoder = Decoder(0, 0)  # as the settings have said

    def _get_local_settings(self) -> dict[int, int]:
        settings = super()._get_local_settings()
        del settings[Setting.ENABLE_CONNECT_PROTOCOL]  # WSGI has no WebSocket
        # Without a table that clients fill (RFC 9204, section 3.2) a short block cannot mean long headers.
        without = dict.fromkeys((Setting.QPACK_MAX_TABLE_CAPACITY, Setting.QPACK_BLOCKED_STREAMS), 0)
        return settings | without | {Setting.MAX_FIELD_SECTION_SIZE: self.most}

    def say_goodbye(self, stream_id: int) -> None:
        """Send GOAWAY (RFC 9114, section 7.2.6), which aioquic has no way to do.

        Arguments:
            stream_id: of the first request that is not answered.
        """
        self.quic.send_stream_data(self.control, encode_frame(FrameType.GOAWAY, encode_uint_var(stream_id)))

    def handle_event(self, event: QuicEvent) -> list[H3Event]:
        """As aioquic's; a client that sends too much is sent away (RFC 9114, section 10.5)."""
        events = [] if self.over else super().handle_event(event)
        if isinstance(event, StreamDataReceived):
            stream = self._stream.get(event.stream_id)
            if stream is not None and len(stream.buffer) > self.most:
                self.over = True
                self.quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD, reason_phrase="a frame is too long")
        return events


def size_of(headers: list[tuple[bytes, bytes]]) -> int:
    """What a block of headers counts for (RFC 9114, section 4.2.2)."""
    return sum(len(name) + len(value) + 32 for name, value in headers)
