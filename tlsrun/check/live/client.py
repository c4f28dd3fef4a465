"""TLS clients on Python's ssl: one verifies like ordinary clients, the other accepts anything."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlsrun.certificates.parsing import parse_certificate
from tlsrun.check.live.target import Deadline, ProbeTarget
from tlsrun.check.trust import Trust

_ONLY = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, kw_only=True)
class HandshakeResult:
    """A completed handshake.

    Arguments:
        version: OpenSSL's name, such as ``TLSv1.3``.
        suite: OpenSSL's name.
        certificates: as sent, the server's own first; only that one if Python does not give the others.
        whole: whether these are all that were sent.
    """

    version: str
    suite: str
    certificates: tuple[x509.Certificate, ...]
    whole: bool


def open_context(version: str | None = None) -> ssl.SSLContext:
    """A context that accepts any certificate and every suite that OpenSSL still has.

    Arguments:
        version: ``TLS 1.2`` or ``TLS 1.3``; None for both.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if version is not None:
        context.minimum_version = context.maximum_version = _ONLY[version]
    return context


def verifying_context(trust: Trust) -> ssl.SSLContext:
    """A context that verifies the chain, not the name, against the system's roots or those that the user named."""
    context = ssl.create_default_context(cafile=trust.ca)
    context.check_hostname = False
    # Python 3.13 sets VERIFY_X509_STRICT, which is stricter than browsers and curl.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def development_context(trust: Trust) -> ssl.SSLContext:
    """A context that verifies against this machine's development CAs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(
        cadata="".join(root.public_bytes(Encoding.PEM).decode() for root in trust.development)
    )
    return context


def connect(
    target: ProbeTarget, context: ssl.SSLContext, deadline: Deadline, *, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """Connect and shake hands.

    Raises:
        OSError: either fails (`ssl.SSLError` is one).
    """
    tls = _connected(target, context, deadline, session)
    try:
        tls.settimeout(deadline.left)
        tls.do_handshake()
    except BaseException:
        tls.close()
        raise
    return tls


def _connected(
    target: ProbeTarget, context: ssl.SSLContext, deadline: Deadline, session: ssl.SSLSession | None
) -> ssl.SSLSocket:
    """A connection to the first address that accepts one, before the handshake.

    It is wrapped before it connects: if it were reset while Python wraps it, the socket could not be closed any more.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(*target.connect_to, type=socket.SOCK_STREAM):
        tls = context.wrap_socket(
            socket.socket(family, kind, protocol),
            do_handshake_on_connect=False,
            server_hostname=target.host,
            session=session,
        )
        try:
            tls.settimeout(deadline.left)
            tls.connect(address)
        except OSError as error:
            tls.close()
            failure = error
        else:
            return tls
    raise failure or OSError("the name has no address")


def shake(target: ProbeTarget, context: ssl.SSLContext, deadline: Deadline) -> HandshakeResult:
    """Shake hands, and return what the server sent.

    Raises:
        OSError: the connection or the handshake fails.
    """
    with connect(target, context, deadline) as tls:
        certificates, whole = _sent(tls)
        cipher = tls.cipher()
        return HandshakeResult(
            version=tls.version() or "",
            suite=cipher[0] if cipher else "",
            certificates=tuple(parse_certificate(one) for one in certificates),
            whole=whole,
        )


def _sent(tls: ssl.SSLSocket) -> tuple[list[bytes], bool]:
    """The certificates in DER as the server sent them, and whether these are all."""
    own = tls.getpeercert(binary_form=True) or b""
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:  # Python 3.13
        return list(public()), True
    # From Python 3.10 to 3.12 the method exists on the inner object only (bpo-18233).
    inner = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if inner is None:
        return [own], False
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner()], True


def later_session(tls: ssl.SSLSocket, deadline: Deadline) -> ssl.SSLSession | None:
    """The session to resume. In TLS 1.3 the server sends it after the handshake (RFC 8446, section 4.6.1)."""
    if tls.version() == "TLSv1.3":
        tls.setblocking(False)
        if select.select([tls], [], [], min(1.0, deadline.left))[0]:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                tls.recv(1)
    return tls.session
