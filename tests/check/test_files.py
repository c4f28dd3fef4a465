"""Findings in files: each on a real file that shows it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from tests.check.examining import check, codes, only
from tests.check.horrors import ISSUER_URL, leaf, openssl, signed_by, written
from tests.support.certs import DAY, NOW, Authority, Pair, Paths, key_pem, make_key
from tests.support.servers import need
from tlsrun.check.code import Severity

Maker = Callable[[Path, Authority, Paths], dict[str, Any]]


def _several_keys(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    keys = written(folder, "keys.pem", good.pair.key_pem + key_pem(make_key("ecdsa")))
    return {"cert": good.fullchain, "key": keys}


def _encrypted(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    pair = ca.leaf(password=b"right").write(folder / "encrypted")
    return {"cert": pair.fullchain, "key": pair.key}


def _p7b(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    data = pkcs7.serialize_certificates([good.pair.certificate], Encoding.PEM)
    return {"cert": written(folder, "chain.p7b", data), "key": good.key}


def _dsa(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "pbits:1024", "-out", "dsa.par", cwd=folder)
    openssl("genpkey", "-paramfile", "dsa.par", "-out", "dsa.key", cwd=folder)
    return {"cert": good.fullchain, "key": folder / "dsa.key"}


def _damaged(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    return {"cert": written(folder, "cut.pem", good.pair.cert_pem[:-40]), "key": good.key}


def _glued(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    data = good.pair.cert_pem.rstrip() + good.pair.chain_pem
    return {"cert": written(folder, "glued.pem", data), "key": good.key}


def _only_root(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    data = good.pair.fullchain_pem + ca.root_pem
    return {"cert": written(folder, "with-root.pem", data), "key": good.key}


def _strangers(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    data = good.pair.fullchain_pem + Authority("stranger").root_pem
    return {"cert": written(folder, "strangers.pem", data), "key": good.key}


def _missing_issuer(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    cert, key = leaf(ca, issuer_url=ISSUER_URL)
    return {"cert": written(folder, "leaf.pem", cert), "key": written(folder, "leaf.key", key)}


def _short_rsa(folder: Path, ca: Authority, good: Paths) -> dict[str, Any]:
    cert, key = leaf(ca, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 -- meant
    return {"cert": written(folder, "weak.pem", cert), "key": written(folder, "weak.key", key)}


#: code -> what is given, and words of the finding
CASES: dict[str, tuple[str, Maker, tuple[str, ...]]] = {
    "missing": (
        "TLS101",
        lambda f, ca, g: {"cert": f / "no.pem", "key": g.key},
        ("no.pem", "does not exist"),
    ),
    "dangling link": (
        "TLS101",
        lambda f, ca, g: {"cert": _link(f, "nowhere.pem"), "key": g.key},
        ("nowhere.pem", "link"),
    ),
    "a folder": ("TLS104", lambda f, ca, g: {"cert": f, "key": g.key}, ("is a folder",)),
    "empty": (
        "TLS105",
        lambda f, ca, g: {"cert": written(f, "empty.pem", b""), "key": g.key},
        ("empty.pem",),
    ),
    "not PEM": ("TLS107", lambda f, ca, g: {"cert": written(f, "x.pem", b"hello"), "key": g.key}, ("x.pem",)),
    "PKCS #7": ("TLS109", _p7b, ("chain.p7b", "PKCS #7")),
    "several keys": ("TLS110", _several_keys, ("keys.pem", "2 private keys")),
    "mismatch": (
        "TLS111",
        lambda f, ca, g: {"cert": g.fullchain, "key": written(f, "other.key", key_pem(make_key("ecdsa")))},
        ("other.key", "ECDSA P-256 (sha256"),
    ),
    "encrypted": ("TLS112", _encrypted, ("encrypted",)),
    "wrong password": (
        "TLS113",
        lambda f, ca, g: {**_encrypted(f, ca, g), "key_password": "wrong"},
        ("does not open",),
    ),
    "unneeded password": (
        "TLS114",
        lambda f, ca, g: {"cert": g.fullchain, "key": g.key, "key_password": "x"},
        ("is not encrypted",),
    ),
    "password file": (
        "TLS115",
        lambda f, ca, g: {**_encrypted(f, ca, g), "key_password_file": str(f / "no-password")},
        ("no-password",),
    ),
    "no key": ("TLS116", lambda f, ca, g: {"cert": g.fullchain}, ("no private key",)),
    "swapped": ("TLS117", lambda f, ca, g: {"cert": g.key, "key": g.fullchain}, ("swapped",)),
    "cut off": ("TLS118", _damaged, ("cut.pem",)),
    "DSA": ("TLS119", _dsa, ("dsa.key", "DSA")),
    "short RSA": ("TLS120", _short_rsa, ("weak.key", "RSA 1024", "2048")),
    "glued": ("TLS130", _glued, ("glued.pem",)),
    "wrong order": (
        "TLS131",
        lambda f, ca, g: {"cert": written(f, "order.pem", g.pair.chain_pem + g.pair.cert_pem), "key": g.key},
        ("order.pem", "wrong order"),
    ),
    "issuer missing": ("TLS132", _missing_issuer, ("intermediate 1", "leaf.pem")),
    "root unknown": ("TLS133", lambda f, ca, g: {"cert": g.fullchain, "key": g.key}, ("tlsrun test root",)),
    "with root": ("TLS134", _only_root, ("with-root.pem", "tlsrun test root")),
    "twice": (
        "TLS135",
        lambda f, ca, g: {
            "cert": written(f, "twice.pem", g.pair.fullchain_pem + g.pair.chain_pem),
            "key": g.key,
        },
        ("twice.pem",),
    ),
    "strangers": ("TLS136", _strangers, ("strangers.pem", "stranger")),
}


def _link(folder: Path, target: str) -> Path:
    link = folder / "link.pem"
    link.symlink_to(folder / target)
    return link


@pytest.mark.parametrize(("code", "make", "says"), CASES.values(), ids=CASES.keys())
def test_each_file_shows_its_finding(
    code: str, make: Maker, says: tuple[str, ...], tmp_path: Path, ca: Authority, localhost_cert: Paths
) -> None:
    """What a file is, is found under its code, said with its name, and has a remedy; errors end with 2."""
    report = check(**{name: str(value) for name, value in make(tmp_path, ca, localhost_cert).items()})
    finding = only(report, code)
    for words in says:
        assert words in f"{finding.where}: {finding.what}"
    assert "the test" in finding.where
    assert finding.remedy
    errors = [one for one in report.findings if one.severity is Severity.ERROR]
    assert report.exit_code(strict=False) == (2 if errors else 0)
    assert bool(errors) == (finding.severity is Severity.ERROR)


def test_a_good_pair_shows_nothing(localhost_cert: Paths, ca_file: Path) -> None:
    """With the root named, there is nothing to say of a good pair."""
    report = check(cert=str(localhost_cert.fullchain), key=str(localhost_cert.key), ca=ca_file)
    assert {code for code in codes(report) if code.startswith("TLS1")} == set()
    assert report.exit_code(strict=True) == 0


def test_the_address_of_a_missing_issuer(tmp_path: Path, ca: Authority) -> None:
    """Where the certificate says where its issuer is, the remedy says it too."""
    cert, key = leaf(ca, issuer_url=ISSUER_URL)
    report = check(cert=str(written(tmp_path, "leaf.pem", cert)), key=str(written(tmp_path, "leaf.key", key)))
    assert ISSUER_URL in only(report, "TLS132").remedy


def test_a_root_that_is_there_and_unknown(tmp_path: Path, ca: Authority, localhost_cert: Paths) -> None:
    """The file holds it, so nothing is said to lack: this machine does not know it."""
    given = _only_root(tmp_path, ca, localhost_cert)
    report = check(**{name: str(value) for name, value in given.items()})
    assert "leads to CN=tlsrun test root, which this machine does not know" in only(report, "TLS133").what
    assert "--ca FILE" in only(report, "TLS133").remedy


def test_a_second_intermediate_that_is_missing(tmp_path: Path) -> None:
    """A gap further up in the chain is found too."""
    deep = Authority("deep", intermediates=2)
    pair = deep.leaf()
    first = pair.chain_pem.partition(b"-----END CERTIFICATE-----\n")
    cert = written(tmp_path, "gap.pem", pair.cert_pem + first[0] + first[1])
    key = written(tmp_path, "gap.key", pair.key_pem)
    report = check(cert=str(cert), key=str(key), ca=deep.write(tmp_path / "deep"))
    assert "deep intermediate 1" in only(report, "TLS133").what


@pytest.mark.parametrize(
    ("crl", "says"),
    [
        (lambda ca: ca.crl(ends=NOW - DAY, begins=NOW - 2 * DAY), "expired on"),
        (lambda ca: ca.crl(level=0, key=make_key("ecdsa")), "is not signed by the key of CN=tlsrun test root"),
        (lambda ca: ca.crl() + ca.crl(level=0), None),
    ],
)
def test_revocation_lists(
    crl: Callable[[Authority], bytes], says: str | None, tmp_path: Path, ca: Authority, localhost_cert: Paths
) -> None:
    """A list that keeps clients out is found, with its authority, its file and what to do."""
    lists = written(tmp_path, "clients.crl", crl(ca))
    authority = ca.write(tmp_path)
    report = check(
        cert=str(localhost_cert.fullchain), key=str(localhost_cert.key), client_ca=str(authority), client_crl=str(lists)
    )
    if says is None:
        assert "TLS149" not in codes(report)
        return
    finding = only(report, "TLS149")
    assert says in finding.what
    assert "clients.crl" in finding.what
    assert "Fetch it anew" in finding.remedy
    assert report.exit_code(strict=False) == 2


def test_lists_for_granian(tmp_path: Path, ca: Authority, ca_file: Path, localhost_cert: Paths) -> None:
    """It wants a list of every authority, and elsewhere the one of who signs the clients does."""
    need("granian")
    lists = written(tmp_path, "clients.crl", ca.crl())
    files = {"cert": localhost_cert.fullchain, "key": localhost_cert.key, "client_ca": ca_file, "client_crl": lists}
    settings = {name: str(path) for name, path in files.items()}
    finding = only(check(**settings, server="granian", client_facts=False), "TLS222")
    assert "clients.crl has no list of CN=tlsrun test root" in finding.what
    assert "TLS222" not in codes(check(**settings, server="builtin"))


@pytest.mark.parametrize(("form", "code"), [("der", "TLS108"), ("p12", "TLS109")])
def test_binary_forms(form: str, code: str, tmp_path: Path, localhost_cert: Paths) -> None:
    """DER and PKCS #12 are read, and it is said that other servers do not."""
    if form == "der":
        settings = {"cert": written(tmp_path, "leaf.der", localhost_cert.pair.der), "key": localhost_cert.key}
    else:
        settings = {"cert": written(tmp_path, "both.p12", _p12(localhost_cert.pair)), "key_password": "pw"}
    report = check(**{name: str(value) for name, value in settings.items()})
    assert only(report, code).severity is Severity.INFO


