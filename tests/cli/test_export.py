"""`tlsrun export` and `flask tls export` as they are typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from flask_tlsrun.tls_group import tls_group
from tests.support.certs import Authority, Paths
from tests.support.process import run
from tlsrun import export
from tlsrun.cli.main import tlsrun
from tlsrun.settings.table import SPECS

Type = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application, as the working folder."""
    (tmp_path / "hello.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(project: Path, localhost_cert: Paths) -> Type:
    """`tlsrun export` with words; a certificate is set in the environment."""
    env = {"TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key)}

    def call(*words: str | Path) -> Result:
        return CliRunner().invoke(tlsrun, ["export", *map(str, words)], env=env)

    return call


def needing(target: str) -> list[str]:
    """What a target cannot do without."""
    return ["--hosts", "example.org"] if target == "kubernetes" else []


@pytest.mark.parametrize("command", [tlsrun, tls_group], ids=["tlsrun", "flask"])
def test_help_begins_with_examples(command: object) -> None:
    """The examples stand before the options, and every target is named."""
    words = ["export", "--help"]
    shown = CliRunner().invoke(command, words).output  # type: ignore[arg-type]
    name = "tlsrun export" if command is tlsrun else "flask tls export"
    assert 0 < shown.index(f"{name} nginx") < shown.index("Options:")
    assert [target for target in export.TARGETS if target not in shown] == []


def test_every_target_has_a_cell_for_every_setting() -> None:
    """So that no setting is dropped in silence."""
    for target in export.TARGETS:
        assert set(export.load(target).mapping) == set(SPECS), target


@pytest.mark.parametrize("target", export.TARGETS)
def test_every_target_is_written(target: str, typed: Type) -> None:
    """Its first lines say what it is, and by which command it was made."""
    words = [target, "hello:app", *needing(target)]
    has_its_own = target in ("procfile", "kubernetes")
    done = CliRunner().invoke(tlsrun, ["export", *words]) if has_its_own else typed(*words)
    assert done.exit_code == 0, done.output
    head = done.stdout[:1500]
    assert head[0] in "#;"
    assert "hello:app" in head
    assert "Written by: " in head
    assert "PRIVATE KEY" not in done.stdout


def test_an_unknown_target(typed: Type) -> None:
    """One line: what was given, and what was meant, or what there is."""
    close, far = typed("ngnix", "hello:app"), typed("iis", "hello:app")
    assert (close.exit_code, close.stderr) == (2, "Error: ngnix: no such target. Did you mean nginx?\n")
    assert far.exit_code == 2
    assert all(target in far.stderr for target in export.TARGETS)


def test_an_unknown_form(typed: Type) -> None:
    """The forms that there are, with what each is."""
    done = typed("nginx", "hello:app", "--upstream", "fastcgi")
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: --upstream fastcgi: nginx has no such form. There is http (HTTP, to gunicorn or Granian), "
        "uwsgi (uWSGI's own protocol).\n"
    )
    assert "compose has no such form. Leave it out" in typed("compose", "hello:app", "--upstream", "tls").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["caddy", "hello:app", "--acme-webroot", "/srv"], "Caddy answers ACME challenges itself"),
        (["apache", "hello:app", "--sni-strict"], "Apache answers unknown names with the certificate of its first"),
        (["apache", "hello:app", "--proxy-protocol", "--trusted-proxies", "10.0.0.1"], "from everybody who connects"),
        (["gunicorn-conf", "hello:app", "--redirect-port", "80"], "has no listener for plain HTTP"),
        (["hypercorn-toml", "hello:app", "--profile", "modern"], "always speaks TLS 1.2 too"),
        (["procfile", "hello:app"], "the platform's router ends it"),
        (["uwsgi-ini", "hello:app", "--upstream", "native", "--sni-strict"], "with its own TLS has no option"),
        (["compose", "hello:app", "--server", "granian", "--redirect-port", "80", "--proxy-protocol",
          "--trusted-proxies", "10.0.0.1"], "Granian shakes hands in Rust"),
        (["apache", "hello:app", "--upstream", "proxy", "--server", "granian"], "Apache passes on a header"),
        (["systemd", "hello:app", "--upstream", "http", "--server-options", "max_requests=5"], "has none of them"),
        (["haproxy", "hello:app", "--upstream", "tls", "--hsts", "300"], "HAProxy does not see what it passes through"),
        (["haproxy", "hello:app", "--upstream", "tls"], "Add --machine HOST:PORT"),
        (["apache", "hello:app", "--upstream", "proxy", "--server", "uwsgi"], "uWSGI takes it for X-Forwarded-For"),
        (["uwsgi-ini", "hello:app", "--upstream", "native", "--trusted-proxies", "10.0.0.1"], "X_Forwarded_For for X-"),
        (["haproxy", "--upstream", "tls", "--machine", "a b:1"], "--machine a b:1: is no address"),
        (["nginx", "hello:app", "--socket", "localhost"], "Write HOST:PORT, or a path that begins with /"),
        (["nginx", "hello:app", "--name", "a b"], "--name a b: is no name for sockets and units"),
        (["kubernetes", "hello:app"], "cert-manager makes certificate and key"),
        (["compose", "hello:app", "--host", "10.0.0.1"], "has no place to listen but every address of its container"),
        (["procfile", "hello:app", "--profile", "modern"], "--profile: A Procfile has no certificates or TLS"),
        (["systemd", "hello:app", "--server-options", "max_reqests=5"], "gunicorn has no such setting"),
        (["hypercorn-toml", "hello:app", "--http", "3,2,1.1", "--workers", "2"], "one UDP socket for all workers"),
        (["dockerfile", "hello:app", "--key-password-command", "echo 'a\nb'"], "its value cannot be written down"),
    ],
    ids=lambda one: "-".join(one[:1]) if isinstance(one, list) else "",
)  # fmt: skip
def test_what_a_target_cannot_say(words: list[str], said: str, typed: Type, project: Path) -> None:
    """Is an error of a line, and nothing is written."""
    done = typed(*words, "-o", "out")
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert all(line.startswith("Error: ") for line in done.stderr.splitlines())
    assert not (project / "out").exists()


