"""Load identities in tests: sources from files or text, problems as text, a reader without rights."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import run
from tlsrun.certificates.identity import Identity, IdentitySources, Source, load_identity
from tlsrun.errors import CertificateError, Problem

CERT, KEY, CHAIN = "TLS_CERT in app.config", "TLS_KEY in app.config", "--chain"
NOBODY = 65534

#: For `openssl req`: a new ECDSA key, which is made at once.
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def source(given_by: str, place: Path | bytes) -> Source:
    """A file, or the text given itself."""
    if isinstance(place, bytes):
        return Source(given_by=given_by, text=place)
    return Source(given_by=given_by, path=place)


def sources(
    cert: Path | bytes,
    key: Path | bytes | None = None,
    chain: Path | bytes | None = None,
    password: bytes | None = None,
) -> IdentitySources:
    """As a user gives them by the settings above."""
    return IdentitySources(
        cert=source(CERT, cert),
        key=None if key is None else source(KEY, key),
        chain=() if chain is None else (source(CHAIN, chain),),
        password=password,
    )


def load(*places: Path | bytes | None, password: bytes | None = None) -> tuple[Identity, list[str]]:
    """The identity, and its warnings as the user sees them."""
    identity = load_identity(sources(*places, password=password))  # type: ignore[arg-type]
    return identity, [str(warning) for warning in identity.warnings]


def problems(*places: Path | bytes | None, password: bytes | None = None) -> list[Problem]:
    """Why it cannot be loaded."""
    with pytest.raises(CertificateError) as caught:
        load_identity(sources(*places, password=password))  # type: ignore[arg-type]
    return list(caught.value.problems)


def problem(*places: Path | bytes | None, password: bytes | None = None) -> Problem:
    """The only reason why it cannot be loaded."""
    (only,) = problems(*places, password=password)
    return only


def openssl(*arguments: str | Path, cwd: Path | None = None, input: str | None = None) -> str:
    """Run openssl; what it printed."""
    done = run(["openssl", *arguments], cwd=cwd, input=input)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def common_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="tlsrun-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Run the block as a user whom file modes stop; root is nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
