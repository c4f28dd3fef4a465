"""What looks like Windows: the built-in server serves, and ends; nothing is watched by anything but select()."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import Address, client_context, free_port, https_get, stalled, tls_connect
from tests.support.process import Server, eventually
from tests.support.systems import Shell

_SIGBREAK = 21  # the number of Ctrl-Break

APPLICATIONS = pytest.mark.parametrize("application", ["hello:app", "bottled:app"])


@contextlib.contextmanager
def serving(windows: Shell, paths: Paths, application: str, *more: str) -> Iterator[tuple[Server, Address]]:
    """``tlsrun run``, answering."""
    address = ("127.0.0.1", free_port())
    cert = ("--cert", str(paths.fullchain), "--key", str(paths.key), "--port", str(address[1]))
    with windows.start("-m", "tlsrun", "run", application, *cert, *more) as server:
        yield server.until_tls(address), address


@APPLICATIONS
def test_serves(windows: Shell, localhost_cert: Paths, ca_file: Path, application: str) -> None:
    """Kept connections, an upload, http:// on that port, `tlsrun status`; silent clients do not hold the end."""
    with serving(windows, localhost_cert, application) as (server, address):
        url = f"https://localhost:{address[1]}"
        with tls_connect(address, ca_file) as client:
            for _ in range(3):
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert _answered(client).endswith(b"hello https")
            assert https_get(f"{url}/size", ca_file, method="POST", body=b"x" * 300_000).text == "300000"
            with socket.create_connection(address) as plain:
                plain.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{address[1]}\r\n\r\n".encode())
                assert f"ocation: https://localhost:{address[1]}/".encode() in plain.recv(4096)
            status = windows.run("-m", "tlsrun", "status")
            assert (status.returncode, f"127.0.0.1:{address[1]}" in status.stdout) == (0, True), status
            with stalled("silent", 3, address):
                server.signal(signal.SIGINT)
                assert client.recv(1) == b""  # long before its request would have been awaited in vain
                assert server.wait(8) == 0
        assert "Traceback" not in server.log()
    assert "No server" in windows.run("-m", "tlsrun", "status").stderr


def test_main_thread_in_a_request(windows: Shell, localhost_cert: Paths, ca_file: Path) -> None:
    """With one thread requests run in the main one, which no signal wakes there; Ctrl-Break is heard all the same."""
    with serving(windows, localhost_cert, "hello:app", "--threads", "1") as (server, address):
        assert https_get("https://localhost/", ca_file, address=address).text == "hello https"
        server.signal(_SIGBREAK)
        assert server.wait(8) == 0


def test_more_clients_than_select_takes(windows: Shell, localhost_cert: Paths, ca_file: Path) -> None:
    """Who waits longest makes room; nobody is turned away, and nothing is logged but that."""
    with serving(windows, localhost_cert, "hello:app") as (server, address):
        context = client_context(ca_file)
        with contextlib.ExitStack() as stack:
            for _ in range(540):
                client = stack.enter_context(_connected(context, address))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert _answered(client).endswith(b"hello https")
            assert https_get("https://localhost/", ca_file, address=address).text == "hello https"
        assert "Traceback" not in server.log()
        assert "select" not in server.log()


def test_renewed_certificates(windows: Shell, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """Are served, also when they are replaced as Windows has it: not as long as somebody reads them."""
    first, second = ca.leaf(), ca.leaf()
    paths = first.write(tmp_path)
    with serving(windows, paths, "hello:app") as (_, address):
        assert https_get("https://localhost/", ca_file, address=address).tls.certificate == first.der
        second.write(tmp_path)
        eventually(
            lambda: https_get("https://localhost/", ca_file, address=address).tls.certificate == second.der,
            what="the renewed certificate",
        )


def test_challenges(windows: Shell, localhost_cert: Paths, tmp_path: Path) -> None:
    """The redirect port answers ACME's challenges without opening files by their folder, and follows no link out."""
    folder = tmp_path / "webroot/.well-known/acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.key", encoding="ascii")
    (tmp_path / "secret").write_text("secret", encoding="ascii")
    (folder / "out").symlink_to(tmp_path / "secret")
    port = free_port()
    more = ("--redirect-port", str(port), "--acme-webroot", str(tmp_path / "webroot"))
    with serving(windows, localhost_cert, "hello:app", *more) as (server, address):
        place = ("127.0.0.1", port)
        assert b"token.key" in _plain(place, "/.well-known/acme-challenge/token")
        assert b"secret" not in _plain(place, "/.well-known/acme-challenge/out")
        assert f"https://localhost:{address[1]}/x".encode() in _plain(place, "/x")


@pytest.mark.parametrize("script", ["hello.py", "bottled.py"])
def test_reloader(windows: Shell, script: str) -> None:
    """A saved file is served, by a process that opens the port anew; Ctrl-C ends both without a traceback."""
    address = ("127.0.0.1", free_port())
    source = windows.folder / script
    with windows.start(script, PORT=str(address[1]), RELOADER="1", DEBUG="1") as server:
        server.until_tls(address)
        assert _text(address) == "hello https"
        source.write_text(source.read_text("utf-8").replace("hello {", "goodbye {"), encoding="utf-8")
        server.wait_for(lambda: _text(address) == "goodbye https", what="the saved file")
        for pid in server.members():  # at a console everybody hears of it
            os.kill(pid, signal.SIGINT)
        assert server.wait(15) == 0
        assert "Traceback" not in server.log()


def test_debugger(windows: Shell) -> None:
    """Shows the error on its page."""
    address = ("127.0.0.1", free_port())
    with windows.start("hello.py", PORT=str(address[1]), DEBUG="1") as server:
        server.until_tls(address)
        assert "EVALEX = true" in _text(address, "/fails")


def _connected(context: ssl.SSLContext, address: Address) -> ssl.SSLSocket:
    client = context.wrap_socket(socket.socket(), server_hostname="localhost")
    client.settimeout(30)
    client.connect(address)
    return client


def _answered(client: ssl.SSLSocket) -> bytes:
    data = b""
    while not data.endswith(b"https"):
        more = client.recv(4096)
        assert more, data
        data += more
    return data


def _plain(address: Address, path: str) -> bytes:
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(4096), b""))


def _text(address: Address, path: str = "/") -> str:
    """What is answered by a server with a development certificate; "" while none is there."""
    try:
        return https_get(f"https://localhost{path}", None, address=address).text
    except OSError:
        return ""
