"""Client certificates: who comes in, and what the application knows of them, the same under every server."""

from __future__ import annotations

import contextlib
import json
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.apache import CLIENT_FACTS, apache, said_by_apache
from tests.support.certs import DAY, NOW, Authority, Paths
from tests.support.clients import Address, client_context, tls_connect
from tests.support.process import APPLICATIONS, eventually, run
from tests.support.sites import Serve, Site
from tlsrun.status import running

APPS = APPLICATIONS / "own_settings.py"

#: What is compared with mod_ssl.
FACTS = (
    *CLIENT_FACTS, "HTTPS", "SSL_PROTOCOL", "SSL_CIPHER", "SSL_CIPHER_USEKEYSIZE", "SSL_CIPHER_ALGKEYSIZE",
    "SSL_SESSION_RESUMED", "SSL_TLS_SNI",
)  # fmt: skip

#: Everything that a server, a proxy or a platform has ever said by a header about TLS, said by the client.
CLAIMS = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL-CLIENT-VERIFY": "SUCCESS",
    "Ssl-Client-S-Dn": "CN=root",
    "SSL_CLIENT_S_DN": "CN=root",
    "Ssl_Client-Cert": "-----BEGIN CERTIFICATE-----",
    "X-SSL-Client-Verify": "SUCCESS",
    "Client-Cert": ":AAAA:",
    "HTTPS": "off",
    "HTTPS_CC": "x",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Ssl": "off",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Port": "80",
    "X-Url-Scheme": "http",
    "Forwarded": "for=6.6.6.6;proto=http",
    "REMOTE_ADDR": "6.6.6.6",
    "Remote-Addr": "6.6.6.6",
}

#: The same, said by the environment of the process.
ENVIRONMENT = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL_CLIENT_S_DN": "CN=root",
    "SSL_CLIENT_CERT": "x",
    "SSL_PROTOCOL": "SSLv3",
    "HTTPS": "off",
    "HTTPS_CC": "x",
    "HTTP_SSL_CLIENT_VERIFY": "SUCCESS",
    "uwsgi.version": "2.0",
}


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Those who come: files of their certificates, and what the server is told of them."""

    jo: Paths
    revoked: Paths
    refused: dict[str, Paths]
    crl: Path


@pytest.fixture(scope="module")
def clients(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """Jo may come in. The others' certificates are revoked, old, a stranger's, or not for clients."""
    folder = tmp_path_factory.mktemp("clients")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "Jo"),
        ]
    )
    names = ("jo.test", "al.test", "jo@jo.test", "al@jo.test")
    jo = ca.leaf(names, client=True, subject=subject).write(folder / "jo")
    revoked = ca.leaf("revoked.test", client=True).write(folder / "revoked")
    stranger, below = Authority("another root", intermediates=1), ca.sister("sister")
    refused = {
        "revoked": revoked,
        "expired": ca.leaf("old.test", client=True, not_after=NOW - DAY, not_before=NOW - 2 * DAY).write(folder / "x"),
        "stranger": stranger.leaf("stranger.test", client=True).write(folder / "stranger"),
        "a server's": ca.leaf("server.test").write(folder / "server"),
        "below a revoked authority": below.leaf("below.test", client=True).write(folder / "below"),
    }
    crl = folder / "crl.pem"
    lists = revocations(ca, revoked.pair.certificate), below.crl(), ca.crl(below.line[-1][0].serial_number, level=0)
    crl.write_bytes(b"".join(lists))
    return Clients(jo=jo, revoked=revoked, refused=refused, crl=crl)


def revocations(ca: Authority, *certificates: x509.Certificate) -> bytes:
    """The list of the intermediate that signs leaves."""
    return ca.crl(*(one.serial_number for one in certificates))


@pytest.fixture(scope="module")
def mod_ssl(ca_file: Path, localhost_cert: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """What all servers are compared with."""
    folder = tmp_path_factory.mktemp("apache")
    with apache(folder, cert=localhost_cert.fullchain, key=localhost_cert.key, ca=ca_file, facts=FACTS) as address:
        yield address


def trusting(site: Site, client: Paths | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """The context of a client that shows a certificate."""
    context = client_context(site.ca, cert=client.fullchain if client else None, key=client.key if client else None)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def comes_in(
    site: Site, client: Paths | None, version: ssl.TLSVersion | None = None, *, name: str = "localhost"
) -> bool:
    """Whether a client is answered."""
    try:
        return site.get(context=trusting(site, client, version), name=name).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def required(
    serve_all: Serve, ca: Authority, ca_file: Path, clients: Clients, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that takes nobody without a certificate, under no name, and knows who is revoked."""
    other = ca.leaf("other.test").write(tmp_path_factory.mktemp("other"))
    sni = json.dumps({"other.test": {"cert": str(other.fullchain), "key": str(other.key)}})
    with serve_all("--client-ca", ca_file, "--client-crl", clients.crl, "--sni", sni, **ENVIRONMENT) as site:
        yield site