def _p12(pair: Pair) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key

    chain = x509.load_pem_x509_certificates(pair.chain_pem)
    key: Any = load_pem_private_key(pair.key_pem, None)
    return serialize_key_and_certificates(b"x", key, pair.certificate, chain, BestAvailableEncryption(b"pw"))


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="this OpenSSL knows ML-DSA")
def test_refused_by_openssl(tmp_path: Path) -> None:
    """A pair that fits, and that OpenSSL does not take all the same: an authority signs with ML-DSA."""
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    cert, key = signed_by(mldsa.MLDSA65PrivateKey.generate(), make_key("ecdsa"))
    report = check(cert=str(written(tmp_path, "pq.pem", cert)), key=str(written(tmp_path, "pq.key", key)))
    finding = only(report, "TLS122")
    assert "pq.pem (ECDSA P-256): a signature on it or on an issuer is too weak" in finding.what
    assert ssl.OPENSSL_VERSION in finding.what


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="this OpenSSL knows ML-DSA")
def test_a_kind_of_key_that_openssl_here_does_not_know(tmp_path: Path) -> None:
    """It is named."""
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    private = mldsa.MLDSA65PrivateKey.generate()
    cert, key = signed_by(private, private)
    report = check(cert=str(written(tmp_path, "pq.pem", cert)), key=str(written(tmp_path, "pq.key", key)))
    assert "is ML-DSA-65" in only(report, "TLS125").what


def test_a_uri(localhost_cert: Paths) -> None:
    """A key in a token is no file that does not exist."""
    report = check(cert=str(localhost_cert.fullchain), key="pkcs11:token=web;object=key")
    assert "pkcs11:token=web;object=key is a URI" in only(report, "TLS124").what
