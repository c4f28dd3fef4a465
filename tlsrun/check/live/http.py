"""A minimal HTTP/1.1 client that reads one response within a deadline."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tlsrun.check.live.target import Deadline, ProbeTarget

_LONGEST_HEAD = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class ResponseHead:
    """The head of a response.

    Arguments:
        status: the status code; 0 if the answer was not HTTP.
        headers: name in lower case -> value; the last of several.
        lines: all header lines, names in lower case.
        body: of an HTML page, if it was asked for, as far as it arrived.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def all(self, name: str) -> list[str]:
        """The values of every header line ``name``."""
        return [value for one, value in self.lines if one == name]

    @property
    def location(self) -> str:
        """The target of a redirect; empty if it is none."""
        return self.headers.get("location", "") if 300 <= self.status < 400 else ""


def request(target: ProbeTarget, host: str = "", more: Sequence[tuple[str, str]] = ()) -> bytes:
    """A GET request with ``Connection: close``."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in more)
    return (
        f"GET {target.path} HTTP/1.1\r\nHost: {host or target.authority}\r\nUser-Agent: tlsrun-check\r\n"
        f"Accept: */*\r\n{lines}Connection: close\r\n\r\n"
    ).encode("latin-1", "replace")


def get(
    connection: socket.socket,
    target: ProbeTarget,
    deadline: Deadline,
    *,
    host: str = "",
    more: Sequence[tuple[str, str]] = (),
    page: int = 0,
) -> ResponseHead:
    """Request the target's page and read the head of the response.

    Arguments:
        host: the Host header, in place of the target's.
        more: further headers.
        page: how many bytes of an HTML body to read too.

    Raises:
        OSError: the connection breaks, or the deadline passes, before anything arrived.
    """
    connection.settimeout(deadline.left)
    broken: OSError | None = None
    try:
        connection.sendall(request(target, host, more))
    except OSError as error:  # a page or an alert that the server sent before can still be read
        broken = error
    data = bytearray()
    try:
        while b"\r\n\r\n" not in data and len(data) < _LONGEST_HEAD and not deadline.is_over:
            connection.settimeout(deadline.left)
            part = connection.recv(8192)
            if not part:
                break
            data += part
    except OSError:
        if not data:
            raise
    if broken and not data:
        raise broken
    answer = parse(bytes(data))
    if not page or "html" not in answer.headers.get("content-type", ""):
        return answer
    return replace(answer, body=_body(connection, answer, bytes(data).partition(b"\r\n\r\n")[2], page, deadline))


def _body(connection: socket.socket, answer: ResponseHead, data: bytes, most: int, deadline: Deadline) -> bytes:
    """As much of the body as arrives, with the chunked coding removed (RFC 9112, section 7.1)."""
    length = answer.headers.get("content-length", "")
    wanted = min(most, int(length)) if length.isdigit() else most
    with contextlib.suppress(OSError):
        while len(data) < wanted and not deadline.is_over:
            connection.settimeout(deadline.left)
            part = connection.recv(65536)
            if not part:
                break
            data += part
    if "chunked" in answer.headers.get("transfer-encoding", "").lower():
        return _unchunked(data)
    return data


def _unchunked(data: bytes) -> bytes:
    whole, rest = b"", data
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        whole, rest = whole + rest[:size], rest[size + 2 :]
    return whole


def parse(data: bytes) -> ResponseHead:
    """Parse the head, as far as it arrived."""
    head = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = head[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        return ResponseHead()
    pairs = (line.partition(":") for line in head[1:])
    lines = tuple((name.strip().lower(), value.strip()) for name, colon, value in pairs if colon)
    return ResponseHead(status=int(words[1]), headers=dict(lines), lines=lines)


def get_plain(address: tuple[str, int], target: ProbeTarget, deadline: Deadline) -> ResponseHead | None:
    """As `get`, over a new connection without TLS; None if none can be made.

    Arguments:
        address: host and port to connect to.
    """
    try:
        connection = socket.create_connection(address, timeout=min(3.0, deadline.left))
    except OSError:
        return None
    with connection:
        with contextlib.suppress(OSError):
            return get(connection, target, deadline)
        return ResponseHead()
