"""What is known about a TLS connection, under the names that mod_ssl gives it.

The names are those of https://httpd.apache.org/docs/current/mod/mod_ssl.html#envvars. Values are WSGI's native strings:
octets, each a character of ISO 8859-1 (PEP 3333), so ``value.encode("latin-1")`` is what travels on a wire.
"""

from __future__ import annotations

import datetime
import logging
import ssl
from typing import Any, Protocol

from tlsrun.wsgi.der import CertificateFields, read_certificate
from tlsrun.wsgi.dn import spell_alternative_name, spell_name

_log = logging.getLogger("tlsrun.wsgi")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: The attribute of a connection that keeps its facts from one request to the next.
_KEPT = "_tlsrun_facts"

#: suite -> the key size of its algorithm in bits, filled from contexts as suites are first seen
_algorithm_bits: dict[str, int] = {}


class ConnectionFacts(dict[str, str]):
    """Facts, by mod_ssl's names. A type of its own: nothing that a process environment holds can pass for it."""


class Untold:
    """A TLS connection of a server that hands over no object of it: it says what that server's connections are.

    Arguments:
        facts: true for each of them.
    """

    def __init__(self, facts: ConnectionFacts) -> None:
        setattr(self, _KEPT, facts)


class TLSConnection(Protocol):
    """The part of `ssl.SSLSocket` and `ssl.SSLObject` that facts are read from."""

    @property
    def context(self) -> ssl.SSLContext: ...
    @property
    def session_reused(self) -> bool | None: ...
    def version(self) -> str | None: ...
    def cipher(self) -> tuple[str, str, int] | None: ...
    def getpeercert(self, binary_form: bool = ...) -> Any: ...


def connection_facts(connection: Any) -> ConnectionFacts:
    """The facts of ``connection``, read once and kept on it for all its requests.

    Arguments:
        connection: what the server holds: a TLS connection, or anything else, which has no facts.
    """
    kept: ConnectionFacts | None = getattr(connection, _KEPT, None)
    if kept is not None:
        return kept
    if not hasattr(connection, "getpeercert"):
        return ConnectionFacts()
    facts = facts_from_tls(connection, sni=getattr(connection, "tls_sni", None))
    if facts:
        try:
            setattr(connection, _KEPT, facts)
        except AttributeError:  # no room for it: then they are read for each request
            return facts
    return facts


def facts_from_tls(ssl_object: TLSConnection, *, sni: str | None) -> ConnectionFacts:
    """The facts of a server's end of a TLS connection.

    Arguments:
        ssl_object: an `ssl.SSLSocket` or `ssl.SSLObject`.
        sni: the name that the client asked for (RFC 6066, section 3); the ssl module does not keep it for a server.

    Returns:
        nothing while the handshake is not finished, or after the connection was closed.
    """
    version, cipher = ssl_object.version(), ssl_object.cipher()
    if version is None or cipher is None:
        return ConnectionFacts()
    suite, _, bits = cipher
    facts = ConnectionFacts(
        HTTPS="on",
        SSL_PROTOCOL=version,
        SSL_CIPHER=suite,
        SSL_CIPHER_USEKEYSIZE=str(bits),
        SSL_CIPHER_ALGKEYSIZE=str(_key_size(suite, ssl_object.context) or bits),
        SSL_SESSION_RESUMED="Resumed" if ssl_object.session_reused else "Initial",
        SSL_CLIENT_VERIFY="NONE",
    )
    if sni:
        facts["SSL_TLS_SNI"] = sni
    certificate = _verified_certificate(ssl_object)
    if certificate:
        facts.update(facts_from_certificate(certificate))
    return facts


def _key_size(suite: str, context: ssl.SSLContext) -> int | None:
    if suite not in _algorithm_bits:
        _algorithm_bits.update({known["name"]: known["alg_bits"] for known in context.get_ciphers()})
    return _algorithm_bits.get(suite)


def _verified_certificate(ssl_object: TLSConnection) -> bytes | None:
    """The client's certificate in DER. OpenSSL has verified it: unless the context asks for none at all
    (CERT_NONE), a certificate that fails ends the handshake."""
    if ssl_object.context.verify_mode == ssl.CERT_NONE:
        return None
    try:
        certificate: bytes | None = ssl_object.getpeercert(True)
    except (OSError, ValueError):  # the client is gone; whoever still asks learns of no certificate
        return None
    return certificate


def facts_from_certificate(der: bytes) -> ConnectionFacts:
    """The facts of a client certificate that was verified.

    Arguments:
        der: the certificate. What cannot be read from it is left out; nothing is guessed.
    """
    facts = ConnectionFacts(SSL_CLIENT_VERIFY="SUCCESS", SSL_CLIENT_CERT=ssl.DER_cert_to_PEM_cert(der))
    try:
        fields = read_certificate(der)
        facts.update(_fields(fields))
    except ValueError as error:
        _log.warning("A client certificate was verified but its fields cannot be read: %s", error)
    return facts


def _fields(fields: CertificateFields) -> dict[str, str]:
    remaining = fields.not_after - datetime.datetime.now(datetime.timezone.utc)
    facts = {
        "SSL_CLIENT_S_DN": spell_name(fields.subject),
        "SSL_CLIENT_I_DN": spell_name(fields.issuer),
        "SSL_CLIENT_M_SERIAL": _hexadecimal(fields.serial),
        "SSL_CLIENT_V_START": _date(fields.not_before),
        "SSL_CLIENT_V_END": _date(fields.not_after),
        "SSL_CLIENT_V_REMAIN": str(max(remaining.days, 0)),
    }
    for number, name in enumerate(fields.dns):
        facts[f"SSL_CLIENT_SAN_DNS_{number}"] = spell_alternative_name(name)
    for number, name in enumerate(fields.emails):
        facts[f"SSL_CLIENT_SAN_Email_{number}"] = spell_alternative_name(name)
    return {name: value for name, value in facts.items() if value}


def _hexadecimal(serial: bytes) -> str:
    """As i2a_ASN1_INTEGER(3) prints: whole octets in capitals, a sign before a negative one."""
    number = int.from_bytes(serial, "big", signed=True)
    octets = max(1, (abs(number).bit_length() + 7) // 8)
    return f"{'-' if number < 0 else ''}{abs(number):0{2 * octets}X}"


def _date(moment: datetime.datetime) -> str:
    """As ASN1_TIME_print(3) prints, in every locale: ``Nov  1 02:31:29 2026 GMT``."""
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"
