"""A client that says exactly what it is told to say, and takes answers apart strictly."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.clients import Address, client_context
from tests.support.process import PATIENCE


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One answer; ``headers`` by lower-case name, each with its values in order."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value, None when there is none."""
        values = self.headers.get(name, [])
        assert len(values) < 2, values
        return values[0] if values else None

    @property
    def words(self) -> str:
        """The body as text."""
        return self.body.decode()


class Talk:
    """One TLS connection.

    Arguments:
        address: where to.
        ca: whom to trust.
        context: instead of one that trusts ``ca``.
        name: for SNI.
        timeout: seconds for each wait.
    """

    def __init__(
        self,
        address: Address,
        ca: Path,
        *,
        context: ssl.SSLContext | None = None,
        name: str | None = "localhost",
        timeout: float = PATIENCE,
        receive_buffer: int | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.settimeout(timeout)
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        used = context or client_context(ca)
        # Some versions of Python set it, and cannot tell a connection that was cut off from one that was closed.
        used.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        # Wrapped before it connects: see tests.support.clients.tls_connect.
        self.tls = used.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False, session=session)
        try:
            self.tls.connect(address)
        except BaseException:
            self.tls.close()
            raise
        self._left = b""

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tls.close()

    def send(self, *data: bytes) -> None:
        """Send, each part in a record of its own."""
        for part in data:
            self.tls.sendall(part)

    def get(self, path: str = "/", *lines: str, method: str = "GET", version: str = "1.1") -> Answered:
        """One request and its answer."""
        self.ask(path, *lines, method=method, version=version)
        return self.answer(method=method)

    def ask(self, path: str = "/", *lines: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> None:
        """One request."""
        if body and not any(line.lower().startswith(("content-length:", "transfer-")) for line in lines):
            lines = (*lines, f"Content-Length: {len(body)}")
        head = [f"{method} {path} HTTP/{version}", "Host: localhost", *lines, "", ""]
        self.send("\r\n".join(head).encode("latin-1") + body)

    def answer(self, method: str = "GET") -> Answered:
        """Read one answer, by its framing alone."""
        head = self._until(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        version, status, _ = lines[0].split(b" ", 2)
        assert version == b"HTTP/1.1", head
        headers: dict[str, list[str]] = {}
        for line in lines[1:]:
            name, value = line.split(b": ", 1) if b": " in line else line.split(b":", 1)
            headers.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
        answered = Answered(status=int(status), headers=headers, body=b"")
        return Answered(status=int(status), headers=headers, body=self._body(answered, method))

    def final_answer(self, method: str = "GET") -> Answered:
        """As `answer`, past interim ones (RFC 9110, section 15.2)."""
        while (answered := self.answer(method)).status < 200:
            pass
        return answered

    def _body(self, answered: Answered, method: str) -> bytes:
        length, coding = answered.header("content-length"), answered.header("transfer-encoding")
        assert length is None or coding is None, answered
        if method == "HEAD" or answered.status in (204, 304) or answered.status < 200:
            assert coding is None
            return b""
        if length is not None:
            return self.read(int(length))
        if coding is None:
            assert answered.header("connection") == "close"
            return self.rest()
        assert coding == "chunked"
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self.read(size)
            assert self.read(2) == b"\r\n"
        assert self.read(2) == b"\r\n"
        return body

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._left) < size:
            self._more()
        data, self._left = self._left[:size], self._left[size:]
        return data

    def rest(self) -> bytes:
        """All until the end, which must be a clean one."""
        with contextlib.suppress(EOFError):
            while True:
                self._more()
        data, self._left = self._left, b""
        return data

    def end(self) -> str:
        """How the connection ends: "notified", "cut off" or "reset"; nothing may come before."""
        assert self._left == b"", self._left
        try:
            data = self.tls.recv(1)
        except ssl.SSLZeroReturnError:  # as b"", when this side has ended before
            return "notified"
        except ssl.SSLError as error:  # SSLEOFError, but for some versions of Python
            if error.reason == "UNEXPECTED_EOF_WHILE_READING" or isinstance(error, ssl.SSLEOFError):
                return "cut off"
            raise
        except ConnectionResetError:
            return "reset"
        assert data == b"", data
        return "notified"

    def notify(self) -> None:
        """Say by close_notify that no more will be sent; go on reading."""
        timeout = self.tls.gettimeout()
        self.tls.settimeout(0)
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:  # an answer, or a question, is there already, and is read later
            if error.reason != "APPLICATION_DATA_AFTER_CLOSE_NOTIFY":
                raise
        self.tls.settimeout(timeout)

    def end_tcp(self) -> None:
        """End the sending side of the connection under TLS, without close_notify; go on reading."""
        socket.socket.shutdown(self.tls, socket.SHUT_WR)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._left:
            self._more()
        data, _, self._left = self._left.partition(mark)
        return data

    def _more(self) -> None:
        data = self.tls.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self._left += data
