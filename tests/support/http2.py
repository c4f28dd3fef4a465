"""A client of HTTP/2 that takes GOAWAY and refused streams at their word, by the library h2."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.support.clients import Address, client_context, tls_connect


class NotTaken(Exception):
    """The server has said that it did not take the request: it may be sent elsewhere (RFC 9113, section 6.8)."""


class Http2Client:
    """One connection.

    Arguments:
        ca: what it trusts.

    Attributes:
        statuses: what came for each stream; of interim answers, too.
    """

    def __init__(self, address: Address, ca: Path) -> None:
        context = client_context(ca)
        context.set_alpn_protocols(["h2"])
        self._tls = tls_connect(address, None, context=context)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="ascii"))
        self._bodies: dict[int, bytes] = {}
        self._ended: set[int] = set()
        self.statuses: dict[int, list[int]] = {}
        self._h2.initiate_connection()
        self._flush()

    def __enter__(self) -> Http2Client:
        return self

    def __exit__(self, *error: Any) -> None:
        self._tls.close()

    def begin(self, path: str, *, body: bool = False, **headers: str) -> int:
        """Send a request; returns its stream.

        Arguments:
            body: it has one, which is sent later.
        """
        stream = self._h2.get_next_available_stream_id()
        method = "POST" if body else "GET"
        fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self._h2.send_headers(stream, [*fields, *headers.items()], end_stream=not body)
        self._bodies[stream] = b""
        self.statuses[stream] = []
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send a part of a request's body, as soon as the server lets it."""
        while data:
            while not (room := min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)):
                for _ in self._events():
                    pass
            part, data = data[:room], data[room:]
            self._h2.send_data(stream, part, end_stream=end and not data)
            self._flush()

    def status(self, stream: int) -> int:
        """The first one that comes."""
        while not self.statuses[stream]:
            for _ in self._events():
                pass
        return self.statuses[stream][0]

    def take_back(self, stream: int) -> None:
        """Want no answer any more, and know that the server has heard it."""
        self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.ping()

    def ping(self) -> None:
        """Know that the server has taken what was sent before."""
        self._h2.ping(b"heard it")
        self._flush()
        while not any(isinstance(event, h2.events.PingAckReceived) for event in self._events()):
            pass

    def answer(self, stream: int) -> bytes:
        """The whole body of an answer.

        Raises:
            NotTaken: it will never come, and somebody else may be asked.
            ConnectionError: it will never come.
        """
        while stream not in self._ended:
            for event in self._events():
                if isinstance(event, h2.events.ConnectionTerminated):
                    if (event.last_stream_id or 0) < stream:
                        raise NotTaken
                elif isinstance(event, h2.events.StreamReset) and event.stream_id == stream not in self._ended:
                    if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM:
                        raise NotTaken
                    raise ConnectionError(f"the stream was reset: {event.error_code}")
        return self._bodies.pop(stream)

    def until_over(self) -> None:
        """Wait for the end of the connection."""
        with contextlib.suppress(ConnectionError):
            while True:
                for _ in self._events():
                    pass

    def ask(self, path: str) -> bytes:
        """One request, and its answer.

        Raises:
            NotTaken, ConnectionError: as `answer`.
        """
        try:
            return self.answer(self.begin(path))
        except h2.exceptions.ProtocolError as error:  # the connection was ended before
            raise NotTaken from error

    def _events(self) -> Iterator[h2.events.Event]:
        data = self._tls.recv(65536)
        if not data:
            raise ConnectionError("the connection has ended")
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self._bodies[event.stream_id] += event.data or b""
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            elif isinstance(event, (h2.events.InformationalResponseReceived, h2.events.ResponseReceived)):
                status = dict(event.headers)[":status"]
                self.statuses[event.stream_id].append(int(status))
            elif isinstance(event, h2.events.StreamEnded):
                self._ended.add(event.stream_id)
            yield event
        self._flush()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        try:
            self._tls.sendall(data)
        except ssl.SSLError as error:
            raise ConnectionError("the connection has ended") from error
