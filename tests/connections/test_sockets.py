"""Server sockets under clients that stall, drip, speak HTTP or come twice."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, client_hello, https_get, openssl_s_client, stalled, tls_connect
from tests.support.process import eventually, in_time
from tests.tls.serving import TLS12, TLS13, certificates, served
from tlsrun.connections.handshaking import HandshakeFailed
from tlsrun.connections.sockets import ServerSocket
from tlsrun.tls.policy import Policy


@pytest.fixture
def address(localhost_cert: Paths) -> Iterator[Address]:
    """A server whose clients have one second to shake hands."""
    with served(certificates(localhost_cert, handshake_timeout=1).context) as where:
        yield where


def _pair(context: ssl.SSLContext) -> tuple[ServerSocket, socket.socket]:
    """A wrapped accepted socket that has not shaken hands, and the client's plain end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=60)
        accepted, _ = listener.accept()
    server = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
    assert isinstance(server, ServerSocket)
    return server, client


@pytest.mark.parametrize("kind", ["silent", "half-hello", "drip"])
def test_stalled_clients_stop_nobody(kind: str, address: Address, ca_file: Path) -> None:
    """Others are answered meanwhile, and each that stalls is gone soon after the one deadline, dripping or not."""

    def lasts() -> float:
        with stalled(kind, 50, address, interval=0.3) as crowd:
            began = time.monotonic()
            assert in_time(lambda: https_get("https://localhost/", ca_file, address=address), 1).status == 200
            assert crowd.still_open()
            eventually(lambda: crowd.still_open() == 0)
            return time.monotonic() - began

    assert any(lasts() < 3 for _ in range(3))


def test_keeps_the_name_that_was_asked_for(address: Address, ca_file: Path) -> None:
    """The server knows the SNI name afterwards, and None where there was none."""
    assert https_get("https://localhost/", ca_file, address=address).text == "sni=localhost client=False"
    assert https_get("https://127.0.0.1/", ca_file, address=address).text == "sni=None client=False"