@pytest.mark.parametrize("version", VERSIONS)
def test_required(required: Site, clients: Clients, version: ssl.TLSVersion) -> None:
    """Who shows no certificate, or one that is revoked, expired, a stranger's or no client's, is refused; Jo is not."""
    assert comes_in(required, clients.jo, version)
    assert not comes_in(required, None, version)
    assert not {why for why, client in clients.refused.items() if comes_in(required, client, version)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_asks(required: Site, clients: Clients, version: ssl.TLSVersion) -> None:
    """A certificate that SNI chooses asks for the same as the default one."""
    assert comes_in(required, clients.jo, version, name="other.test")
    assert not comes_in(required, None, version, name="other.test")
    assert not {why for why, one in clients.refused.items() if comes_in(required, one, version, name="other.test")}
    facts = required.facts(context=trusting(required, clients.jo, version), name="other.test")
    assert (facts["SSL_TLS_SNI"], facts["SSL_CLIENT_VERIFY"]) == ("other.test", "SUCCESS")
    assert facts["SSL_CLIENT_S_DN"] == "CN=Jo,O=Acme\\, Inc.,C=DE"


def test_the_log_says_who_was_refused_and_why(required: Site, clients: Clients) -> None:
    """One line each, in words."""
    for client in (None, *clients.refused.values()):
        comes_in(required, client)
    for words in (
        "client showed no certificate",
        "client certificate refused: certificate revoked",
        "client certificate refused: certificate has expired",
        "it is revoked, by the revocation list of CN=tlsrun test root (CN=below.test, signed by CN=sister)",
    ):
        required.server.wait_for(lambda words=words: words in required.server.log(), what=words)
    assert "Traceback" not in required.server.log()


def test_facts_are_those_of_mod_ssl(required: Site, clients: Clients, mod_ssl: Address) -> None:
    """For the same client, an application sees under every server what it would see behind Apache."""
    ours = required.facts(context=trusting(required, clients.jo))
    theirs = said_by_apache(mod_ssl, clients.jo.fullchain, clients.jo.key)
    assert ours["SSL_CLIENT_CERT"].split() == theirs.pop("SSL_CLIENT_CERT").split()
    assert {name: ours.get(name) for name in theirs} == theirs
    assert theirs["SSL_CLIENT_S_DN"] == "CN=Jo,O=Acme\\, Inc.,C=DE"
    known = {name for name in ours if name.startswith(("SSL_", "HTTPS"))}
    assert known == {*theirs, "SSL_CLIENT_CERT"}


def _resumed(site: Site, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[dict[str, Any], Any]:
    """What the application sees, and the session to resume."""
    with tls_connect(site.address, None, context=context, session=session) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: tls.recv(65536), b""))
        assert bool(tls.session_reused) is (session is not None)
        return json.loads(answer.partition(b"\r\n\r\n")[2]), tls.session


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_is_the_same_client(required: Site, clients: Clients, version: ssl.TLSVersion) -> None:
    """With a ticket no certificate is shown again; the application sees the same facts."""
    context = trusting(required, clients.jo, version)
    first, session = _resumed(required, context, None)
    again, _ = _resumed(required, context, session)
    assert (first["SSL_SESSION_RESUMED"], again["SSL_SESSION_RESUMED"]) == ("Initial", "Resumed")
    same = {name for name in first if name.startswith("SSL_CLIENT")}
    assert {name: again[name] for name in same} == {name: first[name] for name in same}


