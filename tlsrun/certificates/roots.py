"""Root certificates that this machine knows: a chain that ends below one of them is complete.

cryptography's `x509.verification` is not used, as it is stricter than OpenSSL and clients (it requires a SAN, and one
that is not critical), and would reject chains that clients accept.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from tlsrun.certificates.caroot import ROOT_NAME, caroots
from tlsrun.certificates.parsing import parse_certificate
from tlsrun.certificates.pem import parse_pem

#: Where systems keep their roots in one file: Debian and Alpine, Fedora, macOS and the BSDs.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def known_root(issued: x509.Certificate) -> bool:
    """Whether a root that this machine knows (its own store, a local development CA) signed ``issued``."""
    return any(_signed(issued, roots) for roots in _stores())


def _stores() -> Iterator[tuple[bytes, ...]]:
    default = ssl.get_default_verify_paths()
    paths = [folder / ROOT_NAME for folder in caroots()]
    paths += [Path(name) for name in (os.environ.get("SSL_CERT_FILE"), default.cafile, *_BUNDLES) if name]
    for path in dict.fromkeys(paths):
        try:
            status = path.stat()
            yield _read(path, (status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            continue


@functools.lru_cache(maxsize=8)
def _read(path: Path, version: tuple[int, int, int]) -> tuple[bytes, ...]:
    """The roots in a file, in DER; read again when the file has changed.

    Cached, as it is called for every certificate whose issuer was not given, and there may be thousands.
    """
    roots = []
    for block in parse_pem(path.read_bytes()).certificates:
        with contextlib.suppress(ValueError):
            roots.append(block.der)
    return tuple(roots)


def _signed(issued: x509.Certificate, roots: tuple[bytes, ...]) -> bool:
    # Most are ruled out by their bytes alone, without being parsed.
    issuer = issued.issuer.public_bytes()
    for der in roots:
        try:
            if issuer in der:
                issued.verify_directly_issued_by(parse_certificate(der))
                return True
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
    return False
