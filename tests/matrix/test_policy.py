"""What is offered to clients, as scanners see it."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Paths
from tests.support.clients import client_context, openssl_s_client, tls_connect
from tests.support.process import run
from tests.support.servers import need
from tests.support.sites import SERVERS, Serve, Site, serving

#: Mozilla's guideline 6.0.
TLS_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
TLS_1_2 = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What sslscan found; groups are those of the newest version."""

    versions: set[str]
    suites: set[str]
    groups: set[str]
    compresses: bool
    renegotiates: bool


def program(package: str) -> str:
    """Where a scanner is; Debian calls testssl.sh otherwise."""
    found = shutil.which(package) or shutil.which(package.removesuffix(".sh"))
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Run: apt install {package}")
    return found


def scan(site: Site) -> Scan:
    """Ask sslscan."""
    command = [program("sslscan"), "--xml=-", "--sni-name=localhost", f"127.0.0.1:{site.port}"]
    said = run(command, deadline=60).stdout
    versions = re.findall(r'<protocol type="(\w+)" version="([\d.]+)" enabled="1"', said)
    return Scan(
        versions={f"{kind.upper()} {version}" for kind, version in versions},
        suites=set(re.findall(r'<cipher .*cipher="([^"]+)"', said)),
        groups=set(re.findall(r'<group sslversion="[^"]+" bits="\d+" name="([^" ]+)', said)),
        compresses='<compression supported="1"' in said,
        renegotiates='<renegotiation supported="1"' in said,
    )


@pytest.fixture
def both_keys(ca: Authority, tmp_path: Path) -> str:
    """An RSA certificate beside an ECDSA one, so that every suite can be had."""
    pairs = [ca.leaf(key=key).write(tmp_path / key) for key in ("ecdsa", "rsa")]
    return json.dumps({"localhost": [{"cert": str(one.fullchain), "key": str(one.key)} for one in pairs]})


def test_intermediate(serve: Serve, both_keys: str) -> None:
    """Without a word: TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only."""
    with serve("--sni", both_keys) as site:
        found = scan(site)
        assert found.versions == {"TLS 1.2", "TLS 1.3"}
        assert found.suites == TLS_1_2 | TLS_1_3
        assert {"x25519", "secp256r1", "secp384r1"} <= found.groups
        assert not found.compresses
        assert not found.renegotiates
        report = run([sys.executable, "-m", "tlsrun", "check", "--url", f"https://localhost:{site.port}", "--ca",
                      site.ca, "--json"], deadline=60)  # fmt: skip
        grade = json.loads(report.stdout)["grade"]
        # A+ takes Strict-Transport-Security, which is never sent for localhost.
        assert grade["letter"] == "A"
        assert "Strict-Transport-Security" in grade["capped_because"]


@pytest.mark.parametrize("profile", ["intermediate", "modern"])
def test_granian(ca_file: Path, ca: Authority, tmp_path: Path, profile: str) -> None:
    """Granian, whose suites are its own: those of the profile for its one key, and no group that is not."""
    need("granian")
    with serving("granian", ca_file, ca.leaf(key="rsa").write(tmp_path))("--profile", profile) as site:
        found = scan(site)
    assert found.versions == ({"TLS 1.3"} if profile == "modern" else {"TLS 1.2", "TLS 1.3"})
    for_rsa = set() if profile == "modern" else {suite for suite in TLS_1_2 if "-RSA-" in suite}
    assert found.suites == for_rsa | TLS_1_3
    assert found.groups == {"x25519", "secp256r1", "secp384r1"}
    assert not found.compresses
    assert not found.renegotiates


def test_modern(serve: Serve, both_keys: str) -> None:
    """The profile `modern` is TLS 1.3 alone."""
    with serve("--sni", both_keys, "--profile", "modern") as site:
        found = scan(site)
    assert found.versions == {"TLS 1.3"}
    assert found.suites == TLS_1_3


