"""The factory of contexts, with real handshakes."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import NOW, Authority, Paths
from tests.support.clients import client_context, facts, https_get, openssl_s_client, tls_connect
from tests.tls.serving import identity, served
from tlsrun.connections.server_context import ServerContext
from tlsrun.errors import CertificateError, ConfigurationError
from tlsrun.tls.context import ClientAuth, create_context
from tlsrun.tls.policy import Policy


@pytest.fixture(scope="module")
def clients_ca() -> Authority:
    """Who signs client certificates."""
    return Authority("clients")


def test_keeps_every_hardening_bit_of_the_default_context(localhost_cert: Paths) -> None:
    """No option and no verify flag of ssl.create_default_context is lost."""
    default = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context = create_context(identity(localhost_cert.pair), Policy())
    assert context.options & default.options == default.options
    wanted = default.verify_flags & ~ssl.VERIFY_X509_STRICT
    assert context.verify_flags & wanted == wanted
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


def test_serves_certificate_and_chain(localhost_cert: Paths, ca_file: Path) -> None:
    """A client that knows the root alone trusts it."""
    with served(create_context(identity(localhost_cert.pair), Policy(), context_class=ServerContext)) as address:
        assert openssl_s_client(address, ca_file).verified


@pytest.mark.parametrize(
    ("policy", "version"),
    [(Policy(), "TLSv1.3"), (Policy(max_version="1.2"), "TLSv1.2"), (Policy(min_version="1.3"), "TLSv1.3")],
)
def test_speaks_the_versions_of_the_policy(policy: Policy, version: str, localhost_cert: Paths, ca_file: Path) -> None:
    """The newest version of the policy is spoken."""
    with served(create_context(identity(localhost_cert.pair), policy, context_class=ServerContext)) as address:
        assert https_get("https://localhost/", ca_file, address=address).tls.version == version


def test_refuses_versions_outside_the_policy(localhost_cert: Paths) -> None:
    """A client of TLS 1.2 alone gets an alert from a TLS 1.3 server."""
    old = client_context(None)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        served(
            create_context(identity(localhost_cert.pair), Policy(min_version="1.3"), context_class=ServerContext)
        ) as address,
        pytest.raises(ssl.SSLError, match="(?i)alert protocol version"),
    ):
        tls_connect(address, None, context=old)


def test_sets_one_group(localhost_cert: Paths, ca_file: Path) -> None:
    """A single group of the policy is the one that is used."""
    with served(
        create_context(identity(localhost_cert.pair), Policy(groups=("secp384r1",)), context_class=ServerContext)
    ) as address:
        assert "ECDH, secp384r1" in openssl_s_client(address, ca_file).output


class NewerContext(ssl.SSLContext):
    """As Python 3.15's, with an OpenSSL that knows some of the groups."""

    asked: ClassVar[list[str]] = []
    unknown = ""

    def set_groups(self, groups: str) -> None:
        """Only whole lists are taken (SSL_CTX_set1_groups_list(3))."""
        self.asked.append(groups)
        if self.unknown and self.unknown in groups:
            raise ssl.SSLError("unrecognized group")


@pytest.mark.parametrize("unknown", ["", "X25519MLKEM768"])
def test_takes_mozillas_groups_where_a_list_can_be_set(unknown: str) -> None:
    """The guideline's groups, the hybrid one where OpenSSL has it; those that are named go before."""
    kind = type("Context", (NewerContext,), {"asked": [], "unknown": unknown})
    create_context(identity(Authority().leaf()), Policy(), context_class=kind)
    assert kind.asked[-1] == ("" if unknown else "X25519MLKEM768:") + "X25519:prime256v1:secp384r1"
    create_context(identity(Authority().leaf()), Policy(groups=("X448", "X25519")), context_class=kind)
    assert kind.asked[-1] == "X448:X25519"


def test_says_what_cannot_be_had() -> None:
    """A policy that OpenSSL or Python cannot do is a problem in words, not a traceback."""
    pair = identity(Authority().leaf())
    with pytest.raises(ConfigurationError, match="knows none of these suites"):
        create_context(pair, Policy(ciphers="NOSUCHSUITE"))
    with pytest.raises(ConfigurationError, match="does not know them all"):
        create_context(pair, Policy(groups=("nosuchgroup",)))
    if not hasattr(ssl.SSLContext, "set_groups"):
        with pytest.raises(ConfigurationError, match="one group only"):
            create_context(pair, Policy(groups=("X25519", "secp384r1")))


def test_says_why_a_hybrid_group_cannot_be_set() -> None:
    """Python before 3.15 cannot, whether OpenSSL has it or not, and OpenSSL from 3.5 on offers it by itself."""
    hybrid = Policy(groups=("X25519MLKEM768",))
    pair = identity(Authority().leaf())
    if hasattr(ssl.SSLContext, "set_groups") and ssl.OPENSSL_VERSION_INFO >= (3, 5):
        create_context(pair, hybrid)
    elif not hasattr(ssl.SSLContext, "set_groups"):
        with pytest.raises(ConfigurationError, match="elliptic curves only; from Python 3.15.* by themselves"):
            create_context(pair, hybrid)


