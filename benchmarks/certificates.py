"""Certificates for one run, signed by an authority of its own that nobody trusts."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tlsrun.certificates.identity import Identity
from tlsrun.development.issue import CertificateAuthority, issue_leaf, make_authority

KEY_TYPES = {"ecdsa": "ECDSA P-256", "rsa": "RSA 2048"}


@dataclass(frozen=True, kw_only=True)
class Files:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def new_authority() -> CertificateAuthority:
    """Who signs."""
    return make_authority(f"benchmarks@{socket.gethostname()}"[:60], now=_now())


def issue(authority: CertificateAuthority, names: Sequence[str], *, key: str = "ecdsa") -> Identity:
    """A new key and a certificate for ``names``; ``key`` is one of `KEY_TYPES`."""
    return issue_leaf(authority, names, now=_now(), key_type=KEY_TYPES[key])


def write_pair(
    authority: CertificateAuthority, folder: Path, name: str, *, key: str = "ecdsa", address: bool = True
) -> Files:
    """Issue a certificate for ``name``, and 127.0.0.1 too if wished, into a folder of that name."""
    identity = issue(authority, [name, "127.0.0.1"] if address else [name], key=key)
    below = folder / name
    below.mkdir(parents=True, exist_ok=True)
    files = Files(certificate=below / "fullchain.pem", key=below / "privkey.pem")
    files.certificate.write_bytes(identity.fullchain)
    files.key.touch(mode=0o600)
    files.key.write_bytes(identity.key)
    return files


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
