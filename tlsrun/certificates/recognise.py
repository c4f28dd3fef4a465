"""Tells what a file is that holds no certificate or no key, and names the command that converts it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from tlsrun.certificates.parsing import parse_certificate
from tlsrun.certificates.pem import Pem
from tlsrun.certificates.sources import Source


class Form(Enum):
    """What a file may be, in words for messages."""

    CERTIFICATE = "a certificate"
    KEY = "a private key"
    TRUSTED = "an OpenSSL trusted certificate (TRUSTED CERTIFICATE)"
    REQUEST = "a certificate signing request (CSR)"
    PUBLIC_KEY = "a public key"
    PKCS7 = "a PKCS #7 bundle (.p7b)"
    SSH_KEY = "an OpenSSH private key"
    SSH_PUBLIC_KEY = "an OpenSSH public key"
    DER_CERTIFICATE = "a certificate in DER (binary)"
    DER_KEY = "a private key in DER (binary)"
    DER_REQUEST = "a certificate signing request (CSR) in DER"
    DER_PUBLIC_KEY = "a public key in DER"
    DER_PKCS7 = "a PKCS #7 bundle (.p7b) in DER"
    PKCS12 = "a PKCS #12 bundle (.pfx, .p12)"
    KEYSTORE = "a Java keystore"
    ENCODED_TWICE = "PEM that was encoded in base64 once more"
    WEB_PAGE = "a web page (HTML)"
    UNFINISHED = "cut off, a BEGIN line has no END line"
    UNKNOWN = "something else, no line says -----BEGIN"
    OTHER = "PEM of something else"


#: Form -> remedy, where a certificate is expected.
_FOR_CERTIFICATE = {
    Form.KEY: "Name the certificate here (fullchain.pem), and this file as the key",
    Form.TRUSTED: "Convert it: openssl x509 -in {file} -out cert.pem",
    Form.REQUEST: "Name the certificate that the CA made from it; for tests you can sign it yourself: "
    "openssl x509 -req -in {file} -signkey privkey.pem -days 90 -out cert.pem",
    Form.PUBLIC_KEY: "Name the certificate that the CA made for this key",
    Form.PKCS7: "Convert it: openssl pkcs7 -in {file} -print_certs -out fullchain.pem",
    Form.SSH_KEY: "Name the certificate (fullchain.pem)",
    Form.SSH_PUBLIC_KEY: "Name the certificate (fullchain.pem)",
    Form.DER_REQUEST: "Name the certificate that the CA made from it",
    Form.DER_PUBLIC_KEY: "Name the certificate that the CA made for this key",
    Form.DER_PKCS7: "Convert it: openssl pkcs7 -inform DER -in {file} -print_certs -out fullchain.pem",
    Form.PKCS12: "Export it again, with the certificate and its private key",
    Form.KEYSTORE: "Convert it: keytool -importkeystore -srckeystore {file} -destkeystore bundle.p12 "
    "-deststoretype PKCS12, then openssl pkcs12 -in bundle.p12 -nokeys -out fullchain.pem",
    Form.ENCODED_TWICE: "Decode it: base64 -d {file} > fullchain.pem",
    Form.WEB_PAGE: "Download the certificate again; the server sent a page instead",
    Form.UNFINISHED: "Copy it again, whole, from BEGIN to END",
}

#: Form -> remedy, where a private key is expected.
_FOR_KEY = {
    **_FOR_CERTIFICATE,
    Form.CERTIFICATE: "Name the private key that the certificate was made with (privkey.pem)",
    Form.TRUSTED: "Name the private key that the certificate was made with (privkey.pem)",
    Form.REQUEST: "Name the private key that was made together with it",
    Form.PUBLIC_KEY: "Name the private key that it was taken from",
    Form.PKCS7: "It never holds a key: name the private key that the certificate was made with",
    Form.SSH_KEY: "Name the key that the certificate was made with; a copy of an RSA or ECDSA key converts: "
    "ssh-keygen -p -m PKCS8 -f COPY",
    Form.SSH_PUBLIC_KEY: "Name the private key that the certificate was made with (privkey.pem)",
    Form.DER_REQUEST: "Name the private key that was made together with it",
    Form.DER_PUBLIC_KEY: "Name the private key that it was taken from",
    Form.DER_PKCS7: "It never holds a key: name the private key that the certificate was made with",
    Form.KEYSTORE: "Convert it: keytool -importkeystore -srckeystore {file} -destkeystore bundle.p12 "
    "-deststoretype PKCS12, then openssl pkcs12 -in bundle.p12 -nocerts -nodes -out privkey.pem",
    Form.ENCODED_TWICE: "Decode it: base64 -d {file} > privkey.pem",
    Form.WEB_PAGE: "Name the private key that the certificate was made with (privkey.pem)",
}

#: Form -> code of the finding, where it is not the general one, TLS107.
_CODES = {
    Form.DER_REQUEST: "TLS108",
    Form.DER_PUBLIC_KEY: "TLS108",
    Form.PKCS7: "TLS109",
    Form.DER_PKCS7: "TLS109",
    Form.PKCS12: "TLS109",
    Form.KEYSTORE: "TLS109",
    Form.UNFINISHED: "TLS118",
}

#: What is expected -> the remedies, and the label of its BEGIN line.
_WANTED = {"certificate": (_FOR_CERTIFICATE, "CERTIFICATE"), "private key": (_FOR_KEY, "PRIVATE KEY")}


def refuse(source: Source, data: bytes, pem: Pem, wanted: Literal["certificate", "private key"]) -> NoReturn:
    """Raise an error that says what ``data`` is, and that it does not hold what is ``wanted``.

    Raises:
        CertificateError: always.
    """
    form, (remedies, begins) = recognise(data, pem), _WANTED[wanted]
    remedy = remedies.get(form, f"Name a file in PEM, which begins with -----BEGIN {begins}-----")
    what = f"{source.name} holds no {wanted} in PEM: it is {form.value}"
    raise source.error(what, remedy.replace("{file}", source.argument), _CODES.get(form, "TLS107"))


def recognise(data: bytes, pem: Pem) -> Form:
    """The form of ``data``; ``pem`` was parsed from it."""
    if pem.unfinished:
        return Form.UNFINISHED
    if pem.blocks:
        labels = ", ".join(pem.labels)
        return next((form for label, form in _BY_LABEL if label in labels), Form.OTHER)
    return next((form for form, fits in _BY_CONTENT if fits(data)), Form.UNKNOWN)


#: Part of a label -> form; the first that occurs in the file counts.
_BY_LABEL = (
    ("TRUSTED CERTIFICATE", Form.TRUSTED),
    ("CERTIFICATE REQUEST", Form.REQUEST),
    ("OPENSSH PRIVATE KEY", Form.SSH_KEY),
    ("PRIVATE KEY", Form.KEY),
    ("PUBLIC KEY", Form.PUBLIC_KEY),
    ("PKCS7", Form.PKCS7),
    ("CMS", Form.PKCS7),
    ("CERTIFICATE", Form.CERTIFICATE),
)


def _loads(load: Callable[[bytes], object]) -> Callable[[bytes], bool]:
    def fits(data: bytes) -> bool:
        try:
            load(data)
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            return False
        except TypeError:  # an encrypted private key, and no password was given
            return True
        return True

    return fits


def _sequence(data: bytes) -> bytes:
    """The first bytes of the content of an ASN.1 SEQUENCE (X.690, section 8.1); empty if it is not one."""
    if data[:1] != b"\x30" or len(data) < 2:
        return b""
    length_bytes = data[1] & 0x7F if data[1] & 0x80 else 0
    return data[2 + length_bytes : 2 + length_bytes + 32]


_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")

#: Tried from top to bottom.
_BY_CONTENT: tuple[tuple[Form, Callable[[bytes], bool]], ...] = (
    (Form.WEB_PAGE, lambda data: data.lstrip()[:1] == b"<"),
    (Form.ENCODED_TWICE, lambda data: data.lstrip().startswith(b"LS0tLS1CRUdJTi")),
    (Form.SSH_PUBLIC_KEY, lambda data: data.lstrip().startswith((b"ssh-", b"ecdsa-sha2-"))),
    (Form.KEYSTORE, lambda data: data.startswith(b"\xfe\xed\xfe\xed")),
    # PFX begins with version 3 (RFC 7292, section 4), SignedData with its identifier (RFC 5652, section 5.1).
    (Form.PKCS12, lambda data: _sequence(data).startswith(b"\x02\x01\x03")),
    (Form.DER_PKCS7, lambda data: _sequence(data).startswith(_SIGNED_DATA)),
    (Form.DER_CERTIFICATE, _loads(parse_certificate)),
    (Form.DER_REQUEST, _loads(x509.load_der_x509_csr)),
    (Form.DER_KEY, _loads(lambda data: load_der_private_key(data, None))),
    (Form.DER_PUBLIC_KEY, _loads(load_der_public_key)),
)
