"""Certificates that are wrong in ways that the shared authority does not make, by cryptography and by openssl."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.support.certs import DAY, NOW, PEM, Authority, key_pem
from tests.support.process import run

ISSUER_URL = "http://ca.example/intermediate.crt"


def written(folder: Path, name: str, data: bytes, mode: int = 0o600) -> Path:
    """A file with ``data``."""
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path


def leaf(
    ca: Authority,
    *,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
    lifetime: datetime.timedelta = 30 * DAY,
    issuer_url: str | None = None,
    must_staple: bool = False,
) -> tuple[bytes, bytes]:
    """A certificate for localhost and its key, PEM; with an AIA extension when ``issuer_url`` is given."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    issuer, issuer_key = ca.line[-1]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW - DAY + lifetime)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    if issuer_url is not None:
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    if must_staple:
        builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return certificate.public_bytes(PEM), key_pem(private)  # type: ignore[arg-type]


def signed_by(issuer_key: Any, private: Any) -> tuple[bytes, bytes]:
    """A certificate for localhost and its key, PEM; signed with a key that needs no hash (Ed25519, ML-DSA)."""
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")]))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 30 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(issuer_key, None)
    )
    return certificate.public_bytes(PEM), key_pem(private)


def openssl(*arguments: str, cwd: Path) -> None:
    """Run openssl, which must succeed."""
    done = run(["openssl", *arguments], cwd=cwd)
    assert done.returncode == 0, done.stderr


_CA_CONFIG = """\
[ca]
default_ca = test
[test]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1
extendedKeyUsage = serverAuth
"""


def openssl_authority(folder: Path) -> Path:
    """A root, an intermediate and the configuration to sign with it, all by openssl; returns the root."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.cnf").write_text(_CA_CONFIG)
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("1000\n")
    extension = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "root.key",
        "-out",
        "root.pem",
        "-subj",
        "/CN=openssl root",
        "-days",
        "365",
        *extension,
        cwd=folder,
    )
    openssl(
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "intermediate.key",
        "-out",
        "intermediate.csr",
        "-subj",
        "/CN=openssl intermediate",
        cwd=folder,
    )
    (folder / "intermediate.cnf").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    openssl(
        "x509",
        "-req",
        "-in",
        "intermediate.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-out",
        "intermediate.pem",
        "-days",
        "365",
        "-extfile",
        "intermediate.cnf",
        cwd=folder,
    )
    return folder / "root.pem"


def openssl_leaf(
    folder: Path, *, begins: str = "", ends: str = "", days: int = 90, digest: str = "sha256"
) -> tuple[Path, Path]:
    """leaf.pem and leaf.key for localhost, signed by the intermediate of `openssl_authority`."""
    openssl(
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "leaf.key",
        "-out",
        "leaf.csr",
        "-subj",
        "/CN=localhost",
        cwd=folder,
    )
    dates = ["-startdate", begins, "-enddate", ends] if begins else ["-days", str(days)]
    openssl(
        "ca",
        "-batch",
        "-config",
        "ca.cnf",
        "-cert",
        "intermediate.pem",
        "-keyfile",
        "intermediate.key",
        "-in",
        "leaf.csr",
        "-out",
        "leaf.pem",
        "-notext",
        "-md",
        digest,
        *dates,
        cwd=folder,
    )
    (folder / "leaf.key").chmod(0o600)
    return folder / "leaf.pem", folder / "leaf.key"
