"""HTTP/3 and a renewed certificate whose key it cannot sign with: aioquic's TLS knows fewer kinds than OpenSSL's."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certs import PEM, Authority, Pair, key_pem
from tests.support.clients import https_get
from tests.support.frameworks import Site, beginning
from tests.support.h3 import http_3
from tests.support.process import eventually, run
from tests.support.servers import need

need("hypercorn")


@pytest.mark.parametrize("kind", ["P-521", "RSASSA-PSS", "ML-DSA-65"])
def test_a_renewal_to_a_key_that_it_cannot_sign_with(kind: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """The last good certificate stays, over UDP and TCP; one line says why, and a better one is served then."""
    pair = ca.leaf().write(tmp_path / "pair")
    if kind == "ML-DSA-65" and ssl.OPENSSL_VERSION_INFO < (3, 5):
        pytest.skip("this OpenSSL does not know ML-DSA")
    odd = p_521(ca) if kind == "P-521" else by_openssl(tmp_path, ca, *NEW_KEYS[kind])

    async def serial(site: Site) -> int:
        async with http_3(site.address, site.ca) as client:
            assert (await client.ask("/")).status == 200
            return client.certificate.serial_number

    with beginning("hypercorn", "flask", pair, ca_file, tmp_path)() as site:
        before = pair.pair.certificate.serial_number
        odd.write(tmp_path / "pair")
        site.server.until_logged("HTTP/3 cannot sign with a key of the kind")
        kept = [line for line in site.server.log().splitlines() if "HTTP/3 cannot sign" in line]
        assert all("kept certificate for localhost" in line and "not reloaded from" in line for line in kept)
        for _ in range(4):
            assert asyncio.run(serial(site)) == before
            assert over_tcp(site) == pair.pair.der
        new = ca.leaf()
        new.write(tmp_path / "pair")
        wanted = new.certificate.serial_number
        eventually(lambda: all(asyncio.run(serial(site)) == wanted for _ in range(6)), 60, what="the mended one")
        assert "Traceback" not in site.server.log()


def over_tcp(site: Site) -> bytes:
    """The certificate that a client of HTTP/1.1 is shown."""
    return https_get(f"https://localhost:{site.port}/", site.ca, address=site.address).tls.certificate


#: For `openssl req`.
NEW_KEYS = {"RSASSA-PSS": ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], "ML-DSA-65": ["ML-DSA-65"]}


def p_521(ca: Authority) -> Pair:
    return ca.leaf(key=ec.generate_private_key(ec.SECP521R1()))


def by_openssl(folder: Path, ca: Authority, *kind: str) -> Pair:
    """The library writes a key for RSASSA-PSS as one for plain RSA, and does not make all others."""
    certificate, key = ca.line[-1]
    (folder / "ca.pem").write_bytes(certificate.public_bytes(PEM) + key_pem(key))
    (folder / "leaf.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for command in (
        ["req", "-new", "-nodes", "-newkey", *kind, "-keyout", "leaf.key",
         "-subj", "/CN=localhost", "-out", "leaf.csr"],
        ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.pem", "-CAcreateserial",
         "-extfile", "leaf.ext", "-out", "leaf.pem"],
    ):  # fmt: skip
        made = run(["openssl", *command], cwd=folder)
        assert made.returncode == 0, made.stderr
    cert, private = ((folder / name).read_bytes() for name in ("leaf.pem", "leaf.key"))
    return Pair(cert_pem=cert, chain_pem=b"".join(ca.intermediate_pems), key_pem=private)
