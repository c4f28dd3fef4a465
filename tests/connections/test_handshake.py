"""Failed handshakes in words, and a log that cannot be flooded."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading

import pytest

from tests.support.certs import Paths
from tests.support.clients import client_context, client_hello, tls_connect
from tests.support.process import eventually
from tests.tls.serving import TLS13, certificates, served
from tlsrun.connections.handshake import (
    HandshakeLog,
    offered_version,
    reason,
    silence_undecodable_server_names,
    spell_peer,
)
from tlsrun.tls.policy import Policy


def _reasons(caplog: pytest.LogCaptureFixture, count: int = 1) -> list[str]:
    def found() -> list[str]:
        messages = [one.getMessage() for one in caplog.records if one.name == "tlsrun.handshake"]
        return messages if len(messages) >= count else []

    return [message.partition(" failed: ")[2] for message in eventually(found)]


def _client(**more: object) -> ssl.SSLContext:
    context = client_context(None)
    for name, value in more.items():
        setattr(context, name, value)
    return context


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a log of its own, for the process's is bounded."""
    caplog.set_level(logging.DEBUG, logger="tlsrun")
    monkeypatch.setattr("tlsrun.connections.handshaking.FAILURES", HandshakeLog())


def test_says_that_the_client_does_not_trust_us(localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """A client that does not know our CA is told apart from a broken one."""
    with served(certificates(localhost_cert).context) as address, pytest.raises(ssl.SSLCertVerificationError):
        tls_connect(address, None, context=ssl.create_default_context())
    assert _reasons(caplog) == ["unknown CA: the client does not trust our certificate"]


def test_says_which_version_the_client_offered(localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """An old client is named with the newest version it knows."""
    old = _client(maximum_version=ssl.TLSVersion.TLSv1_2)
    with served(certificates(localhost_cert, TLS13).context) as address, pytest.raises(ssl.SSLError):
        tls_connect(address, None, context=old)
    assert _reasons(caplog) == ["client offered only TLS 1.2"]


def test_says_that_a_tls_1_0_client_is_one(localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """A ClientHello of TLS 1.0 is refused and named."""
    hello = bytes.fromhex("16030100310100002d0301" + "00" * 32 + "00" + "0004c014c013" + "0100" + "0000")
    assert offered_version(hello) == "TLS 1.0"
    with served(certificates(localhost_cert).context) as address, socket.create_connection(address) as plain:
        plain.sendall(hello)
        assert plain.recv(64)[:1] == b"\x15"
    assert _reasons(caplog) == ["client offered only TLS 1.0"]


def test_says_that_nothing_is_in_common(localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """No common cipher suite is said so."""
    odd = _client(maximum_version=ssl.TLSVersion.TLSv1_2)
    odd.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    with served(certificates(localhost_cert).context) as address, pytest.raises(ssl.SSLError):
        tls_connect(address, None, context=odd)
    assert _reasons(caplog) == ["no common cipher"]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "client closed, without a byte"),
        (client_hello()[:100], "client closed"),
        (b"G", "client closed"),
        (b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on the HTTPS port"),
        (b"SSH-2.0-OpenSSH\r\n", "not TLS (it began with 53 53 48 2d 32 2e 30 2d)"),
    ],
    ids=["nothing", "half a ClientHello", "a letter", "HTTP", "SSH"],
)
def test_says_what_came_instead(sent: bytes, why: str, localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """What is no handshake, or only half of one, is named."""
    with served(certificates(localhost_cert).context) as address, socket.create_connection(address) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        assert _reasons(caplog) == [why]
    record = caplog.records[0]
    assert record.levelno == (logging.INFO if sent else logging.DEBUG)
    assert record.exc_info is None
    assert "127.0.0.1:" in record.getMessage()


def test_says_that_time_is_over(localhost_cert: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """A silent client is logged with the seconds it had."""
    context = certificates(localhost_cert, Policy(), handshake_timeout=0.2).context
    with served(context) as address, socket.create_connection(address):
        assert _reasons(caplog) == ["timed out after 0.2 s, without a byte"]


def test_writes_no_traceback_for_a_name_that_cannot_be_read(
    localhost_cert: Paths, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server name that is not ASCII fails the handshake in one line; other reports go on as before."""
    others: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", others.append)
    silence_undecodable_server_names()
    hello = client_hello("localhost").replace(b"localhost", b"local\xffost")
    with served(certificates(localhost_cert).context) as address, socket.create_connection(address) as plain:
        plain.sendall(hello)
        assert plain.recv(64)[:1] == b"\x15"
    assert _reasons(caplog) == ["no certificate for the name that the client asked for"]
    assert others == []


def test_words_for_every_error() -> None:
    """Whatever is raised, there are words for it."""
    tls = b"\x16\x03\x01"
    assert reason(TimeoutError(), tls, timeout=10.0) == "timed out after 10 s"
    assert reason(TimeoutError(), tls) == "timed out"
    assert reason(ConnectionResetError(), tls) == "client closed"
    assert reason(OSError(113, "No route to host"), tls) == "no route to host"
    assert reason(ssl.SSLError(1), tls) == "the TLS library gave no reason"
    assert reason(RuntimeError(), tls) == "RuntimeError"
    alert = ssl.SSLError(1)
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert reason(alert, tls) == "client says: certificate required"
    other = ssl.SSLError(1)
    other.reason = "BAD_EXTENSION"
    assert reason(other, tls) == "bad extension"


def test_spells_addresses() -> None:
    """Peers are written as in a URL."""
    assert spell_peer(("127.0.0.1", 5)) == "127.0.0.1:5"
    assert spell_peer(("::1", 5, 0, 0)) == "[::1]:5"
    assert spell_peer("") == "a local client"


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """After the limit lines are counted, and the count is written when the window is over."""
    clock = Clock()
    log = HandshakeLog(limit=2, window=10, clock=clock)
    for number in range(5):
        log.failed(("127.0.0.1", number), "why")
    assert [one.getMessage() for one in caplog.records] == [
        "handshake with 127.0.0.1:0 failed: why",
        "handshake with 127.0.0.1:1 failed: why",
    ]
    clock.now = 10
    log.failed(("127.0.0.1", 9), "why")
    assert [one.getMessage() for one in caplog.records][2:] == [
        "3 more failed handshakes in the last 10 s",
        "handshake with 127.0.0.1:9 failed: why",
    ]


def test_log_writes_its_summary_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The count is written at the end of the window even when nothing fails any more."""
    log = HandshakeLog(limit=1, window=0.2)
    threads = [threading.Thread(target=log.failed, args=(("127.0.0.1", 1), "why")) for _ in range(20)]
    for thread in threads:
        thread.start()
    counts = re.compile(r"(\d+) more failed handshakes in the last 0.2 s")  # two, where 20 threads take longer
    singly = re.compile("handshake with 127.0.0.1:1 failed: why")
    eventually(lambda: len(singly.findall(caplog.text)) + sum(map(int, counts.findall(caplog.text))) == 20)
