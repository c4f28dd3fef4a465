"""Several certificates behind one port, chosen by the name that the client asks for."""

from __future__ import annotations

import configparser
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.support.certs import Authority, Pair, Paths
from tests.support.clients import client_context, openssl_s_client, tls_connect
from tests.support.process import APPLICATIONS, eventually
from tests.support.sites import Serve, Site

APPS = APPLICATIONS / "own_settings.py"

#: What a client that knows one type of key offers in TLS 1.2.
ONLY = {"ecdsa": "ECDHE-ECDSA-AES128-GCM-SHA256", "rsa": "ECDHE-RSA-AES128-GCM-SHA256"}


def served(site: Site, name: str | None, *, ciphers: str | None = None) -> bytes:
    """The certificate that a client gets which asks for ``name``, in DER."""
    context = client_context(site.ca)
    context.check_hostname = False
    if ciphers is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    with tls_connect(site.address, None, name=name, context=context) as tls:  # type: ignore[arg-type]
        return tls.getpeercert(binary_form=True) or b""


@dataclass(frozen=True, kw_only=True)
class Several:
    """A site with the certificates of several names, and their files."""

    site: Site
    default: Paths
    a: Paths
    wild: Paths
    both: dict[str, Paths]


def _entry(paths: Paths) -> dict[str, str]:
    return {"cert": str(paths.fullchain), "key": str(paths.key)}


@pytest.fixture(scope="module")
def several(
    serve_all: Serve, ca: Authority, localhost_cert: Paths, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Several]:
    """The mapping form, by a flag: a name, a wildcard, and a name with an RSA and an ECDSA certificate."""
    folder = tmp_path_factory.mktemp("several")
    a = ca.leaf("a.example.test").write(folder / "a")
    wild = ca.leaf("*.wild.test").write(folder / "wild")
    both = {key: ca.leaf("both.test", key=key).write(folder / key) for key in ("ecdsa", "rsa")}
    mapping = {
        "a.example.test": _entry(a),
        "*.wild.test": _entry(wild),
        "both.test": [_entry(one) for one in both.values()],
    }
    with serve_all("--sni", json.dumps(mapping)) as site:
        yield Several(site=site, default=localhost_cert, a=a, wild=wild, both=both)


def test_each_name_has_its_certificate(several: Several) -> None:
    """The name itself, and one label below the wildcard; whatever is unknown gets the default certificate."""
    expected = {
        "a.example.test": several.a,
        "A.Example.Test": several.a,
        "x.wild.test": several.wild,
        "x.y.wild.test": several.default,
        "wild.test": several.default,
        "unknown.test": several.default,
        "localhost": several.default,
        None: several.default,
    }
    assert {name: served(several.site, name) for name in expected} == {
        name: paths.pair.der for name, paths in expected.items()
    }
    assert several.site.get(name="a.example.test").status == 200
    assert several.site.facts(name="x.wild.test")["SSL_TLS_SNI"] == "x.wild.test"


def test_rsa_beside_ecdsa(several: Several) -> None:
    """A TLS 1.2 client gets the certificate that its suites can use, a newer one the one its signatures can."""
    site, both = several.site, several.both
    for key, suite in ONLY.items():
        assert served(site, "both.test", ciphers=suite) == both[key].pair.der
    assert served(site, "both.test") == both["ecdsa"].pair.der
    signatures = {"ECDSA": "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "RSA-PSS": "rsa_pss_rsae_sha256"}
    for kind, offered in signatures.items():
        answer = openssl_s_client(site.address, site.ca, "-tls1_3", "-sigalgs", offered, name="both.test")
        assert answer.verified
        assert f"Peer signature type: {kind}\n" in answer.output
    # Neither is there for other names: the default has one key.
    with pytest.raises(ssl.SSLError):
        served(site, "localhost", ciphers=ONLY["rsa"])


@pytest.mark.representatives
@pytest.mark.parametrize("which", ["a", "wild", "rsa"])
def test_each_rotates_on_its_own(several: Several, ca: Authority, which: str) -> None:
    """A new pair in the files of one name is served for that name, and all others stay as they were."""
    site = several.site
    places = {"a": several.a, "wild": several.wild, "rsa": several.both["rsa"]}
    names = {"a": "a.example.test", "wild": "x.wild.test", "rsa": "both.test"}

    def all_served() -> dict[str, bytes]:
        found = {key: served(site, names[key]) for key in ("a", "wild")}
        found |= {key: served(site, "both.test", ciphers=suite) for key, suite in ONLY.items()}
        return {**found, "default": served(site, None)}

    before = all_served()
    live = places[which]
    new = ca.leaf(live.pair.certificate.subject.rfc4514_string().removeprefix("CN="), key=_key(live.pair))
    live.key.write_bytes(new.key_pem)
    live.fullchain.write_bytes(new.fullchain_pem)
    expected = {**before, which: new.der}
    eventually(lambda: all(all_served() == expected for _ in range(4)), what="the new certificate")


def _key(pair: Pair) -> str:
    return "rsa" if isinstance(pair.certificate.public_key(), RSAPublicKey) else "ecdsa"


@pytest.fixture(scope="module")
def hundred(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Pair]]:
    """A folder with a hundred certificates, in both of its forms, one of them for two types of key."""
    folder = tmp_path_factory.mktemp("hundred")
    pairs = {f"site{number}.test": ca.leaf(f"site{number}.test") for number in range(99)}
    for number, (name, pair) in enumerate(pairs.items()):
        if number % 2:
            pair.write(folder / name)
        else:
            (folder / f"{name}.crt").write_bytes(pair.fullchain_pem)
            (folder / f"{name}.key").write_bytes(pair.key_pem)
    pairs["site99.test"] = ca.leaf(["site99.test", "www.site99.test", "*.site99.test"])
    pairs["site99.test"].write(folder / "site99")
    pairs["rsa"] = ca.leaf("site99.test", key="rsa")
    pairs["rsa"].write(folder / "site99-rsa")
    (folder / "README").write_text("Not a certificate.")
    return folder, pairs


