"""Findings on running servers: nginx told to do wrong, and what is no TLS at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.examining import check, codes, live, only
from tests.check.horrors import ISSUER_URL, leaf, written
from tests.check.nginx import nginx, plain_server, tls_server
from tests.support.certs import DAY, NOW, Authority
from tests.support.clients import free_port
from tlsrun.check.code import Severity


def test_untrusted_and_for_another_name(tmp_path: Path, ca: Authority) -> None:
    """The system does not know the root, and the certificate is for another host."""
    pair, port = ca.leaf("example.test").write(tmp_path / "pair"), free_port()
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key)], port):
        report = live(f"https://127.0.0.1:{port}")
    assert "unable to get" in only(report, "TLS403").what
    assert "for example.test, not for 127.0.0.1" in only(report, "TLS404").what
    assert report.grade is not None
    assert report.grade.letter == "M"


def test_expired_on_the_wire(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """What is said of files is said of what is served; the dates explain why it is not trusted."""
    pair = ca.leaf(not_before=NOW - 90 * DAY, not_after=NOW - 2 * DAY).write(tmp_path / "pair")
    port = free_port()
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key)], port):
        report = live(f"https://localhost:{port}", ca_file)
    assert only(report, "TLS140").where == f"https://localhost:{port}"
    assert "TLS403" not in codes(report)
    assert report.grade is not None
    assert report.grade.letter == "T"


def test_an_expired_cross_signature_on_the_wire(tmp_path: Path) -> None:
    """A server that sends it is trusted by who knows the new root: a warning, not an error."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    pair, port = new.leaf(), free_port()
    chain = pair.fullchain_pem + new.cross_signed(old, ends=NOW - DAY)
    paths = written(tmp_path, "cert.pem", chain), written(tmp_path, "cert.key", pair.key_pem)
    with nginx(tmp_path, [tls_server(port, *paths)], port):
        report = live(f"https://localhost:{port}", new.write(tmp_path))
    assert "the issuer CN=new in the handshake expired on" in only(report, "TLS137").what
    assert not {"TLS138", "TLS140", "TLS403"} & codes(report)


def test_incomplete_chain(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """nginx with cert.pem in place of fullchain.pem: the issuer is named, with the address it is to be had at."""
    cert, key = leaf(ca, issuer_url=ISSUER_URL)
    port = free_port()
    paths = written(tmp_path, "cert.pem", cert), written(tmp_path, "cert.key", key)
    with nginx(tmp_path, [tls_server(port, *paths)], port):
        report = live(f"https://localhost:{port}", ca_file)
        unnamed = live(f"https://localhost:{port}")
    finding = only(report, "TLS406")
    assert "intermediate 1" in finding.what
    assert ISSUER_URL in finding.remedy
    assert "TLS403" in codes(report)
    assert "TLS406" in codes(unnamed)
    assert report.grade is not None
    assert report.grade.otherwise == "B"


def test_chain_in_disorder(tmp_path: Path) -> None:
    """Intermediates the wrong way round, and the root behind them."""
    deep = Authority("deep", intermediates=2)
    pair, port = deep.leaf(), free_port()
    upper = deep.intermediate_pems
    data = pair.cert_pem + upper[1] + upper[0] + deep.root_pem
    cert, key = written(tmp_path, "c.pem", data), written(tmp_path, "c.key", pair.key_pem)
    with nginx(tmp_path, [tls_server(port, cert, key)], port):
        report = live(f"https://localhost:{port}", deep.write(tmp_path / "deep"))
    assert "in order that is" in only(report, "TLS407").what
    assert "deep" in only(report, "TLS408").what
    assert "TLS406" not in codes(report)


def test_old_versions_and_weak_suites(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """TLS 1.0 to 1.2 with all that OpenSSL still has, and an RSA key."""
    pair, port = ca.leaf(key="rsa").write(tmp_path / "pair"), free_port()
    old = ("ssl_protocols TLSv1 TLSv1.1 TLSv1.2;", "ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;")
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, *old)], port):
        report = live(f"https://localhost:{port}", ca_file)
    assert "TLS 1.0, TLS 1.1" in only(report, "TLS410").what
    weak = only(report, "TLS409").what
    assert "(no forward secrecy)" in weak
    assert "(CBC)" in weak
    assert "no encryption or no authentication" in weak
    assert "TLS411" in codes(report)
    assert report.grade is not None
    assert report.grade.letter == "F"


