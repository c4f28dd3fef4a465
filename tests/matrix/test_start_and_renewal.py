"""What the start says of files, every server says of a renewal to the same ones, while a good certificate is served."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.test_rotation import in_place, served, until_served_by_all
from tests.support.certs import PEM, Authority, Pair, Paths, key_pem, make_key
from tests.support.clients import Address, facts, tls_connect
from tests.support.process import APPLICATIONS, eventually, run
from tests.support.servers import ALL_SERVERS, need
from tests.support.sites import Serve, Site, serving

#: Seconds within which files that stay as they are are looked at again, and then some.
SETTLED = 90


@pytest.fixture(params=ALL_SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    """Of a server."""
    need(request.param)
    return str(request.param)


@pytest.fixture
def serve(name: str, ca_file: Path, localhost_cert: Paths) -> Serve:
    """Starts the site under that server."""
    return serving(name, ca_file, localhost_cert)


def not_matching(ca: Authority, folder: Path) -> Pair:
    pair = ca.leaf()
    return Pair(cert_pem=pair.cert_pem, chain_pem=pair.chain_pem, key_pem=key_pem(make_key("ecdsa")))


def cut(ca: Authority, folder: Path) -> Pair:
    pair = ca.leaf()
    return Pair(cert_pem=pair.cert_pem, chain_pem=b"", key_pem=pair.key_pem)


def wrong_order(ca: Authority, folder: Path) -> Pair:
    pair = ca.leaf()
    return Pair(cert_pem=pair.chain_pem, chain_pem=pair.cert_pem, key_pem=pair.key_pem)


def sha_1(ca: Authority, folder: Path) -> Pair:
    """By openssl, for the library signs nothing so any more."""
    certificate, key = ca.line[-1]
    (folder / "ca.pem").write_bytes(certificate.public_bytes(PEM) + key_pem(key))
    (folder / "leaf.ext").write_text("subjectAltName=DNS:localhost")
    for command in (
        ["req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", "leaf.key", "-subj", "/CN=localhost",
         "-out", "leaf.csr"],
        ["x509", "-req", "-sha1", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.pem", "-CAcreateserial",
         "-extfile", "leaf.ext", "-out", "leaf.pem"],
    ):  # fmt: skip
        made = run(["openssl", *command], cwd=folder)
        assert made.returncode == 0, made.stderr
    cert, private = ((folder / one).read_bytes() for one in ("leaf.pem", "leaf.key"))
    return Pair(cert_pem=cert, chain_pem=b"".join(ca.intermediate_pems), key_pem=private)


#: What is refused at the start and at a renewal, and in which words.
REFUSED: dict[str, Callable[[Authority, Path], Pair]] = {
    "does not match the certificate in": not_matching,
    "is refused: it is signed with a hash that is broken (SHA-1 or MD5): SHA1": sha_1,
}
LACKS = "does not hold CN="


def start(server: str, cert: Paths) -> list[str]:
    """The errors of a start that serves nothing."""
    command = [sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--server", server]
    done = run([*command, "--cert", cert.fullchain, "--key", cert.key, "--port", "0", "--quiet"])
    assert done.returncode == 2, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error:")]


def until_told(site: Site, words: str) -> None:
    """Wait until the log says that what is in service was kept, and why."""

    def told() -> bool:
        return any("not reloaded from" in line and words in line for line in site.server.log().splitlines())

    eventually(told, 30, what=f"that it {words}")


def shown(address: Address) -> set[bytes]:
    """What 12 clients are shown, who do not verify it: they lack the issuer."""
    found = set()
    for _ in range(12):
        with tls_connect(address, None) as tls:
            found.add(facts(tls).certificate)
    return found


def test_they_say_the_same(name: str, serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """What the start refuses is not served at a renewal, and the reason is the same; what it mends is mended, and what
    it warns of is served once the files have stayed so (see below)."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:
        for words, make in REFUSED.items():
            bad = make(ca, tmp_path)
            (line,) = start(name, bad.write(tmp_path / "start"))
            assert words in line
            in_place(live, bad)
            until_told(site, words)
            assert served(site) == live.pair.der
        in_place(live, cut(ca, tmp_path))
        until_told(site, LACKS)
        assert "is served if it stays so for a minute, as it would be at a start" in site.server.log()
        assert served(site) == live.pair.der
        mended = wrong_order(ca, tmp_path)
        in_place(live, mended)
        until_served_by_all(site, Pair(cert_pem=mended.chain_pem, chain_pem=b"", key_pem=mended.key_pem), 30)
        assert "are in the wrong order" in site.server.log()
        assert "Traceback" not in site.server.log()
    alone = cut(ca, tmp_path)
    with serve(cert=alone.write(tmp_path / "start")) as site:
        assert LACKS in site.server.log()
        assert site.server.log().count("Traceback") == 0


@pytest.mark.soak
def test_what_the_start_would_serve_is_served_a_minute_later(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """A certificate without its issuer, by all servers: the warning of the start stands in the log then."""
    live = ca.leaf().write(tmp_path)
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(serving(one, ca_file, live)()) for one in ALL_SERVERS]
        new = cut(ca, tmp_path)
        in_place(live, new)
        for site in sites:
            until_told(site, LACKS)
        for site in sites:
            eventually(lambda at=site.address: shown(at) == {new.der}, SETTLED, what=f"it under {site.name}")
            assert LACKS in site.server.log().rpartition("the new certificate: ")[2]


@pytest.mark.representatives("")
def test_a_password_that_changes_with_its_key(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """It is read again from its file, by the process that reads certificates."""
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    live = ca.leaf(password=b"first").write(tmp_path)
    with serve("--key-password-file", secret, cert=live) as site:
        new = ca.leaf(password=b"second")
        secret.write_text("second\n")
        in_place(live, new)
        until_served_by_all(site, new, 30)
