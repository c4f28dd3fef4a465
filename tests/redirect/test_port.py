"""The plain-HTTP listener's life: a whole visit, start and stop, several processes."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import Server, run
from tests.tls.visiting import HOSTS, REQUEST, Running, listen, listening
from tlsrun.redirect.port import Redirect, RedirectListener


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.command} {self.path} ".encode() + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@pytest.fixture
def https(localhost_cert: Paths) -> Iterator[int]:
    """An HTTPS server on localhost that says what it was sent; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_post_arrives_at_https(https: int, ca_file: Path) -> None:
    """A form posted to http:// arrives at https:// with its body, by a client that follows."""
    with listening(https_port=https) as server:
        done = run(
            ["curl", "-q", "-sS", "--noproxy", "*", "-4", "-L", "--cacert", ca_file, "-d", "name=value",
             f"http://localhost:{server.port}/form?x=1"]
        )  # fmt: skip
    assert done.stdout == "POST /form?x=1 name=value", done.stderr


def test_start_and_stop() -> None:
    """Starting twice is starting once, stopping ends thread and connections, and it can start again."""
    before = len(os.listdir("/proc/self/fd"))
    with listen("127.0.0.1", 0) as sock:
        listener = RedirectListener([sock], Redirect(https_port=443, allowed=HOSTS.__contains__))
        listener.stop()
        server = Running(port=sock.getsockname()[1])
        for _ in range(3):
            listener.start()
            listener.start()
            assert [one.daemon for one in threading.enumerate() if one.name == "tlsrun-redirect"] == [True]
            with server.connect() as held:
                assert server.ask("/").status == 308
                listener.stop()
                assert held.recv(1) == b""
            listener.stop()
        assert sock.fileno() >= 0
    assert len(os.listdir("/proc/self/fd")) == before


def test_port_is_free_again_at_once() -> None:
    """A restart can bind the port although connections of before are still remembered by the system."""
    port = free_port()
    for _ in range(2):
        with listen("127.0.0.1", port) as sock:
            listener = RedirectListener([sock], Redirect(https_port=443, allowed=HOSTS.__contains__))
            listener.start()
            assert Running(port=port).ask("/").status == 308
            listener.stop()


_FORKS = """
import os, signal, sys, time
from pathlib import Path
import socket
from tlsrun.redirect.port import Redirect, RedirectListener

sock = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def allowed(host):
    Path(sys.argv[2], f"seen-{os.getpid()}").touch()
    return True
listener = RedirectListener([sock], Redirect(https_port=443, allowed=allowed))
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        listener.start()
        signal.pause()
    children.append(child)
signal.signal(signal.SIGTERM, lambda *_: [os.kill(one, signal.SIGKILL) for one in children])
for one in children:
    os.waitpid(one, 0)
print("ended", flush=True)
"""


def test_processes_share_the_socket(tmp_path: Path) -> None:
    """Forked processes accept from one socket; while one of them lives, visitors are answered."""
    port = free_port()
    with Server([sys.executable, "-W", "error", "-c", _FORKS, str(port), str(tmp_path)]) as program:
        program.until_listening(("127.0.0.1", port))
        server = Running(port=port)

        def all_have_answered() -> bool:
            with contextlib.ExitStack() as stack:
                burst = [stack.enter_context(server.connect()) for _ in range(20)]
                for one in burst:
                    one.sendall(REQUEST)
                assert all(one.recv(65536).startswith(b"HTTP/1.1 308 ") for one in burst)
            return len(list(tmp_path.glob("seen-*"))) == 3

        program.wait_for(all_have_answered, what="answers of all three processes")
        pids = [int(file.name.removeprefix("seen-")) for file in tmp_path.glob("seen-*")]
        for pid in pids[:2]:
            os.kill(pid, signal.SIGKILL)
        for _ in range(20):
            assert server.ask("/").status == 308
        assert "Traceback" not in program.log()
