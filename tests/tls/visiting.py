"""A plain-HTTP listener that answers, and what its visitors see."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import Listener
from tlsrun.listening.opening import open_redirecting
from tlsrun.proxies.peers import NOBODY, Peers
from tlsrun.redirect.port import Redirect, RedirectListener

HOSTS = {"example.org", "a.wild.test", "localhost", "127.0.0.1", "::1"}
TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAIFTbDkOvWYpMdU"  # noqa: S105 -- no secret
REQUEST = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
KEY_AUTHORIZATION = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A listener that answers."""

    port: int
    host: str = "127.0.0.1"

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=60)

    def say(self, data: bytes) -> bytes:
        """Everything that is answered to ``data``, until the server closes; b"" when it says nothing."""
        with self.connect() as client:
            client.sendall(data)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := client.recv(65536):
                    answer += part
            return answer

    def ask(self, target: str, host: str = "example.org", method: str = "GET", *fields: str) -> Response:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        return Response.of(self.say("\r\n".join(lines).encode("latin-1")))


@dataclass(frozen=True)
class Response:
    """An answer taken apart, as strictly as its framing can be."""

    status: int
    fields: dict[str, str]
    body: str

    @classmethod
    def of(cls, data: bytes) -> Response:
        head, _, body = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 [0-9]{3} [A-Za-z ]+", line), data
        pairs = [one.split(": ", 1) for one in fields]
        names = [name.lower() for name, _ in pairs]
        assert len(set(names)) == len(names), names
        return cls(int(line[9:12]), {name.lower(): value for name, value in pairs}, body.decode())

    @property
    def location(self) -> str | None:
        return self.fields.get("location")


def make_webroot(tmp_path: Path) -> Path:
    """A webroot with one challenge, a secret beside it, and a link to that."""
    folder = tmp_path / "webroot" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / TOKEN).write_text(KEY_AUTHORIZATION)
    (folder.parent / "secret").write_text("secret")
    (folder / "escape").symlink_to("../secret")
    return tmp_path / "webroot"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, as servers open it for the redirect port."""
    return open_redirecting([Listener(place=Endpoint(host=host, port=port))]).sockets[0]


@contextlib.contextmanager
def listening(
    webroot: Path | None = None,
    *,
    https_port: int = 443,
    host: str = "127.0.0.1",
    allowed: Callable[[str], bool] = HOSTS.__contains__,
    head_timeout: float = 10.0,
    max_connections: int = 512,
    proxy_protocol_peers: Peers = NOBODY,
) -> Iterator[Running]:
    """A listener in this process, ended with the block, without a thread left."""
    redirect = Redirect(https_port=https_port, allowed=allowed, acme_webroot=webroot)
    with listen(host, 0) as sock:
        listener = RedirectListener(
            [sock],
            redirect,
            head_timeout=head_timeout,
            max_connections=max_connections,
            proxy_protocol_peers=proxy_protocol_peers,
        )
        listener.start()
        try:
            yield Running(port=sock.getsockname()[1], host=host)
        finally:
            listener.stop()
    assert not [one for one in threading.enumerate() if one.name == "tlsrun-redirect"]
