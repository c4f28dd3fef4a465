"""Findings in the settings, each from settings that show it; values and who set them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.check.examining import check, codes, only
from tests.check.horrors import openssl
from tests.support.certs import Authority, Paths
from tests.support.clients import free_port
from tests.support.process import Server
from tests.support.servers import need
from tlsrun.check.code import Severity
from tlsrun.status import running

PUBLIC = "192.0.2.1"  # an address for documentation (RFC 5737): others could reach it, were it this machine's

#: code -> settings, and words of the finding
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "unknown": ("TLS201", {"portt": 1}, ("portt=", "no such setting")),
    "bad value": ("TLS202", {"port": "80x"}, ("port=", "80x")),
    "unsupported": ("TLS203", {"server": "builtin", "workers": 4}, ("workers=", "one process")),
    "contradiction": ("TLS204", {"profile": "modern", "min_version": "1.2"}, ("min_version=", "modern")),
    "without effect": ("TLS205", {"client_auth": "required"}, ("client_auth=", "authority")),
    "unknown ciphers": ("TLS206", {"ciphers": "NOPE"}, ("ciphers=", "NOPE")),
    "weak ciphers": ("TLS207", {"ciphers": "AES128-SHA:ECDHE+AESGCM"}, ("ciphers=", "AES128-SHA")),
    "refused development": (
        "TLS209",
        {"server": "gunicorn", "host": PUBLIC},
        ("host=", "needs a certificate"),
    ),
    "development": ("TLS209", {"host": PUBLIC}, ("host=", "development certificate")),
    "not ours": ("TLS213", {"host": PUBLIC}, (PUBLIC, "not an address of this machine")),
    "webroot": ("TLS214", {"redirect_port": 8081, "acme_webroot": "/no/such/folder"}, ("/no/such/folder",)),
    "hook": ("TLS215", {"context_hook": "nowhere:adapt"}, ("nowhere:adapt",)),
    "reload": ("TLS217", {"reload": False}, ("reload=",)),
    "underscores": (
        "TLS221",
        {"server": "granian", "trusted_proxies": "10.0.0.1"},
        ("trusted_proxies=", "X_Forwarded_For"),
    ),
    "option": ("TLS218", {"server": "gunicorn", "server_options": {"max_request": 1}}, ("max_request",)),
}


@pytest.mark.parametrize(("code", "settings", "says"), CASES.values(), ids=CASES.keys())
def test_each_setting_shows_its_finding(code: str, settings: dict[str, Any], says: tuple[str, ...]) -> None:
    """It names the setting as it was spelled, and what would do."""
    finding = only(check(**settings), code)
    for words in says:
        assert words in f"{finding.where}: {finding.what}"
    assert finding.remedy


@pytest.mark.parametrize(
    ("server", "proxy", "dropped", "severity"),
    [
        ("granian", "traefik", False, Severity.ERROR),
        ("granian", "apache", False, Severity.ERROR),
        ("granian", "X-Forwarded-For", False, Severity.ERROR),
        ("granian", "haproxy", False, Severity.WARNING),
        ("granian", "caddy", False, Severity.WARNING),
        ("granian", "nginx", False, None),
        ("granian", "kubernetes-ingress", False, None),
        ("granian", "haproxy nginx", False, None),
        ("granian", "traefik", True, None),
        ("granian", "haproxy", True, None),
        ("gunicorn", "traefik", False, None),
    ],
)
def test_names_with_underscores(server: str, proxy: str, dropped: bool, severity: Severity | None) -> None:
    """An error where nobody drops them, a warning where only a configuration does; it never says "does not start"."""
    report = check(server=server, trusted_proxies="10.0.0.1", proxy=proxy, proxy_drops_underscores=dropped)
    if severity is None:
        assert "TLS221" not in codes(report)
    else:
        assert only(report, "TLS221").severity is severity
    assert "TLS202" not in codes(report)


def test_what_keeps_a_server_from_starting_is_an_error() -> None:
    """The same kind is a warning where the server still starts: a development certificate for others."""
    assert only(check(host=PUBLIC), "TLS209").severity is Severity.WARNING
    assert only(check(host=PUBLIC, server="gunicorn"), "TLS209").severity is Severity.ERROR


def test_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the environment is a warning: others may own the name."""
    from tlsrun.check.examination import Scope, examine
    from tlsrun.settings.layers import environment_layer

    layer = environment_layer({"TLSRUN_PROT": "1", "TLSRUN_PORT": str(free_port())})
    finding = only(examine(Scope(layers=[layer])), "TLS201")
    assert "TLSRUN_PROT in the environment" in finding.where
    assert finding.severity is Severity.WARNING


