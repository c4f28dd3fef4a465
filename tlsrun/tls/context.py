"""The only place where an SSLContext is made, from plain values."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import words_of
from tlsrun.errors import CertificateError, ConfigurationError
from tlsrun.files import in_memory_file
from tlsrun.tls.policy import MOZILLA_GROUPS, Policy

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

#: X509_CERT_AUX, appended to a certificate: SEQUENCE { reject [0] SEQUENCE OF { id-kp-clientAuth } }.
_REJECT = bytes.fromhex("300ca00a06082b06010505070302")
#: SSL_OP_NO_RX_CERTIFICATE_COMPRESSION (bit 33 in OpenSSL's ssl.h, since 3.2), for which the ssl module has no name.
_NO_COMPRESSED_CERTIFICATES = 1 << 33 if ssl.OPENSSL_VERSION_INFO >= (3, 2) else 0

#: Set so that `client_ca` works the same on every Python; both flags are defaults since 3.13. A trusted authority ends
#: the path, whoever signed it. VERIFY_X509_STRICT, another new default, is cleared: it refuses clients of authorities
#: without key identifiers, as small CAs have them (`tlsrun.certificates.strictness`); nginx and older Pythons do not.
_VERIFY = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN

_Context = TypeVar("_Context", bound=ssl.SSLContext)


@dataclass(frozen=True, kw_only=True)
class ClientAuth:
    """Whether client certificates are requested, and who may have signed them.

    Arguments:
        ca: the trusted authorities, PEM.
        mode: ``none``, ``optional`` (a client may have none, but not a bad one) or ``required``.
        crl: revocation lists (RFC 5280, section 5), PEM; with them, the client's issuer must have a valid list.
    """

    ca: bytes
    mode: str = "required"
    crl: bytes | None = None

    def __post_init__(self) -> None:
        if self.mode not in _VERIFY_MODES:
            raise ValueError(f"mode is one of {', '.join(_VERIFY_MODES)}; not {self.mode!r}")


def create_context(
    identity: Identity,
    policy: Policy,
    *,
    also: Sequence[Identity] = (),
    client_auth: ClientAuth | None = None,
    rejected: Collection[bytes] = (),
    context_class: type[_Context] = ssl.SSLContext,  # type: ignore[assignment]
) -> _Context:
    """Make a server's context, as the base context or for the SNI table.

    A connection keeps versions, suites, options and ``verify_mode`` of the context with which it began, and takes
    certificate and trust from the one that the SNI callback chose (SSL_set_SSL_CTX(3)). So the contexts of an endpoint
    must differ in certificates only.

    Arguments:
        identity: the certificate and key.
        policy: versions, suites, groups, ALPN.
        also: more identities for the same names, each with another type of key (RSA beside ECDSA).
        client_auth: client certificates; None requests none.
        rejected: see `apply_client_auth`.
        context_class: the class of the context.

    Raises:
        CertificateError: OpenSSL does not accept the certificate, key, client CA or CRL.
        ConfigurationError: this Python cannot implement the policy.
    """
    context = context_class(ssl.PROTOCOL_TLS_SERVER)
    hardened = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.options |= hardened.options
    context.verify_flags |= hardened.verify_flags | _VERIFY
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    apply_policy(context, policy)
    for one in (identity, *also):
        load_certificate(context, one)
    if client_auth is not None:
        apply_client_auth(context, client_auth, rejected)
    return context


def apply_policy(context: ssl.SSLContext, policy: Policy) -> None:
    """Set versions, suites, groups and ALPN; hardening options are added (``|=``) and never cleared.

    Raises:
        ConfigurationError: OpenSSL has none of the suites, or this Python cannot set the groups.
    """
    context.minimum_version = _VERSIONS[policy.min_version]
    if policy.max_version is not None:
        context.maximum_version = _VERSIONS[policy.max_version]
    try:
        context.set_ciphers(policy.ciphers)
    except ssl.SSLError as error:
        raise ConfigurationError.of(
            where=f"ciphers {policy.ciphers!r}",
            what="OpenSSL knows none of these suites",
            remedy="List what it knows: openssl ciphers -v",
        ) from error
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if policy.groups:
        set_groups(context, policy.groups)
    else:
        _set_mozilla_groups(context)
    context.set_alpn_protocols(list(policy.alpn))


def set_groups(context: ssl.SSLContext, groups: tuple[str, ...]) -> None:
    """Set the key exchange groups (SSL_CTX_set1_groups_list(3)), in order of preference.

    Raises:
        ConfigurationError: OpenSSL does not know all of them, or this Python cannot set several, or this kind.
    """
    # Python 3.15 and later can set a list; older versions a single elliptic curve.
    set_list = getattr(context, "set_groups", None)
    if set_list is None and len(groups) > 1:
        what = "the ssl module of this Python can set one group only; from Python 3.15 on it can set several"
        raise _no_groups(groups, what, "Give one group, or none for OpenSSL's own list")
    try:
        if set_list is not None:
            set_list(":".join(groups))
        else:
            context.set_ecdh_curve(groups[0])
    except (ValueError, ssl.SSLError) as error:
        if set_list is None and "MLKEM" in groups[0].upper():
            what = "the ssl module of this Python can set elliptic curves only; from Python 3.15 on it can set others"
            remedy = "Give none: OpenSSL 3.5 and later offer X25519MLKEM768 by themselves"
            raise _no_groups(groups, what, remedy) from error
        lists = "list -tls-groups" if ssl.OPENSSL_VERSION_INFO >= (3, 5) else "ecparam -list_curves; and X25519, X448"
        raise _no_groups(groups, "OpenSSL does not know them all", f"List what it knows: openssl {lists}") from error


def _no_groups(groups: tuple[str, ...], what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError.of(where=f"groups {':'.join(groups)!r}", what=what, remedy=remedy)


def _set_mozilla_groups(context: ssl.SSLContext) -> None:
    """Set Mozilla's groups as far as OpenSSL has them. Before Python 3.15 OpenSSL's own list is kept."""
    set_list = getattr(context, "set_groups", None)
    if set_list is None:
        return
    for groups in (MOZILLA_GROUPS, MOZILLA_GROUPS[1:]):
        with contextlib.suppress(ssl.SSLError):
            set_list(":".join(groups))
            return


def load_certificate(context: ssl.SSLContext, identity: Identity) -> None:
    """Load a certificate and key into ``context``, which must not be in use by handshakes.

    Raises:
        CertificateError: OpenSSL does not take them.
    """
    try:
        with in_memory_file(identity.fullchain + identity.key) as path:
            context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise CertificateError.of(
            where=f"certificate for {words_of(identity.names)}",
            what=f"OpenSSL refuses it ({error.reason or error})",
            remedy="Get one with a current key and signature (RSA 2048 or ECDSA P-256, SHA-256)",
        ) from error


def apply_client_auth(context: ssl.SSLContext, client_auth: ClientAuth, rejected: Collection[bytes] = ()) -> None:
    """Request client certificates that are signed by ``client_auth.ca`` and not revoked by ``client_auth.crl``.

    Arguments:
        rejected: authorities, DER, that must not be in a client's path, wherever they come from.

    Raises:
        CertificateError: OpenSSL does not accept the CA or the CRL.
    """
    context.verify_mode = _VERIFY_MODES[client_auth.mode]
    # In front of the others: OpenSSL keeps the first of two copies of a certificate.
    _trust(context, b"".join(map(_rejected, rejected)) + client_auth.ca, "client CA")
    if client_auth.crl is not None:
        _trust(context, client_auth.crl, "client CRL")
        # The leaf only: VERIFY_CRL_CHECK_CHAIN requires a list from every authority (see `tlsrun.tls.authorities`).
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        # Otherwise a path could end at a trusted intermediate, below an authority that a list revokes.
        context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
        context.options |= _NO_COMPRESSED_CERTIFICATES


def _rejected(der: bytes) -> bytes:
    """PEM with trust settings (openssl-x509(1), ``-addreject clientAuth``)."""
    return ssl.DER_cert_to_PEM_cert(der + _REJECT).replace("CERTIFICATE", "TRUSTED CERTIFICATE").encode()


def _trust(context: ssl.SSLContext, pem: bytes, what: str) -> None:
    try:
        # By file, since cadata does not accept revocation lists.
        with in_memory_file(pem) as path:
            context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError.of(
            where=what, what="no PEM that OpenSSL can use", remedy="Give it as the CA published it, in PEM"
        ) from error