def test_what_is_asked_for(serve: Serve) -> None:
    """Newest version, suites and groups are those that are named; a hook has the last word on each context."""
    flags = ["--max-version", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384", "--groups", "secp384r1",
             "--context-hook", "tests.applications.hooks:adapt"]  # fmt: skip
    with serve(*flags) as site:
        found = scan(site)
        assert found.versions == {"TLS 1.2"}
        assert found.suites == {"ECDHE-ECDSA-AES256-GCM-SHA384"}
        hooked = f"{site.name}-1.2-hardened"
        context = client_context(site.ca)
        context.set_alpn_protocols([hooked, "http/1.1"])
        with tls_connect(site.address, site.ca, context=context) as tls:
            assert tls.selected_alpn_protocol() == hooked
        assert "ECDH, secp384r1" in openssl_s_client(site.address, site.ca).output
        refused = openssl_s_client(site.address, site.ca, "-groups", "X25519")
        assert "handshake failure" in refused.errors


def test_oldest_version(serve: Serve) -> None:
    """With min_version 1.3 a TLS 1.2 client is refused."""
    with serve("--min-version", "1.3") as site:
        context = client_context(site.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
            tls_connect(site.address, site.ca, context=context)


#: What testssl.sh says of other things than the server's TLS.
EXCUSED = {
    "cert_revocation": "the certificate of this test names no place for its revocation",
    "security_headers": "they are the application's, and this one sends none",
}

#: What it says of a server that lets the client choose among good suites, as Mozilla's guideline recommends it.
CLIENT_CHOOSES = {"granian": {"cipher_order"}}


def graver_than_low(site: Site, ca: Path, folder: Path) -> dict[str, str]:
    """What testssl.sh finds."""
    found = folder / "found.json"
    command = [program("testssl.sh"), "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1"]
    # Protocols, suites, forward secrecy, preferences, certificate, headers, vulnerabilities.
    command += ["-p", "-s", "-f", "-P", "-S", "-h", "-U"]
    command += ["--add-ca", str(ca), "--jsonfile", str(found), f"https://www.example.test:{site.port}"]
    done = run(command, deadline=280)
    findings = json.loads(found.read_text())
    looked_at = {"TLS1_2", "TLS1_3", "BREACH", "HSTS_time", "cert_chain_of_trust"}
    assert looked_at <= {one["id"] for one in findings}, done.stdout
    # A WARN is a failure of the scan itself.
    return {
        one["id"]: f"{one['severity']}: {one['finding']}"
        for one in findings
        if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL") and one["id"] not in EXCUSED
    }


def our_grade(site: Site, cert: Paths, ca: Path) -> str:
    """What `tlsrun check` gives a site with Strict-Transport-Security."""
    command = [sys.executable, "-m", "tlsrun", "check", "--server", site.name, "--port", site.port, "--ca", ca]
    command += ["--cert", cert.fullchain, "--key", cert.key, "--hsts", "63072000", "--json"]
    report = json.loads(run(command, deadline=60).stdout)
    assert report["grade"]["measured"] == "live"
    return str(report["grade"]["letter"])


def check_with_testssl(name: str, ca: Authority, ca_file: Path, folder: Path) -> None:
    """No finding is graver than low; Strict-Transport-Security is there."""
    need(name)
    cert: Paths = ca.leaf("www.example.test", not_after=NOW + 90 * DAY).write(folder / "cert")
    with serving(name, ca_file, cert)("--hsts", "63072000") as site:
        assert our_grade(site, cert, ca_file) == "A+"
        found = graver_than_low(site, ca_file, folder)
        assert set(found) == CLIENT_CHOOSES.get(name, set()), found


@pytest.mark.full
@pytest.mark.timeout(300)
def test_testssl(ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """testssl.sh finds nothing graver than low in gunicorn."""
    check_with_testssl("gunicorn", ca, ca_file, tmp_path)


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted({*SERVERS, "granian"} - {"gunicorn"}))
def test_testssl_with_the_others(name: str, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """Nor in any other server."""
    check_with_testssl(name, ca, ca_file, tmp_path)
