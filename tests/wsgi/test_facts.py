"""tlsrun.wsgi.facts over real TLS connections."""

from __future__ import annotations

import gc
import ssl
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import client_context
from tests.wsgi.conftest import Handshake, shake_hands
from tlsrun.wsgi.facts import ConnectionFacts, connection_facts, facts_from_certificate, facts_from_tls


def test_without_a_client_certificate(connect: Handshake) -> None:
    """A connection has mod_ssl's names for protocol, suite, key size, resumption and SNI, and no client."""
    assert facts_from_tls(connect(), sni="localhost") == {
        "HTTPS": "on",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": "TLS_AES_256_GCM_SHA384",
        "SSL_CIPHER_USEKEYSIZE": "256",
        "SSL_CIPHER_ALGKEYSIZE": "256",
        "SSL_SESSION_RESUMED": "Initial",
        "SSL_TLS_SNI": "localhost",
        "SSL_CLIENT_VERIFY": "NONE",
    }


def test_with_a_client_certificate(connect: Handshake, client_cert: Paths, ca: Authority) -> None:
    """A client that presents a certificate is SUCCESS, and described."""
    facts = facts_from_tls(connect(client_cert), sni=None)
    certificate = client_cert.pair.certificate
    assert facts["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert facts["SSL_CLIENT_S_DN"] == "CN=jo.test"
    assert facts["SSL_CLIENT_I_DN"] == "CN=tlsrun test root intermediate 1"
    assert int(facts["SSL_CLIENT_M_SERIAL"], 16) == certificate.serial_number
    assert ssl.cert_time_to_seconds(facts["SSL_CLIENT_V_START"]) == certificate.not_valid_before_utc.timestamp()
    assert ssl.cert_time_to_seconds(facts["SSL_CLIENT_V_END"]) == certificate.not_valid_after_utc.timestamp()
    assert facts["SSL_CLIENT_V_REMAIN"] == "29"
    assert facts["SSL_CLIENT_SAN_DNS_0"] == "jo.test"
    assert facts["SSL_CLIENT_SAN_DNS_1"] == "al.test"
    assert facts["SSL_CLIENT_SAN_Email_0"] == "jo@jo.test"
    assert facts["SSL_CLIENT_CERT"].encode() == client_cert.pair.cert_pem
    assert "SSL_TLS_SNI" not in facts


def test_a_resumed_session_keeps_its_client(server_context: ssl.SSLContext, ca_file: Path, client_cert: Paths) -> None:
    """SSL_SESSION_RESUMED is Resumed, and the certificate of the first handshake still counts."""
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    context = client_context(ca_file, cert=client_cert.fullchain, key=client_cert.key)
    first, client_end = shake_hands(server_context, context)
    again, _ = shake_hands(server_context, context, session=client_end.session)
    facts = facts_from_tls(again, sni=None)
    assert facts["SSL_SESSION_RESUMED"] == "Resumed"
    assert facts["SSL_PROTOCOL"] == "TLSv1.2"
    assert facts["SSL_CLIENT_CERT"] == facts_from_tls(first, sni=None)["SSL_CLIENT_CERT"]


@pytest.mark.parametrize(
    ("suite", "bits"), [("ECDHE-ECDSA-AES128-GCM-SHA256", "128"), ("ECDHE-ECDSA-CHACHA20-POLY1305", "256")]
)
def test_key_sizes(connect: Handshake, server_context: ssl.SSLContext, suite: str, bits: str) -> None:
    """Key sizes are those of the suite that was agreed on."""
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    server_context.set_ciphers(suite)
    facts = facts_from_tls(connect(), sni=None)
    assert (facts["SSL_CIPHER"], facts["SSL_CIPHER_USEKEYSIZE"], facts["SSL_CIPHER_ALGKEYSIZE"]) == (suite, bits, bits)


def test_a_context_that_does_not_verify_vouches_for_nobody(
    connect: Handshake, server_context: ssl.SSLContext, client_cert: Paths, localhost_cert: Paths, ca_file: Path
) -> None:
    """When the context that answered in the end asks for no certificate, one that came all the same does not count."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lax.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    lax.load_verify_locations(ca_file)
    server_context.sni_callback = lambda connection, name, context: setattr(connection, "context", lax)
    connection = connect(client_cert)
    assert connection.getpeercert(True)
    facts = facts_from_tls(connection, sni=None)
    assert [name for name in facts if name.startswith("SSL_CLIENT_")] == ["SSL_CLIENT_VERIFY"]
    assert facts["SSL_CLIENT_VERIFY"] == "NONE"


def test_no_facts_before_the_handshake(server_context: ssl.SSLContext) -> None:
    """A connection that has not finished its handshake has no facts, and none are kept."""
    connection = server_context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert connection_facts(connection) == {}
    assert not [name for name in vars(connection) if "tlsrun" in name]


def test_facts_are_read_once_for_a_connection(connect: Handshake) -> None:
    """All requests of a connection get the same object; SNI is what the callback left on the connection."""
    connection = connect()
    connection.tls_sni = "a.test"  # type: ignore[attr-defined]
    facts = connection_facts(connection)
    assert facts["SSL_TLS_SNI"] == "a.test"
    assert connection_facts(connection) is facts


def test_facts_keep_no_connection_alive(connect: Handshake) -> None:
    """The facts go with their connection."""
    connection = connect()
    facts, gone = connection_facts(connection), weakref.ref(connection)
    del connection
    gc.collect()
    assert facts
    assert gone() is None


@pytest.mark.parametrize("other", [None, "tls", 7, object()])
def test_what_is_no_tls_connection_has_no_facts(other: object) -> None:
    """A plain socket, or anything else under the key, is not TLS."""
    assert connection_facts(other) == {}


def test_a_certificate_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """It stays verified, but nothing is guessed about it."""
    facts = facts_from_certificate(b"\x30\x03\x02\x01\x01")
    assert set(facts) == {"SSL_CLIENT_VERIFY", "SSL_CLIENT_CERT"}
    assert "cannot be read" in caplog.text


def test_facts_are_a_type_of_their_own() -> None:
    """A plain dict is not ConnectionFacts, which is how the middleware tells its own work from something alike."""
    assert type(facts_from_certificate(b"")) is ConnectionFacts


def test_cryptography_is_not_imported() -> None:
    """A server without client certificates does not pay for `cryptography`, nor for a framework."""
    program = "import sys, tlsrun.wsgi; print({'cryptography', 'flask', 'bottle', 'werkzeug'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"