def test_serves_two_kinds_of_key_side_by_side(ca: Authority, ca_file: Path) -> None:
    """A client that can only verify RSA gets the RSA certificate, others the ECDSA one."""
    ecdsa, rsa = ca.leaf(key="ecdsa"), ca.leaf(key="rsa")
    context = create_context(
        identity(ecdsa), Policy(max_version="1.2"), also=[identity(rsa)], context_class=ServerContext
    )
    with served(context) as address:
        only_rsa = client_context(ca_file)
        only_rsa.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        with tls_connect(address, None, context=only_rsa) as tls:
            assert facts(tls).certificate == rsa.der
        with tls_connect(address, ca_file) as tls:
            assert facts(tls).certificate == ecdsa.der


def _client(folder: Path, authority: Authority, ca_file: Path, serial: str) -> tuple[ssl.SSLContext, x509.Certificate]:
    pair = authority.leaf(serial, client=True)
    paths = pair.write(folder / serial)
    return client_context(ca_file, cert=paths.fullchain, key=paths.key), pair.certificate


def _crl(authority: Authority, revoked: x509.Certificate) -> bytes:
    certificate, key = authority.line[-1]
    entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(NOW).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject).last_update(NOW)
    builder = builder.next_update(NOW + datetime.timedelta(days=1)).add_revoked_certificate(entry)
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    above = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("policy", [Policy(max_version="1.2"), Policy(min_version="1.3")], ids=["1.2", "1.3"])
def test_asks_for_client_certificates(
    policy: Policy, clients_ca: Authority, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """Required means one that the CA signed; optional lets a client without one in; a revoked one is refused."""
    good, _ = _client(tmp_path, clients_ca, ca_file, "alice")
    bad, revoked = _client(tmp_path, clients_ca, ca_file, "mallory")
    stranger, _ = _client(tmp_path, Authority("others"), ca_file, "eve")
    none = client_context(ca_file)

    def ask(mode: str, client: ssl.SSLContext) -> str:
        auth = ClientAuth(ca=clients_ca.root_pem, mode=mode, crl=_crl(clients_ca, revoked))
        with served(
            create_context(identity(localhost_cert.pair), policy, client_auth=auth, context_class=ServerContext)
        ) as address:
            try:
                return https_get("https://localhost/", None, address=address, context=client).text
            except OSError:
                return "refused"

    assert ask("required", good) == "sni=None client=True"
    assert ask("required", none) == "refused"
    assert ask("required", stranger) == "refused"
    assert ask("required", bad) == "refused"
    assert ask("optional", none) == "sni=None client=False"
    assert ask("optional", stranger) == "refused"
    assert ask("none", good) == "sni=None client=False"


@pytest.mark.parametrize("policy", [Policy(max_version="1.2"), Policy(min_version="1.3")], ids=["1.2", "1.3"])
def test_every_python_decides_the_same(policy: Policy, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Clients of an authority without key identifiers come in, and those of an intermediate that is trusted without
    its root; not those of another intermediate below that root."""
    plain, deep = Authority("plain", identifiers=False), Authority("deep", intermediates=1)
    beside = Authority("beside", intermediates=1)

    def ask(ca: bytes, authority: Authority) -> str:
        client, _ = _client(tmp_path, authority, ca_file, f"alice of {authority.root.subject.rfc4514_string()[3:]}")
        auth = ClientAuth(ca=ca)
        context = create_context(identity(localhost_cert.pair), policy, client_auth=auth, context_class=ServerContext)
        with served(context) as address:
            try:
                return https_get("https://localhost/", None, address=address, context=client).text
            except OSError:
                return "refused"

    assert ask(plain.root_pem, plain) == "sni=None client=True"
    assert ask(deep.intermediate_pems[0], deep) == "sni=None client=True"
    assert ask(deep.root_pem, deep) == "sni=None client=True"
    assert ask(deep.intermediate_pems[0], beside) == "refused"


def test_with_lists_a_path_goes_up_to_a_root(clients_ca: Authority, localhost_cert: Paths) -> None:
    """On every Python: else it would end below an authority that a list speaks against."""
    revoked = clients_ca.leaf("mallory", client=True).certificate
    auth = ClientAuth(ca=clients_ca.root_pem, crl=_crl(clients_ca, revoked))
    context = create_context(identity(localhost_cert.pair), Policy(), client_auth=auth)
    assert not context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN


def test_says_that_a_client_ca_is_none(localhost_cert: Paths) -> None:
    """A client CA that is no PEM is a problem in words."""
    with pytest.raises(CertificateError, match="client CA: no PEM"):
        create_context(identity(localhost_cert.pair), Policy(), client_auth=ClientAuth(ca=b"hello"))
    with pytest.raises(ValueError, match="mode is one of"):
        ClientAuth(ca=b"", mode="maybe")
