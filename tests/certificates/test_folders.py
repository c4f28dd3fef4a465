"""What programs that obtain certificates leave in a folder: read as a site, or passed over with a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tests.support.certs import Authority, Pair, key_pem, make_key
from tests.support.clients import free_port, https_get
from tests.support.process import Server
from tlsrun.certificates.folders import the_pair
from tlsrun.tls.sni import read_named

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"hi"]
"""


def _files(folder: Path, **named: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in named.items():
        (folder / name).write_bytes(data)


def _certbot(folder: Path, pair: Pair) -> None:
    pair.write(folder / "archive/site.test")
    (folder / "live/site.test").mkdir(parents=True)
    for name in ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"):
        (folder / "live/site.test" / name).symlink_to(f"../../archive/site.test/{name}")
    _files(folder / "live", README=b"words")
    _files(folder / "live/site.test", README=b"words")
    _files(folder / "renewal", **{"site.test.conf": b"words"})


def _dehydrated(folder: Path, pair: Pair) -> None:
    pair.write(folder / "certs/site.test")
    for path in tuple((folder / "certs/site.test").iterdir()):
        stamped = path.rename(path.with_name(f"{path.stem}-1764470000.pem"))
        path.symlink_to(stamped.name)
    _files(folder / "certs/site.test", **{"cert.csr": b"-----BEGIN CERTIFICATE REQUEST-----\n"})


def _lego(folder: Path, pair: Pair) -> None:
    _files(
        folder / "certificates",
        **{
            "site.test.crt": pair.fullchain_pem,
            "site.test.issuer.crt": pair.chain_pem,
            "site.test.key": pair.key_pem,
            "site.test.pem": pair.fullchain_pem + pair.key_pem,
            "site.test.pfx": b"0\x80",
            "site.test.json": b"{}",
        },
    )
    _files(folder / "accounts/ca.test/jo@site.test/keys", **{"jo@site.test.key": pair.key_pem})


def _acme_sh(folder: Path, pair: Pair) -> None:
    _files(
        folder / "site.test_ecc",
        **{
            "site.test.cer": pair.cert_pem,
            "ca.cer": pair.chain_pem,
            "fullchain.cer": pair.fullchain_pem,
            "site.test.key": pair.key_pem,
            "site.test.csr": b"-----BEGIN CERTIFICATE REQUEST-----\n",
            "site.test.conf": b"Le_Domain='site.test'\n",
        },
    )
    _files(folder / "ca/acme.test/directory", **{"account.key": pair.key_pem, "account.json": b"{}"})
    _files(folder, **{"acme.sh": b"#!/usr/bin/env sh\n", "account.conf": b"", "http.header": b""})


def _mkcert(folder: Path, pair: Pair) -> None:
    _files(folder, **{"site.test+1.pem": pair.fullchain_pem, "site.test+1-key.pem": pair.key_pem})


def _caddy(folder: Path, pair: Pair) -> None:
    site = folder / "certificates/acme.test-directory/site.test"
    _files(site, **{"site.test.crt": pair.fullchain_pem, "site.test.key": pair.key_pem, "site.test.json": b"{}"})
    _files(folder, **{"instance.uuid": b"1", "last_clean.json": b"{}"})
    (folder / "locks").mkdir()


def _kubernetes(folder: Path, pair: Pair) -> None:
    files = {"tls.crt": pair.fullchain_pem, "tls.key": pair.key_pem, "ca.crt": pair.chain_pem}
    _files(folder / "site/..2026_11_30", **files)
    (folder / "site/..data").symlink_to("..2026_11_30")
    for name in files:
        (folder / "site" / name).symlink_to(f"..data/{name}")


def _haproxy(folder: Path, pair: Pair) -> None:
    _files(folder, **{"site.test.pem": pair.fullchain_pem + pair.key_pem, "dhparam.pem": b"-----BEGIN DH PARAMETERS"})


LEFT_BY = {
    "certbot": (_certbot, "live/site.test/fullchain.pem", "live/site.test"),
    "dehydrated": (_dehydrated, "certs/site.test/fullchain.pem", "certs/site.test"),
    "lego": (_lego, "certificates/site.test.crt", "certificates"),
    "acme.sh": (_acme_sh, "site.test_ecc/fullchain.cer", "site.test_ecc"),
    "mkcert": (_mkcert, "site.test+1.pem", ""),
    "Caddy": (_caddy, "certificates/acme.test-directory/site.test/site.test.crt",
              "certificates/acme.test-directory/site.test"),
    "Kubernetes": (_kubernetes, "site/tls.crt", "site"),
    "HAProxy": (_haproxy, "site.test.pem", ""),
}  # fmt: skip


@pytest.mark.parametrize("program", LEFT_BY)
def test_what_programs_leave_in_a_folder(ca: Authority, tmp_path: Path, program: str) -> None:
    """From its topmost folder down: the site is read, once, and nothing is said of what lies beside it."""
    lay, cert, own = LEFT_BY[program]
    pair = ca.leaf("site.test")
    lay(tmp_path, pair)
    found = read_named(str(tmp_path), "--sni", None)
    assert (found.problems, found.warnings) == ((), ())
    assert [sources.cert.path for sources in found.readings] == [tmp_path / cert]
    assert [one.value.certificate for one in found.readings.values()] == [pair.certificate]
    assert [str(one.value.chain[0].subject) for one in found.readings.values()] == [str(ca.line[1][0].subject)]
    alone = the_pair(tmp_path / own)
    assert alone is not None
    assert alone.cert == tmp_path / cert


def test_what_is_no_site_never_stops_the_start(ca: Authority, tmp_path: Path) -> None:
    """An authority, with its key and without, a bundle with another password, a dead link: a line for each kind."""
    ca.leaf("good.test").write(tmp_path / "good")
    (tmp_path / "ca.crt").write_bytes(ca.root_pem)
    (tmp_path / "gone.crt").symlink_to("nowhere")
    key = make_key("ecdsa")
    nameless = ca.leaf("authority", key=key, san=False)
    _files(tmp_path, **{"rootCA.pem": nameless.cert_pem, "rootCA-key.pem": key_pem(key)})
    bundle = pkcs12.serialize_key_and_certificates(
        b"x", key, nameless.certificate, None, BestAvailableEncryption(b"changeit")
    )
    (tmp_path / "other.p12").write_bytes(bundle)
    found = read_named(str(tmp_path), "--sni", None)
    assert not found.problems
    assert list(found.sources) == ["good.test"]
    assert {warning.code for warning in found.warnings} == {"TLS164"}
    words = [warning.what for warning in found.warnings]
    assert words[0] == f"passed over in {tmp_path}: ca.crt, gone.crt; no key lies beside it"
    assert all(word.startswith("passed over") for word in words)
    assert any("rootCA.pem names no host" in word for word in words)
    assert any("other.p12" in word for word in words)


def test_an_authority_with_its_encrypted_key_stops_nothing(ca: Authority, tmp_path: Path) -> None:
    """Nor does one whose key is too short, what holds something else, or a pipe, which is not even opened."""
    ca.leaf("good.test").write(tmp_path / "good")
    key = make_key("ecdsa")
    authority = ca.leaf("authority", key=key, san=False).cert_pem
    _files(
        tmp_path,
        **{
            "ca.crt": authority, "ca.key": key_pem(key, b"secret"), "notes.crt": b"words", "notes.key": b"words",
            "old.crt": authority, "old.key": key_pem(short_rsa()),
        },
    )  # fmt: skip
    os.mkfifo(tmp_path / "pipe.pem")
    os.mkfifo(tmp_path / "piped.crt")
    os.mkfifo(tmp_path / "piped.key")
    found = read_named(str(tmp_path), "--sni", None)
    assert not found.problems
    assert list(found.sources) == ["good.test"]
    assert {warning.code for warning in found.warnings} == {"TLS164"}
    words = " ".join(warning.what for warning in found.warnings)
    assert f"passed over: the private key in {tmp_path}/ca.key is encrypted" in words
    assert f"passed over: {tmp_path}/notes.crt holds no certificate" in words
    assert "pipe" not in words


def short_rsa() -> rsa.RSAPrivateKey:
    """Too short for a site."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- meant


@pytest.mark.parametrize("spoil", ["encrypted", "words"])
def test_a_site_that_is_broken_is_an_error(ca: Authority, tmp_path: Path, spoil: str) -> None:
    """It names a host, or lies where programs lay sites."""
    paths = ca.leaf("site.test", password=b"secret" if spoil == "encrypted" else None).write(tmp_path / "site.test")
    if spoil == "words":
        paths.fullchain.write_bytes(b"words")
    (problem,) = read_named(str(tmp_path), "--sni", None).problems
    assert problem.code == ("TLS112" if spoil == "encrypted" else "TLS107")


def test_several_in_a_folder_are_not_one(ca: Authority, tmp_path: Path) -> None:
    """`cert` takes a folder only where one certificate is meant."""
    for name in ("a", "b"):
        pair = ca.leaf(f"{name}.test")
        _files(tmp_path, **{f"{name}.crt": pair.fullchain_pem, f"{name}.key": pair.key_pem})
    assert the_pair(tmp_path) is None
    assert the_pair(tmp_path / "nowhere") is None


def test_served_from_folders(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """`cert` and `sni` name what programs write into: both names are served, each with its chain."""
    _certbot(tmp_path / "letsencrypt", ca.leaf("site.test"))
    _kubernetes(tmp_path / "secrets", ca.leaf("other.test"))
    (tmp_path / "hello.py").write_text(HELLO)
    address = ("127.0.0.1", free_port())
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", str(address[1]), "--cert"]
    command += [str(tmp_path / "letsencrypt/live/site.test"), "--sni", str(tmp_path / "secrets")]
    with Server(command, cwd=tmp_path) as program:
        program.until_tls(address)
        for name in ("site.test", "other.test"):
            assert https_get(f"https://{name}:{address[1]}/", ca_file, address=address).status == 200
        assert "Warning" not in program.log()