@pytest.mark.parametrize("target", ["hypercorn-toml", "systemd", "dockerfile", "compose", "kubernetes"])
def test_http_3_and_client_certificates(target: str, typed: Type, ca_file: Path) -> None:
    """HTTP/3 asks nobody for a certificate: together they are refused as `tlsrun run` refuses them, and HTTP/3 that
    nobody named is left out."""
    words = ["hello:app", *needing(target), "--client-ca", str(ca_file), "--no-client-facts"]
    words += [] if target == "hypercorn-toml" else ["--server", "hypercorn"]
    call = CliRunner().invoke if target == "kubernetes" else None
    refused = typed(target, *words, "--http", "3,2,1.1") if call is None else call(
        tlsrun, ["export", target, *words, "--http", "3,2,1.1"])  # fmt: skip
    assert refused.exit_code == 2, refused.stdout
    assert "--client-ca: Hypercorn" in refused.stderr
    assert (
        "HTTP/3 cannot ask clients for certificates. Leave it out, or set TLS_HTTP (--http) to 2, 1.1" in refused.stderr
    )
    written = typed(target, *words) if call is None else call(tlsrun, ["export", target, *words])
    assert written.exit_code == 0, written.stderr
    assert "quic_bind" not in written.stdout


def test_no_certificate(project: Path) -> None:
    """A front without one names the settings; Caddy obtains its own for names that are set."""
    done = CliRunner().invoke(tlsrun, ["export", "nginx", "hello:app"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nginx needs a certificate, and none is set. Set TLS_CERT and TLS_KEY" in done.stderr
    words = ["export", "caddy", "hello:app"]
    assert "no names for which Caddy could obtain one" in CliRunner().invoke(tlsrun, words).stderr
    own = CliRunner().invoke(tlsrun, [*words, "--hosts", "example.org"])
    assert own.exit_code == 0, own.stderr
    assert "https://example.org {" in own.stdout
    assert "\ttls {" in own.stdout


def test_an_existing_file(typed: Type, project: Path) -> None:
    """Is never overwritten in silence; the same again is no matter."""
    path = project / "site.conf"
    assert typed("nginx", "hello:app", "-o", path).exit_code == 0
    assert "Already there" in typed("nginx", "hello:app", "-o", path).stderr
    path.write_text("# mine\n")
    refused = typed("nginx", "hello:app", "-o", path)
    assert refused.exit_code == 2
    assert f"{path}: it exists, and holds something else. Choose another name, or add --force" in refused.stderr
    assert path.read_text() == "# mine\n"
    assert typed("nginx", "hello:app", "-o", path, "--force").exit_code == 0
    assert "listen" in path.read_text()


def test_what_the_application_side_has_set_and_a_front_does_not_honour(typed: Type) -> None:
    """Is said in the file and as a warning; the file is written."""
    done = typed("nginx", "hello:app", "--trusted-proxies", "unix,203.0.113.7", "--proxy", "cloudflare",
                 "--redirect-exempt", "/health")  # fmt: skip
    assert done.exit_code == 0
    for said in ("--trusted-proxies 203.0.113.7: the file takes", "--proxy cloudflare: the application's side",
                 "--redirect-exempt: the file sends these paths"):  # fmt: skip
        assert f"Warning: {said}" in done.stderr
        assert said in done.stdout.replace("\n# ", " ")
    quiet = typed("nginx", "hello:app", "--trusted-proxies", "unix", "--proxy", "nginx")
    assert "Warning" not in quiet.stderr


def test_a_certificate_that_only_we_can_mend(ca: Authority, project: Path) -> None:
    """A chain in a file of its own, and an encrypted key, are refused with the command that makes what is wanted."""
    pair = ca.leaf()
    leaf, chain = pair.certificate.public_bytes(Encoding.PEM), b"".join(ca.intermediate_pems)
    for name, data in (("leaf.pem", leaf), ("chain.pem", chain), ("key.pem", pair.key_pem), ("odd.pem", chain + leaf)):
        (project / name).write_bytes(data)
    words = ["export", "nginx", "hello:app", "--key", "key.pem"]
    apart = CliRunner().invoke(tlsrun, [*words, "--cert", "leaf.pem", "--chain", "chain.pem"])
    assert apart.exit_code == 2
    assert "nginx wants certificate and chain in one file" in apart.stderr
    odd = CliRunner().invoke(tlsrun, [*words, "--cert", "odd.pem"])
    assert odd.exit_code == 2
    assert f"Run: tlsrun cert bundle {project / 'odd.pem'} -o fullchain.pem, and name that" in odd.stderr
    locked = ca.leaf(password=b"secret").write(project / "locked")
    env = {"TLSRUN_KEY_PASSWORD": "secret"}
    refused = CliRunner().invoke(tlsrun, ["export", "nginx", "hello:app", "--cert", str(locked.fullchain), "--key",
                                          str(locked.key)], env=env)  # fmt: skip
    assert refused.exit_code == 2
    assert "nginx is given no passwords" in refused.stderr


def test_folders_that_would_be_read_as_something_else(
    localhost_cert: Paths, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are refused, and so are names that are none; Python's strings hold them. Of certificates, `test_values` tells."""
    folder = project / "my site; rm"
    folder.mkdir()
    (folder / "hello.py").write_bytes((project / "hello.py").read_bytes())
    monkeypatch.chdir(folder)
    words = ["hello:app", "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key)]
    for target in ("nginx", "apache", "haproxy", "caddy", "uwsgi-ini", "systemd", "compose"):
        done = CliRunner().invoke(tlsrun, ["export", target, *words])
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"the working folder {folder}: a file for {export.load(target).title} has such paths of" in done.stderr
    for target in ("gunicorn-conf", "hypercorn-toml"):
        assert CliRunner().invoke(tlsrun, ["export", target, *words]).exit_code == 0
    monkeypatch.chdir(project)
    done = CliRunner().invoke(tlsrun, ["export", "nginx", *words, "--hosts", "a;b"])
    assert done.stderr == "Error: hosts a;b: is no host name. Correct it, or leave it out.\n"
    done = CliRunner().invoke(tlsrun, ["export", "nginx", *words, "--hosts", "grüße.example"])
    assert done.exit_code == 2
    assert "grüße.example cannot be written in ASCII by itself (ß makes two names of it)" in done.stderr
    for host in ("xn--bcher-kva.example", "bücher.example"):
        done = CliRunner().invoke(tlsrun, ["export", "nginx", *words, "--hosts", host])
        assert "server_name xn--bcher-kva.example;" in done.stdout


def test_a_name_that_only_kubernetes_has_not(typed: Type, project: Path) -> None:
    """A Service's name begins with a letter; other names may be of digits, and stay text."""
    words = ["export", "kubernetes", "hello:app", "--hosts", "example.org", "--name", "123"]
    assert "--name 123: is no name for a Service" in CliRunner().invoke(tlsrun, words).stderr
    assert 'name: "123"' in typed("compose", "hello:app", "--name", "123").stdout


def test_flask_tls_export(project: Path, localhost_cert: Paths) -> None:
    """The application is the one that `flask` finds, with its own configuration."""
    (project / "hello.py").write_text(
        "from flask import Flask\n\napp = Flask(__name__)\n"
        f"app.config['TLS_CERT'] = {str(localhost_cert.fullchain)!r}\n"
        f"app.config['TLS_KEY'] = {str(localhost_cert.key)!r}\napp.config['TLS_HSTS'] = 300\n"
    )
    done = run(["flask", "--app", "hello", "tls", "export", "nginx", "--upstream", "uwsgi"], cwd=project)
    assert done.returncode == 0, done.stderr
    assert f"ssl_certificate     {localhost_cert.fullchain};" in done.stdout
    assert 'max-age=300"' in done.stdout
    assert "TLSRUN_APP=hello:app " in done.stdout
    assert "Written by: flask --app hello tls export nginx --upstream uwsgi" in done.stdout


@pytest.mark.parametrize(
    ("version", "newer"),
    [("1.18", False), ("1.25.0", False), ("1.25.1", True), ("1.26", True), ("1.29.4", True), ("2.0", True)],
)
def test_nginx_version(typed: Type, version: str, newer: bool) -> None:
    """The file is in the language of the nginx that it is for; without HTTP/2 there is none of it."""
    text = typed("nginx", "hello:app", "--nginx-version", version).stdout
    assert ("    http2 on;" in text, " ssl http2;" in text) == (newer, not newer)
    assert "http2" not in typed("nginx", "hello:app", "--nginx-version", version, "--http", "1.1").stdout


def test_the_installed_nginx(typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the option it is the one on this machine; where there is none, the older form, which all know."""
    monkeypatch.setattr("tlsrun.export.versions._PLACES", ())
    program = tmp_path / "bin" / "nginx"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    assert " ssl http2;" in typed("nginx", "hello:app").stdout
    for said, newer in (("nginx version: nginx/1.27.3", True), ("nginx version: nginx/1.22.1 (Ubuntu)", False),
                        ("nginx version: openresty/1.27.1.2", True), ("", False)):  # fmt: skip
        program.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
        program.chmod(0o755)
        assert ("    http2 on;" in typed("nginx", "hello:app").stdout) is newer, said


@pytest.mark.parametrize(
    ("target", "version", "words"),
    [("nginx", "new", "is no version"), ("nginx", "1", "is no version"), ("caddy", "1.26", "no file of nginx")],
)
def test_no_nginx_version(typed: Type, target: str, version: str, words: str) -> None:
    """One line, and nothing is written."""
    done = typed(target, "hello:app", "--nginx-version", version)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
