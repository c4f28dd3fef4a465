"""What is issued is what operating systems and strict verifiers accept."""

from __future__ import annotations

import contextlib
import datetime
import functools
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.certs import DAY, NOW
from tests.support.clients import curl, free_port
from tests.tls.loading import NEW_KEY, openssl
from tlsrun.certificates.identity import Identity
from tlsrun.development.issue import CertificateAuthority, clean_names, issue_leaf, make_authority, make_key
from tlsrun.errors import CertificateError
from tlsrun.tls.context import load_certificate

NAMES = ("localhost", "127.0.0.1", "::1", "app.example.test")


@pytest.fixture(scope="module")
def own_ca() -> CertificateAuthority:
    return make_authority("me@host", now=NOW)


def written(folder: Path, ca: CertificateAuthority, identity: Identity) -> tuple[Path, Path]:
    """Root and leaf as files."""
    root, leaf = folder / "rootCA.pem", folder / "leaf.pem"
    root.write_bytes(ca.pem)
    leaf.write_bytes(identity.fullchain)
    return root, leaf


def test_the_authority(own_ca: CertificateAuthority) -> None:
    """Ten years, cannot delegate, and says in a trust store whose it is."""
    root = own_ca.certificate
    assert root.subject.rfc4514_string() == "CN=tlsrun me@host,OU=me@host,O=tlsrun development CA"
    assert root.not_valid_before_utc < NOW
    assert root.not_valid_after_utc == NOW + 3650 * DAY
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    assert root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert isinstance(own_ca.key, ec.EllipticCurvePrivateKey)
    assert "key=" not in repr(own_ca)


def test_the_leaf(own_ca: CertificateAuthority) -> None:
    """For servers only, within Apple's 825 days, with a serial nobody can guess."""
    leaf = issue_leaf(own_ca, NAMES, now=NOW)
    extensions = leaf.certificate.extensions
    assert leaf.names == NAMES
    assert leaf.key_type == "ECDSA P-256"
    assert leaf.chain == ()
    assert leaf.not_before == NOW - datetime.timedelta(hours=1)
    assert datetime.timedelta(days=800) < leaf.not_after - leaf.not_before <= datetime.timedelta(days=825)
    assert leaf.certificate.serial_number.bit_length() == 128
    assert leaf.serial != issue_leaf(own_ca, NAMES, now=NOW).serial
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    above = own_ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == above.digest


@functools.cache
def ca_with(key_type: str) -> CertificateAuthority:
    return make_authority("me@host", now=NOW, key=make_key(key_type))


@pytest.mark.parametrize("ca_key", ["ECDSA P-256", "ECDSA P-384", "RSA 3072", "Ed25519"])
@pytest.mark.parametrize("key_type", ["ECDSA P-256", "ECDSA P-384", "RSA 2048", "Ed25519"])
def test_openssl_verifies_strictly(tmp_path: Path, ca_key: str, key_type: str) -> None:
    """Every pair of key types, by host name and by address."""
    ca = ca_with(ca_key)
    leaf = issue_leaf(ca, NAMES, now=NOW, key_type=key_type)
    assert leaf.key_type == key_type
    root, path = written(tmp_path, ca, leaf)
    strict = ("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root)
    assert openssl(*strict, "-verify_hostname", "app.example.test", path).endswith(": OK\n")
    assert openssl(*strict, "-verify_ip", "::1", path).endswith(": OK\n")


def test_curl_and_python_trust_it(own_ca: CertificateAuthority, tmp_path: Path) -> None:
    """Real clients with nothing but the root connect by name and by address."""
    leaf = issue_leaf(own_ca, NAMES, now=NOW)
    root, _ = written(tmp_path, own_ca, leaf)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, leaf)
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listener:
        for host in ("127.0.0.1", "app.example.test"):
            server = threading.Thread(target=_answer_once, args=(listener, context))
            server.start()
            answer = curl(f"https://{host}:{port}/", root, "--resolve", f"app.example.test:{port}:127.0.0.1")
            server.join()
            assert (answer.status, answer.errors) == (204, "")
        server = threading.Thread(target=_answer_once, args=(listener, context))
        server.start()
        strict = ssl.create_default_context(cafile=str(root))
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            strict.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert tls.recv(12) == b"HTTP/1.1 204"
            while tls.recv(100):
                pass
        server.join()


def _answer_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as tls:
        tls.recv(1000)
        tls.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):  # a client that does not say goodbye
            tls.unwrap()


def test_a_leaf_does_not_outlive_its_ca() -> None:
    """It would fail with the CA all the same, without anybody knowing."""
    ca = make_authority("me@host", now=NOW - 3600 * DAY)
    assert issue_leaf(ca, NAMES, now=NOW).not_after == ca.certificate.not_valid_after_utc
    assert issue_leaf(ca, NAMES, now=NOW, days=7).not_after == NOW + 7 * DAY - datetime.timedelta(hours=1)


def test_a_ca_without_a_key_identifier_can_sign(tmp_path: Path) -> None:
    """A CA that somebody made by hand."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=hand-made", "-keyout", "k", "-out", "c",
            "-addext", "subjectKeyIdentifier=none", cwd=tmp_path)  # fmt: skip
    key = load_pem_private_key((tmp_path / "k").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    ca = CertificateAuthority(certificate=x509.load_pem_x509_certificate((tmp_path / "c").read_bytes()), key=key)
    leaf = issue_leaf(ca, ["a.test"], now=NOW + DAY)
    assert leaf.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    leaf.certificate.verify_directly_issued_by(ca.certificate)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (["A.Test", "a.test", "a.test."], ("a.test",)),
        (["[::1]", "0:0::1", "::1"], ("::1",)),
        (["fe80::1%eth0"], ("fe80::1",)),
        (["*.a.test"], ("*.a.test",)),
        (["Bücher.example"], ("xn--bcher-kva.example",)),
        (["my_container", "web-1"], ("my_container", "web-1")),
        ([" localhost "], ("localhost",)),
    ],
)
def test_names_are_cleaned(given: list[str], clean: tuple[str, ...]) -> None:
    """Each once, as it stands in a certificate."""
    assert clean_names(given) == clean


def test_all_impossible_names_are_said(own_ca: CertificateAuthority) -> None:
    """In one go, each as it was given."""
    bad = [
        "a b",
        "",
        "-a.test",
        "a..test",
        "*",
        "a.*.test",
        "http://a.test/",
        "x" * 254,
        "ü" * 70,
        "a/b",
        "..",
        "%",
    ]
    with pytest.raises(CertificateError) as caught:
        issue_leaf(own_ca, ["good.test", *bad], now=NOW)
    assert [problem.where for problem in caught.value.problems] == [f"the name {name!r}" for name in bad]


def test_misuse_is_an_error(own_ca: CertificateAuthority) -> None:
    """No name, and a type of key that does not exist."""
    with pytest.raises(ValueError, match="needs a name"):
        issue_leaf(own_ca, [], now=NOW)
    with pytest.raises(ValueError, match="one of ECDSA P-256, ECDSA P-384, RSA 2048"):
        issue_leaf(own_ca, NAMES, now=NOW, key_type="DSA")


def test_a_long_owner_is_cut(tmp_path: Path) -> None:
    """Names in certificates have limits; host names in clouds have none."""
    ca = make_authority("user@" + "x" * 100, now=NOW)
    leaf = issue_leaf(ca, NAMES, now=NOW)
    root, path = written(tmp_path, ca, leaf)
    openssl("verify", "-x509_strict", "-CAfile", root, path)
