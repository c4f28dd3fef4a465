"""The private folder: who may read it, what is in it, when it goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.process import run
from tests.support.servers import need
from tlsrun.account import Account
from tlsrun.certificates.identity import Identity, IdentitySources, Source, load_identity
from tlsrun.tls.context import ClientAuth

need("granian")
from tlsrun.servers.granian.pem import PemFolder  # noqa: E402 -- once it is known to be there
from tlsrun.servers.granian.trial import objection_to  # noqa: E402


@pytest.fixture
def identity(localhost_cert: Paths) -> Identity:
    """The certificate for localhost."""
    sources = IdentitySources(
        cert=Source(given_by="cert", path=localhost_cert.fullchain), key=Source(given_by="key", path=localhost_cert.key)
    )
    return load_identity(sources)


def test_only_this_user_may_read_it(identity: Identity) -> None:
    """0700 for folders, 0600 for files, whatever the umask."""
    before = os.umask(0)
    try:
        folder = PemFolder()
        files = folder.write(identity, None)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder.path, files.folder)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.cert, files.key)} == {0o600}
    assert files.cert.read_bytes() == identity.fullchain
    assert files.key.read_bytes() == identity.key
    assert (files.ca, files.crls) == (None, ())
    folder.remove()
    assert not folder.path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_else_reads_it(identity: Identity) -> None:
    """The files are the reader's alone, the folders nobody else's than ours: no link can be laid there."""
    reader = Account(user="x", uid=54321, gid=54322)
    folder = PemFolder(reader)
    files = folder.write(identity, None)
    for path in (folder.path.parent, folder.path, files.folder):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o711, 0)
    for path in (files.cert, files.key):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o600, 54321)
        read = run(["setpriv", "--reuid=54321", "--regid=54322", "--clear-groups", "cat", str(path)])
        assert read.stdout.encode() == path.read_bytes()
    folder.remove()


def test_revocation_lists_stand_alone(identity: Identity, ca: Authority) -> None:
    """Each has a file of its own: of a file with several, Granian would read the first."""
    lists = [b"-----BEGIN X509 CRL-----\n%d\n-----END X509 CRL-----" % number for number in (1, 2)]
    folder = PemFolder()
    clients = ClientAuth(ca=ca.root_pem, crl=b"# two\n" + b"\n".join(lists) + b"\n")
    files = folder.write(identity, clients)
    assert files.ca is not None
    assert files.ca.read_bytes() == ca.root_pem
    assert [path.read_bytes().strip() for path in files.crls] == lists
    folder.remove()


def test_versions(identity: Identity) -> None:
    """A new one leaves the old one alone until it is told to keep itself only."""
    folder = PemFolder()
    first, second = folder.write(identity, None), folder.write(identity, None)
    assert first.key.exists()
    folder.keep_only(second)
    assert (first.folder.exists(), second.key.exists()) == (False, True)
    folder.remove()


def test_what_a_killed_server_left_is_swept(identity: Identity) -> None:
    """A folder whose lock nobody holds goes with the next start; that of a server that runs stays."""
    running, killed = PemFolder(), PemFolder()
    for folder in (running, killed):
        folder.write(identity, None)
    os.close(killed._lock)
    third = PemFolder()
    assert (running.path.exists(), killed.path.exists()) == (True, False)
    for folder in (running, third):
        folder.remove()


def test_a_trial_tells_what_happened(tmp_path: Path) -> None:
    """None, an exception's words, or how the process ended; nothing happens to this one."""
    assert objection_to(lambda: (tmp_path / "tried").touch()) is None
    assert (tmp_path / "tried").exists()

    def fails() -> None:
        raise ValueError("too odd")

    assert objection_to(fails) == "ValueError: too odd"
    assert "wait status 6" in str(objection_to(os.abort))

    def panics() -> None:
        os.write(2, b"thread '<unnamed>' panicked at src/tls.rs:79:\ninvalid key\nnote: run with\n")
        os.abort()

    assert objection_to(panics) == "invalid key"
