"""systemd's units: accepted by `systemd-analyze verify`, and started by a socket as systemd starts them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import Address, curl, free_port
from tests.support.process import Server, run
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.export.systemd_socket import listened_at
from tlsrun.listening.address import UnixSocket

CASES = [
    ("tls", "gunicorn"), ("tls", "uwsgi"), ("tls", "granian"), ("tls", "hypercorn"), ("http", "gunicorn"),
    ("http", "uwsgi"), ("http", "granian"), ("uwsgi", "uwsgi"),
]  # fmt: skip


def units(project: Path, folder: Path, *words: str | Path) -> dict[str, str]:
    """The units that are written into ``folder``."""
    fronts.export(project, "systemd", "inflask:app", "-o", folder, *words)
    return {path.suffix: path.read_text() for path in folder.glob("inflask.*")}


@pytest.mark.parametrize(("form", "server"), CASES, ids=["-".join(case) for case in CASES])
def test_verify(form: str, server: str, project: Path, place: Path, localhost_cert: Paths) -> None:
    """systemd finds nothing to object to, and nothing that it does not know."""
    program = fronts.need("systemd-analyze", "systemd")
    words = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key] if form == "tls" else []
    written = units(project, place, "--upstream", form, "--server", server, "--redirect-port", "80", *words)
    done = run([program, "verify", "--recursive-errors=no", *(place / f"inflask{suffix}" for suffix in written)])
    complaints = [line for line in done.stderr.splitlines() if "inflask" in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr
    # uWSGI ignores SIGTERM for a moment at its start (`tlsrun.servers.uwsgi.signal_block`).
    assert ("KillSignal=SIGINT" in written[".service"]) is ((form, server) == ("tls", "uwsgi"))


def test_security(project: Path, place: Path, localhost_cert: Paths) -> None:
    """By systemd's own measure the service is exposed little."""
    program = fronts.need("systemd-analyze", "systemd")
    units(project, place, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key)
    done = run([program, "security", "--offline=yes", "--threshold=25", place / "inflask.service"])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def start(service: str, address: str, credentials: Path, **changed: str) -> list[str | Path]:
    """The command line by which `systemd-socket-activate` starts the service at the first connection."""
    program = fronts.need("systemd-socket-activate", "systemd")
    variables = dict(re.findall(r'^Environment="(\w+)=(.*)"$', service, re.MULTILINE), **changed)
    given = [f"{name}={value.replace('%d', str(credentials)).replace('%%', '%')}" for name, value in variables.items()]
    command = re.search(r"^ExecStart=(.*)$", service, re.MULTILINE)
    assert command is not None
    return [program, "-l", address, "env", *given, *shlex.split(command[1])]


def credentials(service: str, folder: Path) -> Path:
    """What LoadCredential= loads, in a folder such as systemd makes."""
    for name, source in re.findall(r"^LoadCredential=([^:]+):(.*)$", service, re.MULTILINE):
        (folder / name).write_bytes(Path(source).read_bytes())
        (folder / name).chmod(0o400)
    return folder


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi", "granian"])
def test_socket_with_tls(server: str, project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """The service takes systemd's socket, and the certificate from where systemd puts it."""
    port = free_port()
    written = units(project, place, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
                    "--host", "127.0.0.1", "--port", str(port), "--hsts", "300", "--server", server)  # fmt: skip
    assert f"ListenStream=127.0.0.1:{port}\n" in written[".socket"]
    folder = place / "credentials"
    folder.mkdir()
    words = start(written[".service"], f"127.0.0.1:{port}", credentials(written[".service"], folder))
    with Server(words, cwd=project) as server:
        address: Address = ("127.0.0.1", port)
        server.until_tls(address)
        seen = fronts.seen_by(port, ca_file)
        assert seen["url"] == f"https://localhost:{port}/?a=b"
        assert seen["REMOTE_ADDR"] == fronts.CLIENT


def test_sockets_at_several_places(project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """`bind` becomes the socket's lines, and the service takes them all, whatever its application says."""
    port, path = free_port(), place / "s"
    bind = f"127.0.0.1:{port}, unix:{path}?mode=600&owner=root"
    written = units(project, place, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
                    "--server", "gunicorn", "--bind", bind)  # fmt: skip
    assert f"ListenStream=127.0.0.1:{port}\nListenStream={path}\n" in written[".socket"]
    assert "SocketMode=0600\nSocketUser=root\n" in written[".socket"]
    assert "TLSRUN_HOST" not in written[".service"]
    folder = place / "credentials"
    folder.mkdir()
    words = start(written[".service"], f"127.0.0.1:{port}", credentials(written[".service"], folder))
    words[3:3] = ["-l", str(path)]
    with Server(words, cwd=project) as server:
        server.until_tls(("127.0.0.1", port))
        assert fronts.seen_by(port, ca_file)["REMOTE_ADDR"] == fronts.CLIENT
        answer = curl("https://localhost/", ca_file, "--unix-socket", str(path))
        assert answer.status == 200, answer


def test_the_lines_of_a_socket() -> None:
    """Both families by one socket or by two; rights that one unit cannot say are refused."""
    wildcard, v4 = Endpoint(host="::", port=443), Endpoint(host="0.0.0.0", port=443)  # noqa: S104
    assert listened_at([wildcard]) == (["443"], ["BindIPv6Only=both", "NoDelay=yes"])
    assert listened_at([v4, wildcard]) == (
        ["0.0.0.0:443", "443"], ["BindIPv6Only=ipv6-only", "NoDelay=yes"],  # noqa: S104
    )  # fmt: skip
    assert listened_at([Endpoint(host="::1", port=8443)]) == (["[::1]:8443"], ["NoDelay=yes"])
    with pytest.raises(ConfigurationError, match="the same mode, owner and group"):
        listened_at([UnixSocket(path="/a"), UnixSocket(path="/b", mode=0o600)])


@pytest.mark.parametrize("form", ["http", "uwsgi"])
def test_socket_behind_nginx(form: str, project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """The service takes systemd's Unix socket, and nginx with its own exported file finds it there."""
    port, socket = free_port(), place / "s"
    text = fronts.export(
        project, "nginx", "inflask:app", "--upstream", form, "--cert", localhost_cert.fullchain, "--key",
        localhost_cert.key, "--host", "127.0.0.1", "--port", str(port), "--redirect-port", str(free_port()),
        "--socket", socket,
    )  # fmt: skip
    [advice] = re.findall(r"tlsrun (export systemd .*)", re.sub(r"\n# (?=\S)", " ", text))
    written = units(project, place, *shlex.split(advice)[3:])
    with Server(start(written[".service"], str(socket), place), cwd=project) as server:
        server.wait_for(socket.exists, what=str(socket))
        with fronts.nginx(place, text, ("127.0.0.1", port)):
            seen = fronts.seen_by(port, ca_file)
            assert seen["url"] == f"https://localhost:{port}/?a=b"
            assert seen["REMOTE_ADDR"] == fronts.CLIENT


def test_more_keys_than_the_account_can_read(project: Path, place: Path, localhost_cert: Paths) -> None:
    """Is refused: an account of the service's own reads no private keys of root's."""
    words = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key]
    folder = place / "sites"
    site = folder / "example.org"
    site.mkdir(parents=True)
    (site / "fullchain.pem").write_bytes(localhost_cert.fullchain.read_bytes())
    (site / "privkey.pem").write_bytes(localhost_cert.key.read_bytes())
    said = fronts.export(project, "systemd", "inflask:app", *words, "--sni", folder, ok=False)
    assert "sni: the service runs as an account of its own" in said
