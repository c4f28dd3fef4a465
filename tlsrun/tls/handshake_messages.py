"""Observes a client's handshake messages, for what the ssl module has no callback.

- The host name. When a TLS 1.2 session is resumed, OpenSSL reports the name with which the session began, not the one
in
  this ClientHello, which servers must use (RFC 6066, section 3).
- The authorities. The ssl module has no verify callback; so revoked authorities are rejected in the trust store with
  which OpenSSL is about to build the path. The client then gets an alert, and no session or ticket.

The ssl module passes messages to `SSLContext._msg_callback`, which it calls a debugging hook: each before OpenSSL
processes it, in every Python since 3.10, for sockets and for memory BIOs. It costs a call per record; so a connection
changes to a context without it as soon as nothing more needs to be observed.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

from cryptography import x509

from tlsrun.certificates.names import shown_name
from tlsrun.tls import messages
from tlsrun.tls.authorities import Authorities

_HANDSHAKE = 22  # the content type of handshake messages (RFC 8446, section 5.1)
_KEPT = 16  # cached contexts

#: X509_V_ERR_CERT_REJECTED, the error for trust settings, by which `AuthorityCheck` has OpenSSL refuse an authority.
_REJECTED = 28


def observe_messages(context: ssl.SSLContext, callback: Callable[..., None]) -> None:
    """Observe the messages of the connections of ``context``.

    Arguments:
        callback: called with the connection, ``"read"`` or ``"write"``, the version, the content type and the message
            type as on the wire, and the message.
    """
    # Bypasses the property of ssl.SSLContext, which converts the numbers to enumerations and takes three times as long.
    super(ssl.SSLContext, ssl.SSLContext)._msg_callback.__set__(context, callback)  # type: ignore[misc]


def remember_hello(connection: Any, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
    """Keep the ClientHello, for `own_name`."""
    if kind == messages.CLIENT_HELLO and content == _HANDSHAKE and direction == "read":
        connection.hello = data


def own_name(connection: Any, told: str | None) -> str | None:
    """The name that this connection asks for, in the SNI callback.

    Arguments:
        connection: a connection whose context has `remember_hello`.
        told: the name that OpenSSL reports.
    """
    hello, connection.hello = connection.hello, None
    if hello is None or not connection.session_reused:
        return told
    try:
        return messages.server_name(hello)
    except ValueError:
        return None


class AuthorityCheck:
    """A message callback that rejects revoked authorities.

    Arguments:
        authorities: what revocation lists say against authorities.
        rejecting: makes a context in whose trust store the given certificates (DER) are rejected.
        nobody: such a context in which every authority is rejected, for clients that cannot be checked.
        afterwards: the context for the connection after the handshake.
    """

    def __init__(
        self,
        authorities: Authorities,
        *,
        rejecting: Callable[[frozenset[bytes]], ssl.SSLContext],
        nobody: ssl.SSLContext,
        afterwards: ssl.SSLContext,
    ) -> None:
        self._authorities = authorities
        self._rejecting = rejecting
        self._nobody = nobody
        self._afterwards = afterwards
        self._contexts: dict[frozenset[bytes], ssl.SSLContext] = {}

    def __call__(self, connection: Any, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        if direction != "read" or content != _HANDSHAKE:
            return
        if kind == messages.CERTIFICATE:
            self._judge(connection, version, data)
        elif kind == messages.COMPRESSED_CERTIFICATE:
            # We do not offer that to anybody (RFC 8879, section 3).
            self._refuse(connection, "the certificate is compressed")
        elif kind == messages.FINISHED:
            connection.shown = connection.refusal = None
            connection.context = self._afterwards

    def _judge(self, connection: Any, version: int, data: bytes) -> None:
        try:
            shown = messages.certificates(data, version)
            connection.shown = shown[0] if shown else None
            objections = self._authorities.objections(shown[1:])
            if objections:
                connection.refusal = "; ".join(objections.values())
                connection.context = self._context(frozenset(objections))
        except Exception as error:  # noqa: BLE001 -- whatever fails, nobody gets in unchecked
            words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            self._refuse(connection, f"the authorities that it came with cannot be looked up: {words}")

    def _refuse(self, connection: Any, why: str) -> None:
        connection.refusal = why
        connection.context = self._nobody

    def _context(self, rejected: frozenset[bytes]) -> ssl.SSLContext:
        context = self._contexts.get(rejected)
        if context is None:
            if len(self._contexts) >= _KEPT:
                self._contexts = {}
            context = self._contexts[rejected] = self._rejecting(rejected)
        return context


def in_words(error: ssl.SSLCertVerificationError, connection: Any) -> None:
    """Add to ``error`` the finding of an `AuthorityCheck`, and whose certificate it was."""
    refusal, shown = connection.refusal, connection.shown
    if refusal is not None and error.verify_code == _REJECTED:
        error.verify_message = refusal
    if shown is not None:
        with contextlib.suppress(ValueError):
            certificate = x509.load_der_x509_certificate(shown)
            whose = f"{shown_name(certificate.subject)}, signed by {shown_name(certificate.issuer)}"
            error.verify_message = f"{error.verify_message} ({whose})"
