"""Converts binary forms (DER, PKCS #12) to PEM blocks, so that everything else deals with PEM only."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from tlsrun.certificates import algorithms
from tlsrun.certificates.passwords import WAYS
from tlsrun.certificates.pem import Block, Pem
from tlsrun.certificates.recognise import Form, recognise
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a binary file holds.

    Arguments:
        pem: its certificates and keys as PEM blocks.
        form: the form that it had.
        opened: whether a password was needed to read it.
    """

    pem: Pem
    form: Form
    opened: bool = False


def convert(source: Source, data: bytes, password: bytes | None) -> Converted | None:
    """``data`` read as DER or PKCS #12; None if it is neither.

    Arguments:
        password: of a PKCS #12 bundle. An encrypted key in DER stays encrypted.

    Raises:
        CertificateError: the bundle needs a password, or a different one.
    """
    form = recognise(data, Pem())
    if form is Form.DER_CERTIFICATE:
        return Converted(pem=_pem([_block("CERTIFICATE", data)]), form=form)
    if form is Form.DER_KEY:
        return Converted(pem=_pem([_der_key(data)]), form=form)
    if form is Form.PKCS12:
        return _open_bundle(source, data, password)
    return None


def _pem(blocks: Iterable[Block]) -> Pem:
    return Pem(blocks=tuple(blocks))


def _block(label: str, der: bytes) -> Block:
    return Block(label=label, body=base64.b64encode(der))


def _der_key(data: bytes) -> Block:
    if algorithms.private_algorithm(data) is not None:
        return _block("PRIVATE KEY", data)
    try:
        return _key_block(load_der_private_key(data, None))
    except TypeError:  # only PKCS #8 is encrypted as a whole (RFC 5958, section 3)
        return _block("ENCRYPTED PRIVATE KEY", data)


def _key_block(key: PrivateKeyTypes) -> Block:
    return _block("PRIVATE KEY", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _certificate_block(certificate: x509.Certificate) -> Block:
    return _block("CERTIFICATE", certificate.public_bytes(Encoding.DER))


def _open_bundle(source: Source, data: bytes, password: bytes | None) -> Converted:
    # A bundle "without a password" has the empty one or none at all (RFC 7292, appendix B.1): both are tried.
    for tried in (*([password] if password else []), b"", None):
        try:
            bundle = pkcs12.load_pkcs12(data, tried)
        except UnsupportedAlgorithm as error:
            raise source.error(
                f"{source.name} is {Form.PKCS12.value} with an encryption that cannot be read ({error})",
                f"Write it anew: openssl pkcs12 -in {source.argument} -legacy -nodes -out both.pem",
                "TLS109",
            ) from None
        except ValueError:
            continue
        return Converted(pem=_pem(_bundle_blocks(bundle)), form=Form.PKCS12, opened=bool(tried))
    raise _closed(source, given=bool(password))


def _bundle_blocks(bundle: pkcs12.PKCS12KeyAndCertificates) -> Iterable[Block]:
    own = [] if bundle.cert is None else [bundle.cert]
    for one in (*own, *bundle.additional_certs):
        yield _certificate_block(one.certificate)
    if bundle.key is not None:
        yield _own_key(bundle.key, own[0].certificate if own else None)


def _own_key(key: PrivateKeyTypes, certificate: x509.Certificate | None) -> Block:
    """The bundle's key. The library reads one for RSASSA-PSS as plain RSA, so its algorithm is put back."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    algorithm = None if certificate is None else algorithms.public_algorithm(certificate)
    if algorithm is not None and algorithms.name_of(algorithm) == algorithms.RSASSA_PSS:
        der = algorithms.under(der, algorithm)
    return _block("PRIVATE KEY", der)


def _closed(source: Source, *, given: bool) -> CertificateError:
    if not given:
        what = f"{source.name} is {Form.PKCS12.value} with a password, and none was given"
        return source.error(what, f"Give the password: {WAYS}", "TLS112")
    what = f"the password does not open {source.name}, {Form.PKCS12.value}"
    remedy = f"Give the right one ({WAYS}); this asks for it and tries it: openssl pkcs12 -in {source.argument} -noout"
    return source.error(what, remedy, "TLS113")
