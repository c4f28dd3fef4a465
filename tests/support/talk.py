"""Raw HTTP/1.1 on a TLS connection, whose end without close_notify is an error."""

from __future__ import annotations

from pathlib import Path

from tests.support.clients import Address, tls_connect


class Talk:
    """One TLS connection on which raw HTTP is spoken."""

    def __init__(self, address: Address, ca: Path | None) -> None:
        self.tls = tls_connect(address, ca)
        # An end without close_notify is an error.
        self.tls.suppress_ragged_eofs = False
        self.file = self.tls.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self.tls.close()

    def send(self, data: bytes) -> Talk:
        """Say something."""
        self.tls.sendall(data)
        return self

    def get(self, target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Talk:
        """Ask for a page."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", ""]
        return self.send("\r\n".join(lines).encode("latin-1") + body)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Status, fields (lower case) and body of the next answer; EOFError when it breaks off."""
        status = int(self._line().split(" ")[1])
        fields = {}
        while line := self._line():
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        if method == "HEAD" or status in (100, 101, 204, 304):
            return status, fields, b""
        if "content-length" in fields:
            return status, fields, self._read(int(fields["content-length"]))
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, b"".join(iter(self._chunk, b""))
        return status, fields, self.file.read()

    def is_over(self) -> bool:
        """Whether the server closes in order (close_notify), without saying anything more."""
        return self.file.read(1) == b""

    def _line(self) -> str:
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        return line[:-2].decode("latin-1")

    def _read(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError(data)
        return data

    def _chunk(self) -> bytes:
        data = self._read(int(self._line(), 16))
        assert self._line() == ""
        return data
