"""What is known about a TLS connection, under mod_ssl's names.

The names are documented at https://httpd.apache.org/docs/current/mod/mod_ssl.html#envvars. Values are WSGI's native
strings (PEP 3333): octets as characters of ISO 8859-1, so that ``value.encode("latin-1")`` restores the octets.
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

#: Suite -> the key size of its algorithm in bits; filled when a suite is first seen.
_algorithm_bits: dict[str, int] = {}


class ConnectionFacts(dict[str, str]):
    """Facts, by mod_ssl's names. A type of its own: nothing that a process environment holds can pass for it."""


class Untold:
    """Stands for the connections of a server that gives no access to them.

    Arguments:
        facts: what is true of all of them.
    """

    def __init__(self, facts: ConnectionFacts) -> None:
        setattr(self, _KEPT, facts)


class TLSConnection(Protocol):
    """The part of `ssl.SSLSocket` and `ssl.SSLObject` from which facts are read."""

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
        connection: the server's object: a TLS connection, or anything else, which has no facts.
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
        except AttributeError:  # the object takes no attribute: read them for each request
            return facts
    return facts


def facts_from_tls(ssl_object: TLSConnection, *, sni: str | None) -> ConnectionFacts:
    """The facts of a server's end of a TLS connection.

    Arguments:
        ssl_object: an `ssl.SSLSocket` or `ssl.SSLObject`.
        sni: the host name that the client asked for (RFC 6066, section 3); the ssl module does not keep it.

    Returns:
        the facts; empty before the handshake is complete and after the connection was closed.
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
    """The client's certificate in DER. OpenSSL has verified it, since unless the context requests none (CERT_NONE), a
    bad certificate fails the handshake."""
    if ssl_object.context.verify_mode == ssl.CERT_NONE:
        return None
    try:
        certificate: bytes | None = ssl_object.getpeercert(True)
    except (OSError, ValueError):  # the connection is closed
        return None
    return certificate


def facts_from_certificate(der: bytes) -> ConnectionFacts:
    """The facts of a client certificate that was verified.

    Arguments:
        der: the certificate. What cannot be read from it is left out.
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
    """In the format of i2a_ASN1_INTEGER(3): whole octets in upper case, a minus sign before a negative number."""
    number = int.from_bytes(serial, "big", signed=True)
    octets = max(1, (abs(number).bit_length() + 7) // 8)
    return f"{'-' if number < 0 else ''}{abs(number):0{2 * octets}X}"


def _date(moment: datetime.datetime) -> str:
    """In the format of ASN1_TIME_print(3), in every locale: ``Nov  1 02:31:29 2026 GMT``."""
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"
