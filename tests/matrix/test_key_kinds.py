"""Keys of rare kinds: every server serves them, or says before it starts what they are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import openssl_s_client
from tests.support.h3 import http_3
from tests.support.process import APPLICATIONS, run
from tests.support.servers import need
from tests.support.sites import SERVERS, serving

KINDS = {
    "RSASSA-PSS 2048": ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
    "Ed448": ["ed448"],
    "ECDSA P-521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
}


@pytest.fixture
def self_signed(tmp_path: Path, localhost_cert: Paths) -> Callable[[str], Paths]:
    """A certificate for localhost with a key of a kind; the certificate is what clients trust, too."""

    def make(kind: str) -> Paths:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        made = run(["openssl", "req", "-x509", "-nodes", "-newkey", *KINDS[kind], "-keyout", key, "-out", cert,
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-days", "30"])  # fmt: skip
        assert made.returncode == 0, made.stderr
        return Paths(fullchain=cert, cert=cert, chain=cert, key=key, pair=localhost_cert.pair)

    return make


@pytest.mark.representatives
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_served(server: str, kind: str, self_signed: Callable[[str], Paths]) -> None:
    """By OpenSSL, over TCP, in both versions of TLS; the banner names the kind."""
    need(server)
    cert = self_signed(kind)
    flags = ("--http", "1.1") if server == "hypercorn" else ()
    with serving(server, cert.cert, cert)(*flags) as site:
        for version in ("-tls1_2", "-tls1_3"):
            seen = openssl_s_client(site.address, cert.cert, version)
            assert seen.verified, seen.output
        assert f"; {kind}; " in site.server.log()


def refusal(server: str, cert: Path, key: Path | str, *flags: str) -> str:
    """The one line that a start says which serves nothing."""
    need(server)
    command = [sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--server", server]
    done = run([*command, "--cert", cert, "--key", key, "--port", "0", "--quiet", *flags])
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert "Traceback" not in done.stderr
    return line


@pytest.mark.parametrize("kind", ["RSASSA-PSS 2048", "Ed448"])
def test_granian_names_what_it_cannot_serve(kind: str, self_signed: Callable[[str], Paths]) -> None:
    """The kind, and what it takes."""
    cert = self_signed(kind)
    line = refusal("granian", cert.cert, cert.key)
    assert f"Granian cannot serve this {kind} certificate" in line
    assert "backtrace" not in line


@pytest.mark.parametrize("kind", ["RSASSA-PSS 2048", "ECDSA P-521"])
def test_http3_names_what_it_cannot_sign_with(kind: str, self_signed: Callable[[str], Paths]) -> None:
    """The kind, and the versions of HTTP that can."""
    cert = self_signed(kind)
    line = refusal("hypercorn", cert.cert, cert.key)
    assert f"HTTP/3 cannot sign with a key of the kind {kind}" in line
    assert "2,1.1" in line


def test_http3_signs_with_ed448(self_signed: Callable[[str], Paths]) -> None:
    """As OpenSSL does over TCP."""
    need("hypercorn")
    cert = self_signed("Ed448")
    with serving("hypercorn", cert.cert, cert)("--http", "3,1.1") as site:

        async def ask() -> int:
            async with http_3(site.address, cert.cert) as client:
                return (await client.ask("/")).status

        assert asyncio.run(ask()) == 200


def test_a_key_in_a_token(localhost_cert: Paths) -> None:
    """It is not supported, and is not called a file that does not exist."""
    line = refusal("builtin", localhost_cert.fullchain, "pkcs11:token=web;object=key")
    assert "is a URI" in line
    assert "PKCS #11" in line