@pytest.mark.parametrize("policy", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_says_goodbye(policy: Policy, localhost_cert: Paths, ca_file: Path) -> None:
    """close_notify is sent, so that a client can tell the end from a cut."""
    with served(certificates(localhost_cert, policy).context) as address:
        said = openssl_s_client(address, ca_file, "-msg")
    assert "200 OK" in said.http
    assert "close_notify" in said.output.partition("HTTP/1.1 200")[2]


def test_says_goodbye_without_waiting(localhost_cert: Paths) -> None:
    """A client that reads nothing and whose buffers are full holds up no close."""

    def lasts() -> float:
        server, client = _pair(certificates(localhost_cert).context)
        with client, tls_and_thread(client, server):
            server.settimeout(0.2)
            with pytest.raises(TimeoutError):
                server.sendall(b"x" * 50_000_000)
            began = time.monotonic()
            server.close()
            return time.monotonic() - began

    assert any(lasts() < 2 for _ in range(3))


@contextlib.contextmanager
def tls_and_thread(client: socket.socket, server: ServerSocket) -> Iterator[None]:
    """Shake hands over a pair, both sides in this thread."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    server.settimeout(0)
    for _ in range(10):
        done = _step(tls.do_handshake)
        if outgoing.pending:
            client.sendall(outgoing.read())
            select.select([server], [], [], 60)
        if _step(server.do_handshake) and done:
            break
        incoming.write(client.recv(65536))
    yield


def _step(shake: object) -> bool:
    try:
        shake()  # type: ignore[operator]
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    return True


def test_non_blocking_handshake_is_its_owners(localhost_cert: Paths) -> None:
    """A reactor sees SSLWantReadError until it is done; asking again afterwards changes nothing."""
    server, client = _pair(certificates(localhost_cert).context)
    with client, server:
        server.settimeout(0)
        for _ in range(3):
            with pytest.raises(ssl.SSLWantReadError):
                server.do_handshake()
        with pytest.raises(ssl.SSLWantReadError):
            server.recv(1)
        with tls_and_thread(client, server):
            assert server.version() == "TLSv1.3"
        server.do_handshake()


def test_peek_takes_nothing(localhost_cert: Paths) -> None:
    """The first bytes can be looked at, and the handshake still works."""
    server, client = _pair(certificates(localhost_cert).context)
    with client, server:
        client.sendall(client_hello())
        assert server.peek().startswith(b"\x16\x03")
        assert server.peek().startswith(b"\x16\x03")


def test_a_wrapped_socket_is_not_wrapped_again(localhost_cert: Paths) -> None:
    """A server that wraps what it was handed gets the same socket back."""
    context = certificates(localhost_cert).context
    server, client = _pair(context)
    with client, server:
        assert context.wrap_socket(server, server_side=True) is server


def test_failure_is_a_client_that_went_away(localhost_cert: Paths) -> None:
    """Servers meet a failed handshake as a ConnectionResetError that says why."""
    server, client = _pair(certificates(localhost_cert).context)
    with client, server:
        client.sendall(b"hello\n")
        with pytest.raises(HandshakeFailed, match="not TLS") as failure:
            server.recv(1)
        assert isinstance(failure.value, ConnectionResetError)
        with pytest.raises(HandshakeFailed):
            server.send(b"never in the clear")


def test_timeout_of_the_owner_comes_back(localhost_cert: Paths, ca_file: Path) -> None:
    """The deadline of the handshake does not stay on the socket."""
    with served(certificates(localhost_cert).context) as address, tls_connect(address, ca_file) as tls:
        tls.settimeout(5)
        assert tls.gettimeout() == 5
    server, client = _pair(certificates(localhost_cert).context)
    with client, server:
        server.settimeout(7)
        client.close()
        with pytest.raises(HandshakeFailed):
            server.do_handshake()
        assert server.gettimeout() == 7


def test_another_thread_can_end_the_wait(localhost_cert: Paths) -> None:
    """stop_reading lets the reader see the end of the stream, for a reason that the log can say."""
    server, client = _pair(certificates(localhost_cert).context)
    with client, server:
        server.stop_reading("the server stops")
        with pytest.raises(HandshakeFailed, match="the server stops"):
            server.recv(1)


def _read_to_the_end(client: ssl.SSLSocket) -> None:
    while client.recv(65536):
        pass


def test_abort_is_no_end(localhost_cert: Paths) -> None:
    """An aborted connection is reset: no client takes what came for all there is."""
    server, client = _pair(certificates(localhost_cert).context)
    with client, tls_and_thread(client, server):
        server.abort()
        server.close()
        with pytest.raises(ConnectionResetError):
            _read_to_the_end(client)


def curl_plain(address: Address, *arguments: str, host: str = "localhost") -> subprocess.CompletedProcess[str]:
    """Ask by http:// what speaks https://."""
    url = f"http://{host}:{address[1]}/a?b=c"
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "-i", "--connect-to", f"{host}::127.0.0.1:", *arguments, url],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_plain_http_is_sent_on(address: Address, ca_file: Path) -> None:
    """A person who typed http:// lands on the https page."""
    said = curl_plain(address, "-L", "--cacert", str(ca_file)).stdout
    assert said.startswith("HTTP/1.1 301 ")
    assert f"Location: https://localhost:{address[1]}/a?b=c" in said
    assert "sni=localhost" in said


def test_plain_post_reads_its_answer(address: Address, tmp_path: Path) -> None:
    """A body that nobody reads does not reset the answer away."""
    body = tmp_path / "body"
    body.write_bytes(b"x" * 3_000_000)
    done = curl_plain(address, "--data-binary", f"@{body}")
    assert (done.returncode, done.stdout[:13]) == (0, "HTTP/1.1 308 "), done.stderr
    assert curl_plain(address, host="other.test").stdout.startswith("HTTP/1.1 400 ")


def test_dripped_plain_http_has_the_same_deadline(address: Address) -> None:
    """A request head that comes byte by byte is cut at the deadline of the handshake."""
    began = time.monotonic()
    with socket.create_connection(address, timeout=60) as plain:
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200:
                plain.send(bytes([byte]))
                if select.select([plain], [], [], 0.1)[0]:
                    break
        with contextlib.suppress(OSError):
            assert plain.recv(1) == b""
    assert 0.9 < time.monotonic() - began < 10
