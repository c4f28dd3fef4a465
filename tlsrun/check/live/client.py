"""Clients made of Python's ssl: one that verifies as everybody does, and one that looks at anything."""

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
    """A handshake that came to an end.

    Arguments:
        version: as OpenSSL spells it, ``TLSv1.3``.
        suite: as OpenSSL spells it.
        certificates: as the server sent them, its own first; only that one where Python does not tell the rest.
        whole: whether these are all that it sent.
    """

    version: str
    suite: str
    certificates: tuple[x509.Certificate, ...]
    whole: bool


def open_context(version: str | None = None) -> ssl.SSLContext:
    """A context that takes any certificate, and the weakest that OpenSSL still has.

    Arguments:
        version: ``TLS 1.2`` or ``TLS 1.3`` alone; None for both.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if version is not None:
        context.minimum_version = context.maximum_version = _ONLY[version]
    return context


def verifying_context(trust: Trust) -> ssl.SSLContext:
    """A context that verifies the chain, against the system's roots or those that the user named; not the name."""
    context = ssl.create_default_context(cafile=trust.ca)
    context.check_hostname = False
    # Python 3.13 asks for more than browsers and curl do (RFC 5280 to the letter).
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def development_context(trust: Trust) -> ssl.SSLContext:
    """The same against the development CAs of this machine."""
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
    """A connection to the first address that takes one, before its handshake.

    Wrapped before it connects: one that is reset while Python wraps it leaves a socket that nobody can close.
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
    """One handshake, and what was sent in it.

    Raises:
        OSError: it fails.
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
    """The certificates as the server sent them, in DER, and whether these are all."""
    own = tls.getpeercert(binary_form=True) or b""
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:  # Python 3.13
        return list(public()), True
    # Until then the same stands one level deeper, since Python 3.10 (bpo-18233).
    inner = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if inner is None:
        return [own], False
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner()], True


def later_session(tls: ssl.SSLSocket, deadline: Deadline) -> ssl.SSLSession | None:
    """The session to resume. In TLS 1.3 it comes after the handshake (RFC 8446, section 4.6.1); nothing is sent."""
    if tls.version() == "TLSv1.3":
        tls.setblocking(False)
        if select.select([tls], [], [], min(1.0, deadline.left))[0]:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                tls.recv(1)
    return tls.session