def test_nothing_in_common(tmp_path: Path, ca: Authority) -> None:
    """Suites for the other kind of key: no client of TLS 1.2; an error when nothing else is spoken."""
    rsa = ca.leaf(key="rsa").write(tmp_path / "rsa")
    settings = {"cert": str(rsa.fullchain), "key": str(rsa.key), "ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}
    finding = only(check(**settings), "TLS208")  # type: ignore[arg-type]
    assert "RSA 2048" in finding.what
    assert "ECDHE-RSA-" in finding.remedy
    assert finding.severity is Severity.WARNING
    assert only(check(**settings, max_version="1.2"), "TLS208").severity is Severity.ERROR  # type: ignore[arg-type]
    settings["ciphers"] = "ECDHE-RSA-AES128-GCM-SHA256"
    assert "TLS208" not in codes(check(**settings))  # type: ignore[arg-type]


def test_ed25519(tmp_path: Path, ca: Authority) -> None:
    """A key that servers take, and browsers do not."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    from tests.check.horrors import leaf, written

    cert, key = leaf(ca, key=ed25519.Ed25519PrivateKey.generate())
    report = check(cert=str(written(tmp_path, "ed.pem", cert)), key=str(written(tmp_path, "ed.key", key)))
    assert "Ed25519" in only(report, "TLS208").what


def test_debug_on_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLASK_DEBUG, where others come."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert "FLASK_DEBUG=1" in only(check(host=PUBLIC), "TLS210").where
    assert "TLS210" not in codes(check(host="127.0.0.1"))


def test_port_taken_by_something_else() -> None:
    """A listener that speaks no TLS is no server of ours."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        report = check(port=taken.getsockname()[1])
    assert "taken" in only(report, "TLS211").what


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping to a user without rights takes root; others have none to drop")
def test_port_forbidden(tmp_path: Path) -> None:
    """A port below 1024 without CAP_NET_BIND_SERVICE."""
    import sys

    from tests.support.process import run

    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() == "0":
        pytest.skip("this machine lets every user bind every port")
    command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]
    ended = run([*command, sys.executable, "-m", "tlsrun", "check", "--port", "81"], cwd=tmp_path)
    assert "TLS212" in ended.stdout
    assert ended.returncode == 2


def test_hsts_is_suggested(localhost_cert: Paths) -> None:
    """Where others come and a certificate is set: with the seconds to type."""
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key)}
    assert "63072000" in only(check(**good, host=PUBLIC), "TLS216").remedy  # type: ignore[arg-type]
    assert "TLS216" not in codes(check(**good, host=PUBLIC, hsts=63072000))  # type: ignore[arg-type]
    assert "TLS216" not in codes(check(**good))  # type: ignore[arg-type]


def test_settings_and_who_set_them() -> None:
    """Every setting is told with its value and origin; a secret is not shown."""
    report = check(workers=3, server="gunicorn", key_password="hunter2")  # noqa: S106 -- not a real one
    assert report.settings["workers"] == {"value": "3", "origin": "command line: workers= in the test"}
    assert report.settings["profile"] == {"value": "intermediate", "origin": None}
    assert "hunter2" not in str(report.as_json(strict=False))


def test_a_hook_is_not_imported_into_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported in another process; one that exists is no finding."""
    import sys

    (tmp_path / "hooked.py").write_text("def adapt(settings, make):\n    return make()\n")
    monkeypatch.chdir(tmp_path)
    assert "TLS215" not in codes(check(context_hook="hooked:adapt"))
    assert "hooked" not in sys.modules


def test_the_port_of_the_server_itself_is_no_obstacle(localhost_cert: Paths, tmp_path: Path) -> None:
    """A server that runs as it is configured has its port."""
    import sys

    (tmp_path / "hello.py").write_text("def app(e, s):\n    s('200 OK', [('Content-Length', '0')])\n    return []\n")
    port = free_port()
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key), "port": port}
    flags = [word for name, value in good.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", *flags]
    with Server(command, cwd=tmp_path) as program:
        program.until_tls(("127.0.0.1", port))
        assert "TLS211" not in codes(check(**good))  # type: ignore[arg-type]


def test_sockets_of_systemd_are_no_obstacle(localhost_cert: Paths) -> None:
    """The doctor is not who gets them; where nothing else is listened at, nobody is looked for."""
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key)}
    report = check(**good, bind="systemd:web")  # type: ignore[arg-type]
    assert "TLS213" not in codes(report)
    assert report.target is None


def test_the_unix_socket_of_the_server_itself_is_no_obstacle(localhost_cert: Paths, tmp_path: Path) -> None:
    """One that runs here says where it listens; one of somebody else's is in the way."""
    import sys

    (tmp_path / "hello.py").write_text("def app(e, s):\n    s('200 OK', [('Content-Length', '0')])\n    return []\n")
    bind = f"unix:{tmp_path / 's'}"
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key), "bind": bind}
    flags = [word for name, value in good.items() for word in (f"--{name}", str(value))]
    with Server([sys.executable, "-m", "tlsrun", "run", "hello:app", *flags], cwd=tmp_path) as program:
        program.wait_for(lambda: bind in {status.endpoint for status in running()}, what="a status")
        assert "TLS211" not in codes(check(**good))  # type: ignore[arg-type]
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        assert "taken" in only(check(**good), "TLS211").what  # type: ignore[arg-type]


def test_http3_with_a_key_that_it_cannot_sign_with(tmp_path: Path) -> None:
    """RSASSA-PSS: HTTP/2 and HTTP/1.1 can."""
    need("hypercorn")
    openssl("req", "-x509", "-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes", "-keyout", "pss.key",
            "-out", "pss.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            cwd=tmp_path)  # fmt: skip
    pair = {"cert": str(tmp_path / "pss.pem"), "key": str(tmp_path / "pss.key"), "server": "hypercorn"}
    assert "RSASSA-PSS 2048" in only(check(**pair), "TLS219").what
    report = check(**pair, http="2,1.1")
    assert "TLS219" not in codes(report)
    assert "an RSASSA-PSS key, which no browser accepts" in only(report, "TLS208").what