def test_headers_and_the_environment_are_never_facts(required: Site, clients: Clients) -> None:
    """Whatever a client or the process environment claims, the facts of the connection stay what they are."""
    context = trusting(required, clients.jo)
    plain, forged = (required.facts(context=context, headers=headers) for headers in ({}, CLAIMS))
    about = ("SSL_", "HTTPS", "REMOTE_", "SERVER_P", "scheme")
    assert _about(forged, about) == _about(plain, about)
    assert forged["scheme"] == "https"


def _about(seen: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in seen.items() if name.startswith(names) and name != "REMOTE_PORT"}


@pytest.fixture(scope="module")
def folder_of_authorities(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, a file each."""
    folder = tmp_path_factory.mktemp("authorities")
    (folder / "ours.pem").write_bytes(ca.root_pem)
    (folder / "other.crt").write_bytes(Authority("some other root").root_pem)
    return folder


def check_views(site: Site, clients: Clients) -> None:
    """What a framework's views know, and whom its decorator lets in."""

    def asked(client: Paths | None, path: str) -> Any:
        return site.get(path, context=trusting(site, client), headers=CLAIMS)

    seen = json.loads(asked(clients.jo, "/").body)
    assert seen == {
        "secure": True,
        "version": "TLSv1.3",
        "sni": "localhost",
        "client": True,
        "verified": True,
        "subject": "CN=Jo,O=Acme\\, Inc.,C=DE",
        "issuer": "CN=tlsrun test root intermediate 1",
        "serial": f"{clients.jo.pair.certificate.serial_number:040X}"[-len(seen["serial"]) :],
        "sans": ["jo.test", "al.test", "jo@jo.test", "al@jo.test"],
        "parsed": "CN=Jo,O=Acme\\, Inc.,C=DE",
    }
    nobody = json.loads(asked(None, "/").body)
    assert (nobody["secure"], nobody["client"], nobody["subject"], nobody["sans"]) == (True, False, None, [])
    answers = {
        (who, path): asked(client, path)
        for who, client in {"jo": clients.jo, "revoked": clients.revoked, "nobody": None}.items()
        for path in ("/all", "/jo")
    }
    assert {which for which, answer in answers.items() if answer.status == 200} == {
        ("jo", "/all"), ("jo", "/jo"), ("revoked", "/all"),
    }  # fmt: skip
    assert {answer.status for answer in answers.values()} == {200, 403}
    assert "needs a client certificate" in answers["nobody", "/all"].text
    assert "CN=revoked.test may not see this page" in answers["revoked", "/jo"].text
    # Optional is not anything: a certificate that is bad is refused.
    assert not comes_in(site, clients.refused["stranger"])


def test_flask(serve: Serve, clients: Clients, folder_of_authorities: Path) -> None:
    """Optional, by a folder of authorities: `flask_tlsrun.tls` and `require_client_cert`."""
    flags = ["--client-ca", folder_of_authorities, "--client-auth", "optional"]
    with serve(*flags, app=f"{APPS}:flask_app()", **ENVIRONMENT) as site:
        check_views(site, clients)


def test_bottle(serve: Serve, ca: Authority, clients: Clients) -> None:
    """Optional, by the text of an authority: `bottle_tls.tls` and `require_client_cert`."""
    variables = {**ENVIRONMENT, "TLSRUN_CLIENT_CA": ca.root_pem.decode(), "TLSRUN_CLIENT_AUTH": "optional"}
    with serve(app=f"{APPS}:bottle_app()", **variables) as site:
        check_views(site, clients)


def test_none(serve: Serve, ca_file: Path, clients: Clients) -> None:
    """With `none` nobody is asked, whatever else is set, and what a client would show is no fact."""
    with serve("--client-ca", ca_file, "--client-auth", "none") as site:
        for client in (None, clients.jo, clients.refused["stranger"]):
            facts = site.facts(context=trusting(site, client))
            assert {name: value for name, value in facts.items() if name.startswith("SSL_CLIENT")} == {
                "SSL_CLIENT_VERIFY": "NONE"
            }


@pytest.mark.representatives
@pytest.mark.parametrize("version", VERSIONS)
def test_authorities_and_revocations_rotate(
    serve: Serve, ca: Authority, clients: Clients, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Within five seconds a new list or authority holds for every new connection, with a session ticket too."""
    authority, crl = tmp_path / "ca.pem", tmp_path / "crl.pem"
    authority.write_bytes(ca.root_pem)
    crl.write_bytes(revocations(ca))
    with serve("--client-ca", authority, "--client-crl", crl) as site:
        tickets = {}
        for name, client in (("jo", clients.jo), ("revoked", clients.revoked)):
            context = trusting(site, client, version)
            _, session = _resumed(site, context, None)
            tickets[name] = (context, session)
        before = _read_at(site)
        crl.write_bytes(revocations(ca, clients.revoked.pair.certificate))
        eventually(lambda: not _any_of(12, site, clients.revoked, version), 5, what="the new list")
        eventually(lambda: not _read_at(site) & before, what="the new list in every process")
        assert not any(_with_ticket(site, *tickets["revoked"]) for _ in range(6))
        assert all(_with_ticket(site, *tickets["jo"]) for _ in range(6))

        # The authority between Jo and the root, by the root's list: every client of it.
        before = _read_at(site)
        crl.write_bytes(revocations(ca) + ca.crl(ca.line[-1][0].serial_number, level=0))
        eventually(lambda: not _any_of(12, site, clients.jo, version), 5, what="the list of the root")
        eventually(lambda: not _read_at(site) & before, what="the list of the root in every process")
        assert not any(_with_ticket(site, *tickets["jo"]) for _ in range(6))

        before = _read_at(site)
        other = Authority("the next root")
        authority.write_bytes(other.root_pem)
        crl.write_bytes(revocations(other))
        new = other.leaf("new.test", client=True).write(tmp_path / "new")
        eventually(lambda: all(comes_in(site, new, version) for _ in range(12)), 5, what="the new authority")
        eventually(lambda: not _read_at(site) & before, what="the new authority in every process")
        assert not comes_in(site, clients.jo, version)
        assert not any(_with_ticket(site, *tickets["jo"]) for _ in range(6))


@pytest.mark.representatives("")
def test_status_says_whether_the_authorities_are_up_to_date(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """`tlsrun status`: mode, files, and the last failure with its reason; the last good ones stay."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes(ca.root_pem)
    with serve("--client-ca", authority) as site:

        def status() -> CompletedProcess[str]:
            return run([sys.executable, "-m", "tlsrun", "status"])

        assert "clients      show certificates: required" in status().stdout
        authority.write_text("nothing")
        told = eventually(lambda: (said := status()).returncode == 1 and said, what="the failure in the status")
        assert "NOT RENEWED" in told.stdout
        assert f"{authority} holds no PEM certificate" in told.stdout
        assert "kept client CA (required)" in site.server.log()
        assert not comes_in(site, None)


def _read_at(site: Site) -> set[tuple[int, str]]:
    """When each process read whose certificates clients show: chance may lead many connections to one of them."""
    processes = [one for one in running() if one.endpoint == f"127.0.0.1:{site.port}"]
    return {(one.pid, one.certificates[0]["clients"]["loaded_at"]) for one in processes}


def _any_of(times: int, site: Site, client: Paths, version: ssl.TLSVersion) -> bool:
    return any([comes_in(site, client, version) for _ in range(times)])


def _with_ticket(site: Site, context: ssl.SSLContext, session: ssl.SSLSession) -> bool:
    """Whether a client that shows a ticket is answered, by resumption or after showing its certificate."""
    with contextlib.suppress(OSError), tls_connect(site.address, None, context=context, session=session) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return tls.recv(65536).startswith(b"HTTP/1.1 200")
    return False