def test_tls_1_3_only(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """The profile modern: a note, and a grade."""
    pair, port = ca.leaf().write(tmp_path / "pair"), free_port()
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, "ssl_protocols TLSv1.3;")], port):
        report = live(f"https://localhost:{port}", ca_file)
    assert only(report, "TLS412").severity is Severity.INFO
    assert report.grade is not None
    assert report.grade.mozilla.startswith("modern is met")


@pytest.mark.parametrize(
    ("header", "code"),
    [("", "TLS419"), ("max-age=86400", "TLS420"), ("max-age=63072000", None)],
)
def test_hsts(header: str, code: str | None, tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """None, too short, and long enough for A+."""
    pair, port = ca.leaf("example.test").write(tmp_path / "pair"), free_port()
    more = ["ssl_protocols TLSv1.2 TLSv1.3;"]
    more += [f"add_header Strict-Transport-Security '{header}';"] if header else []
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, *more)], port):
        report = check(port=port, cert=str(pair.fullchain), key=str(pair.key), ca=ca_file)
    assert {one for one in codes(report) if one in ("TLS419", "TLS420", "TLS421")} == ({code} if code else set())
    assert report.grade is not None
    assert report.grade.letter == ("A" if code else "A+")


def test_hsts_for_localhost(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """It locks out every other project."""
    pair, port = ca.leaf().write(tmp_path / "pair"), free_port()
    hsts = "add_header Strict-Transport-Security max-age=63072000;"
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, hsts)], port):
        report = live(f"https://localhost:{port}", ca_file)
    assert only(report, "TLS421").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("return 200 'unprotected';", "TLS417"),
        ("return 301 http://example.test/;", "TLS417"),
        ("return 308 https://$host$request_uri;", None),
        ("", "TLS418"),
    ],
)
def test_redirect(answer: str, code: str | None, tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """The port of plain HTTP: content, a redirect to itself, a good redirect, nobody."""
    pair, port, http = ca.leaf().write(tmp_path / "pair"), free_port(), free_port()
    servers, ports = [tls_server(port, pair.fullchain, pair.key)], [port]
    if answer:
        servers, ports = [*servers, plain_server(http, answer)], [*ports, http]
    with nginx(tmp_path, servers, *ports):
        report = check(port=port, redirect_port=http, cert=str(pair.fullchain), key=str(pair.key), ca=ca_file)
    assert {one for one in codes(report) if one in ("TLS417", "TLS418", "TLS211")} == ({code} if code else set())


def test_plain_http_is_served(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """A page without TLS on the port of TLS; nginx's own 400 is an answer."""
    pair, port, other = ca.leaf().write(tmp_path / "pair"), free_port(), free_port()
    content = (
        "error_page 497 =200 @plain;",
        "location / { return 200 'tls'; }",
        "location @plain { return 200 'plain'; }",
    )
    servers = [
        tls_server(port, pair.fullchain, pair.key, *content),
        tls_server(other, pair.fullchain, pair.key),
    ]
    with nginx(tmp_path, servers, port, other):
        assert "answered with 200" in only(live(f"https://localhost:{port}", ca_file), "TLS416").what
        assert not {"TLS415", "TLS416"} & codes(live(f"https://localhost:{other}", ca_file))


def test_bad_gateway(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """TLS is well, what is behind it is not."""
    pair, port = ca.leaf().write(tmp_path / "pair"), free_port()
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, "return 502;")], port):
        assert "502" in only(live(f"https://localhost:{port}", ca_file), "TLS423").what


def test_no_session_cache(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """Neither tickets nor a cache: every connection is a whole handshake, in either version."""
    pair, port = ca.leaf().write(tmp_path / "pair"), free_port()
    off = ("ssl_session_tickets off;", "ssl_session_cache off;")
    with nginx(tmp_path, [tls_server(port, pair.fullchain, pair.key, *off)], port):
        report = live(f"https://localhost:{port}", ca_file)
    found = [one.what for one in report.findings if one.code.code == "TLS422"]
    assert [what for what in found if "TLS 1.2" in what]
    assert all(what.startswith("0 of 4") for what in found)
