"""Client certificates that a trusted proxy passes on in a header: values in, facts out.

A malformed value counts as no certificate, not as an error. All headers but Envoy's are about the client of the proxy
that terminated its TLS. Envoy's has an element for each proxy, of which the last is the nearest proxy's own.
"""

from __future__ import annotations

import base64
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from tlsrun.settings.proxies import CERTIFICATE_HEADERS
from tlsrun.wsgi.der import read_certificate
from tlsrun.wsgi.facts import ConnectionFacts, facts_from_certificate

_log = logging.getLogger("tlsrun.proxy")

#: The most certificates of a chain that become facts.
_MOST = 10

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_BYTES = re.compile(r":([A-Za-z0-9+/]+={0,2}):")  # RFC 9651, section 3.3.5
_XFCC = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)(?:([,;])|$)')

#: Values by which programs say that there is no certificate.
_NOTHING = ("", "-", "::", "(null)", "<no value>")


class Shown(NamedTuple):
    """The content of a header: certificates in DER, the leaf first, and whether the proxy has verified them."""

    chain: list[bytes]
    verify: str = "SUCCESS"


def certificate_facts(values: Mapping[str, str]) -> ConnectionFacts:
    """The client's facts under mod_ssl's names; ``SSL_CLIENT_VERIFY`` is NONE without a good certificate.

    Arguments:
        values: name in lower case -> value, of the trusted headers and their `COMPANIONS`.
    """
    for name in CERTIFICATE_HEADERS:
        value = values.get(name, "").strip()
        if value in _NOTHING:
            continue
        try:
            shown = _READERS[name](value, values)
            for der in shown.chain[:1]:
                read_certificate(der)
                return _facts(shown)
        except (ValueError, LookupError, OverflowError, RecursionError) as error:
            # The value is not logged: a client may have chosen it.
            _log.info("the header %s of a trusted proxy holds no certificate: %s", name, type(error).__name__)
        break
    return ConnectionFacts(SSL_CLIENT_VERIFY="NONE")


def _facts(shown: Shown) -> ConnectionFacts:
    if shown.verify == "NONE":
        return ConnectionFacts(SSL_CLIENT_VERIFY="NONE")
    facts = facts_from_certificate(shown.chain[0])
    facts["SSL_CLIENT_VERIFY"] = shown.verify
    for number, der in enumerate(shown.chain[1 : 1 + _MOST]):
        facts[f"SSL_CLIENT_CERT_CHAIN_{number}"] = ssl.DER_cert_to_PEM_cert(der)
    return facts


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _from_pem(text: str) -> list[bytes]:
    """PEM whose line ends became ``%0A``, spaces or tabs in the header."""
    if "%" in text:
        text = unquote(text, errors="strict")
    return [_from_base64(re.sub(r"\s+", "", block)) for block in _PEM.findall(text)]


def _rfc9440(value: str, values: Mapping[str, str]) -> Shown:
    found = [value, *(part.strip(" \t") for part in values.get("client-cert-chain", "").split(","))]
    matches = [_BYTES.fullmatch(part) for part in found if part]
    return Shown([_from_base64(match[1]) if match else _malformed() for match in matches])


def _malformed() -> bytes:
    raise ValueError("not a byte sequence")


def _escaped(companion: str) -> Callable[[str, Mapping[str, str]], Shown]:
    def read(value: str, values: Mapping[str, str]) -> Shown:
        return Shown(_from_pem(value), _verdict(values.get(companion, "")))

    return read


def _verdict(word: str) -> str:
    """nginx's ``$ssl_client_verify``, which mod_ssl spells alike; without it the certificate counts as verified."""
    word = word.strip()
    if word in ("", "SUCCESS"):
        return "SUCCESS"
    if word in ("NONE", "GENEROUS"):
        return word
    return f"FAILED:{word.removeprefix('FAILED:')[:100]}"


def _xfcc(value: str, values: Mapping[str, str]) -> Shown:
    """Envoy's format: `x-forwarded-client-cert` in its documentation of HTTP headers."""
    position, element = 0, dict[str, str]()
    while position < len(value):
        match = _XFCC.match(value, position)
        if match is None:
            raise ValueError("not an XFCC element")
        element[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2][1:-1]) if match[2][:1] == '"' else match[2]
        position = match.end()
        if match[3] == ",":
            position += len(value[position:]) - len(value[position:].lstrip(" \t"))
            element = {}
    chain = _from_pem(element.get("chain", ""))
    return Shown([*_from_pem(element["cert"]), *chain[1:]] if "cert" in element else chain)


def _traefik(value: str, values: Mapping[str, str]) -> Shown:
    """Traefik's PassTLSClientCert: PEM without its first and last lines and line ends, separated by commas."""
    text = unquote(value, errors="strict") if "%" in value else value
    return Shown([_from_base64(part.strip()) for part in text.split(",")])


def _cloudflare(value: str, values: Mapping[str, str]) -> Shown:
    """Cloudflare passes on certificates that are not verified, too; other headers tell."""
    verified = values.get("cf-cert-verified", "").strip().lower() == "true"
    revoked = values.get("cf-cert-revoked", "").strip().lower() == "true"
    verify = "FAILED:certificate revoked" if revoked else "SUCCESS" if verified else "GENEROUS"
    return Shown([_from_base64(value.strip(":"))], verify)


_READERS: Mapping[str, Callable[[str, Mapping[str, str]], Shown]] = {
    "client-cert": _rfc9440,
    "ssl-client-cert": _escaped("ssl-client-verify"),
    "x-ssl-client-cert": _escaped("x-ssl-client-verify"),
    "x-forwarded-client-cert": _xfcc,
    "x-forwarded-tls-client-cert": _traefik,
    "x-amzn-mtls-clientcert-leaf": lambda value, _: Shown(_from_pem(value)),
    "x-amzn-mtls-clientcert": lambda value, _: Shown(_from_pem(value), "GENEROUS"),
    "cf-client-cert-der-base64": _cloudflare,
}

#: Trusted header -> headers that are read with it; they can add a chain, or refuse the certificate.
COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "client-cert": ("client-cert-chain",),
    "ssl-client-cert": ("ssl-client-verify",),
    "x-ssl-client-cert": ("x-ssl-client-verify",),
    "cf-client-cert-der-base64": ("cf-cert-revoked",),
}