@pytest.mark.representatives("")
def test_a_folder_of_a_hundred(serve: Serve, hundred: tuple[Path, dict[str, Pair]], localhost_cert: Paths) -> None:
    """Certificates of a folder serve the names that they are for; strictly, all others are refused by an alert."""
    folder, pairs = hundred
    with serve("--sni", folder, "--sni-strict") as site:
        for number in range(100):
            assert served(site, f"site{number}.test") == pairs[f"site{number}.test"].der
        for name in ("www.site99.test", "x.site99.test"):
            assert served(site, name) == pairs["site99.test"].der
        assert served(site, "site99.test", ciphers=ONLY["rsa"]) == pairs["rsa"].der
        # The default certificate is still there for those that ask for its names, or for none.
        assert served(site, "localhost") == served(site, None) == localhost_cert.pair.der
        for version in ("-tls1_2", "-tls1_3"):
            refused = openssl_s_client(site.address, site.ca, version, name="unknown.test")
            assert "tlsv1 unrecognized name" in refused.errors
            assert "SSL alert number 112" in refused.errors
        assert "no certificate for the name that the client asked for" in site.server.log()
        for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            check_resumed_names(site, number)


def check_resumed_names(site: Site, version: ssl.TLSVersion) -> None:
    """The name is the one that this connection asks for, not the one that its session began with."""
    context = client_context(site.ca)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version

    def asks(name: str, session: ssl.SSLSession | None) -> tuple[str | None, bool, ssl.SSLSession | None]:
        with tls_connect(site.address, None, name=name, context=context, session=session) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: tls.recv(65536), b""))
            told = json.loads(answer.partition(b"\r\n\r\n")[2])
            return told.get("SSL_TLS_SNI"), bool(tls.session_reused), tls.session

    name, _, session = asks("site1.test", None)
    again, resumed, _ = asks("site1.test", session)
    assert (name, again, resumed) == ("site1.test", "site1.test", True)
    assert asks("site2.test", session)[0] == "site2.test"
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        asks("unknown.test", session)


@pytest.mark.representatives("")
def test_a_mapping_in_flasks_configuration(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """`app.config["TLS_SNI"]`, a dict of dicts; the PEM text itself may stand in it."""
    default, b = ca.leaf().write(tmp_path / "default"), ca.leaf("b.test")
    config = {
        "TLS_CERT": str(default.fullchain),
        "TLS_KEY": str(default.key),
        "TLS_SNI": {"b.test": {"cert": b.cert_pem.decode(), "chain": b.chain_pem.decode(), "key": b.key_pem.decode()}},
    }
    with serve(cert=None, app=f"{APPS}:flask_app()", SITE_CONFIG=json.dumps(config)) as site:
        assert served(site, "b.test") == b.der
        assert served(site, "c.test") == default.pair.der
        assert json.loads(site.get(name="b.test").body)["sni"] == "b.test"


@pytest.mark.representatives("")
def test_a_mapping_in_bottles_ini_file(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """Lines such as `sni.a.example.test.cert = …` in the section `[tls]`."""
    default = ca.leaf().write(tmp_path / "default")
    a, wild = ca.leaf("a.example.test").write(tmp_path / "a"), ca.leaf("*.wild.test").write(tmp_path / "wild")
    ini = configparser.ConfigParser()
    ini["tls"] = {
        "cert": str(default.fullchain),
        "key": str(default.key),
        "sni.a.example.test.cert": str(a.fullchain),
        "sni.a.example.test.key": str(a.key),
        "sni.*.wild.test.cert": str(wild.fullchain),
        "sni.*.wild.test.key": str(wild.key),
    }
    with (tmp_path / "site.ini").open("w") as file:
        ini.write(file)
    with serve(cert=None, app=f"{APPS}:bottle_app()", SITE_INI=str(tmp_path / "site.ini")) as site:
        assert served(site, "a.example.test") == a.pair.der
        assert served(site, "x.wild.test") == wild.pair.der
        assert served(site, "c.test") == default.pair.der
        assert json.loads(site.get(name="a.example.test").body)["sni"] == "a.example.test"
