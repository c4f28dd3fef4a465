"""tlsrun.wsgi.connection: the view that views see."""

from __future__ import annotations

import pytest

from tests.support.certs import Paths
from tests.wsgi import forge
from tests.wsgi.conftest import Handshake
from tlsrun.wsgi import ClientCertificate, ConnectionFacts, TLSInfo, establish, facts_from_certificate


def test_a_plain_request() -> None:
    """Without TLS all is said, as nothing."""
    tls = TLSInfo({"wsgi.url_scheme": "https", "SSL_PROTOCOL": "TLSv1.3", "HTTP_X_FORWARDED_PROTO": "https"})
    assert not tls
    assert (tls.secure, tls.version, tls.cipher, tls.key_size, tls.sni, tls.resumed) == (
        False, None, None, None, None, False,
    )  # fmt: skip
    assert not tls.client
    assert repr(tls) == "<TLSInfo: not TLS>"


def test_a_request_over_tls(connect: Handshake) -> None:
    """The view says what the connection was, with the middleware or without."""
    connection = connect()
    connection.tls_sni = "a.test"  # type: ignore[attr-defined]
    environ = {"gunicorn.socket": connection}
    for tls in (TLSInfo(environ), establish(environ) and TLSInfo(environ)):
        assert tls
        assert (tls.secure, tls.version, tls.cipher, tls.key_size, tls.sni, tls.resumed) == (
            True, "TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, "a.test", False,
        )  # fmt: skip
        assert repr(tls) == "<TLSInfo: TLSv1.3 TLS_AES_256_GCM_SHA384, SNI a.test>"


def test_no_client_certificate(connect: Handshake) -> None:
    """A client without a certificate is false, and asking about it is no error."""
    client = TLSInfo({"gunicorn.socket": connect()}).client
    assert not client
    assert not client.verified
    assert (client.verify, client.subject, client.issuer, client.serial) == ("NONE", None, None, None)
    assert (client.sans, client.pem, client.certificate) == ((), None, None)
    assert repr(client) == "<ClientCertificate: none>"


def test_a_client_certificate(connect: Handshake, client_cert: Paths) -> None:
    """A client with a certificate is described by it, and it can be had whole."""
    tls = TLSInfo({"gunicorn.socket": connect(client_cert)})
    client = tls.client
    assert client
    assert client.verified
    assert (client.subject, client.issuer) == ("CN=jo.test", "CN=tlsrun test root intermediate 1")
    assert client.dns_names == ("jo.test", "al.test")
    assert client.emails == ("jo@jo.test",)
    assert client.sans == ("jo.test", "al.test", "jo@jo.test")
    assert client.certificate == client_cert.pair.certificate
    assert int(client.serial or "", 16) == client_cert.pair.certificate.serial_number
    assert repr(tls).endswith(", client CN=jo.test>")
    assert repr(client) == "<ClientCertificate: CN=jo.test, SUCCESS>"


def test_text_is_text() -> None:
    """Names are text here, not the octets that WSGI hands over."""
    forged = forge.certificate(forge.name(forge.attribute("2.5.4.10", "Grün, 日本")))
    assert ClientCertificate(facts_from_certificate(forged.certificate)).subject == "O=Grün\\, 日本"


@pytest.mark.parametrize("verify", ["GENEROUS", "FAILED:certificate has expired"])
def test_presented_but_not_verified(verify: str) -> None:
    """A certificate that no authority vouches for is there, but not verified."""
    client = ClientCertificate(ConnectionFacts(SSL_CLIENT_VERIFY=verify, SSL_CLIENT_S_DN="CN=mallory"))
    assert client
    assert not client.verified
    assert client.verify == verify


def test_views_are_read_only() -> None:
    """What was cannot be changed."""
    tls = TLSInfo({})
    with pytest.raises(AttributeError, match="read-only"):
        tls.secure = True  # type: ignore[misc]
    with pytest.raises(AttributeError, match="read-only"):
        tls.client.subject = "CN=root"  # type: ignore[misc]
