"""Bad input: one clear line each, a non-zero exit code, nothing started, no traceback of ours."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pty
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Paths, key_pem, make_key
from tests.support.clients import free_port
from tests.support.process import ROOT, run

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """Flags to add to `tlsrun run hello:app`, and what the line must say."""

    flags: Callable[[Path, Paths, Authority], list[str]]
    says: tuple[str, ...]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _files(cert: Path | str, key: Path | str, *more: str) -> list[str]:
    return ["--cert", str(cert), "--key", str(key), *more]


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _expired(folder: Path, good: Paths, ca: Authority) -> list[str]:
    pair = ca.leaf(not_before=NOW - 90 * DAY, not_after=NOW - 2 * DAY).write(folder / "expired")
    return _files(pair.fullchain, pair.key, "--host", "0.0.0.0")  # noqa: S104 -- refused before it is bound


def _not_yet(folder: Path, good: Paths, ca: Authority) -> list[str]:
    pair = ca.leaf(not_before=NOW + 2 * DAY, not_after=NOW + 9 * DAY).write(folder / "not-yet")
    return _files(pair.fullchain, pair.key, "--host", "0.0.0.0")  # noqa: S104 -- refused before it is bound


def _encrypted(folder: Path, good: Paths, ca: Authority) -> list[str]:
    pair = ca.leaf(password=b"right").write(folder / "encrypted")
    return _files(pair.fullchain, pair.key)


def _bundle(folder: Path, good: Paths, ca: Authority) -> list[str]:
    command = ["openssl", "pkcs12", "-export", "-in", good.fullchain, "-inkey", good.key, "-passout", "pass:right"]
    assert run([*command, "-out", folder / "both.p12"]).returncode == 0
    return ["--cert", str(folder / "both.p12")]


CASES = {
    "missing certificate": Case(
        lambda folder, good, ca: _files("nowhere.pem", good.key), ("--cert", "nowhere.pem", "does not exist")
    ),
    "missing key": Case(
        lambda folder, good, ca: _files(good.fullchain, "nowhere.key"), ("--key", "nowhere.key", "does not exist")
    ),
    "empty file": Case(
        lambda folder, good, ca: _files(_written(folder, "empty.pem", b""), good.key), ("--cert", "empty.pem", "empty")
    ),
    "not PEM": Case(
        lambda folder, good, ca: _files(_written(folder, "noise.pem", b"hello\n"), good.key),
        ("--cert", "noise.pem", "PEM"),
    ),
    "a bundle with a password": Case(_bundle, ("--cert", "both.p12", "PKCS #12", "--key-password-file")),
    "a password that no program prints": Case(
        lambda folder, good, ca: [*_encrypted(folder, good, ca), "--key-password-command", "false"],
        ("--key-password-command", "false failed with the exit code 1"),
    ),
    "a folder": Case(lambda folder, good, ca: _files(folder, good.key), ("--cert", "is a folder")),
    "swapped": Case(lambda folder, good, ca: _files(good.key, good.fullchain), ("--cert", "key")),
    "key of another certificate": Case(
        lambda folder, good, ca: _files(good.fullchain, _written(folder, "other.key", key_pem(make_key("ecdsa")))),
        ("--key", "other.key", "match"),
    ),
    "encrypted key without a password": Case(_encrypted, ("--key", "encrypted", "--key-password-file")),
    "wrong password": Case(_encrypted, ("password",), {"TLSRUN_KEY_PASSWORD": "wrong"}),
    "expired for others": Case(_expired, ("--cert", "expired")),
    "not yet valid for others": Case(_not_yet, ("--cert", "not")),
    "key without certificate": Case(lambda folder, good, ca: ["--key", str(good.key)], ("--key", "--cert")),
    "not an address of this machine": Case(
        lambda folder, good, ca: ["--host", "192.0.2.1"], ("--host", "192.0.2.1", "127.0.0.1")
    ),
    "no such host": Case(lambda folder, good, ca: ["--host", "no-such-host.invalid"], ("--host", "no-such-host")),
    "wrong port": Case(lambda folder, good, ca: ["--port", "80x"], ("--port: '80x'", "whole number")),
    "wrong server": Case(lambda folder, good, ca: ["--server", "apache"], ("--server: 'apache'", "gunicorn")),
    "wrong version": Case(lambda folder, good, ca: ["--min-version", "1.0"], ("--min-version: '1.0'", "1.2 or 1.3")),
    "wrong ciphers": Case(lambda folder, good, ca: ["--ciphers", "NOPE"], ("--ciphers", "NOPE", "openssl ciphers")),
    "contradiction": Case(
        lambda folder, good, ca: ["--profile", "modern", "--min-version", "1.2"], ("--min-version", "modern")
    ),
    "workers of the built-in server": Case(
        lambda folder, good, ca: ["--workers", "4"], ("--workers", "gunicorn, uwsgi")
    ),
    "wrong variable": Case(
        lambda folder, good, ca: [], ("TLSRUN_PORT in the environment: 'abc'",), {"TLSRUN_PORT": "abc"}
    ),
    "gunicorn for others on a development certificate": Case(
        lambda folder, good, ca: ["--server", "gunicorn", "--host", "0.0.0.0"],  # noqa: S104 -- refused
        ("--host", "TLS_CERT"),
    ),
    "unknown option of gunicorn": Case(
        lambda folder, good, ca: ["--server", "gunicorn", "--server-options", "max_request=5"],
        ("max_request", "max_requests"),
    ),
    "unknown option of Granian": Case(
        lambda folder, good, ca: ["--server", "granian", "--server-options", "backlogg=5"], ("backlogg", "backlog?")
    ),
    "no version of HTTP": Case(lambda folder, good, ca: ["--http", "4"], ("--http: '4'", "3, 2 and 1.1")),
    "HTTP/2 by gunicorn": Case(
        lambda folder, good, ca: ["--server", "gunicorn", "--http", "2"], ("--http", "PING", "granian, hypercorn")
    ),
    "HTTP/2 by the built-in server": Case(
        lambda folder, good, ca: ["--http", "2,1.1"], ("--http", "speaks HTTP/1.1 only", "granian, hypercorn")
    ),
    "HTTP/3 by uWSGI": Case(
        lambda folder, good, ca: ["--server", "uwsgi", "--http", "3"],
        ("--http", "speaks HTTP/1.1 only", "can: hypercorn"),
    ),
    "HTTP/3 with client certificates": Case(
        lambda folder, good, ca: ["--server", "hypercorn", "--http", "3,1.1", "--client-ca", str(good.chain)],
        ("--client-ca", "Hypercorn's HTTP/3 cannot ask clients for certificates", "set TLS_HTTP (--http) to 2, 1.1"),
    ),
    "unknown option of Hypercorn": Case(
        lambda folder, good, ca: ["--server", "hypercorn", "--server-options", "backlogg=5"], ("backlogg", "backlog?")
    ),
    "unknown option of uWSGI": Case(
        lambda folder, good, ca: ["--server", "uwsgi", "--server-options", "harakirri=5"], ("harakirri", "harakiri")
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a WSGI application."""
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_one_line_and_nothing_started(case: Case, project: Path, localhost_cert: Paths, ca: Authority) -> None:
    """The line says what was given and by whom, what is wrong and what to do; the exit code is 2."""
    port = free_port()
    flags = case.flags(project, localhost_cert, ca)
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", *flags]
    if "--port" not in flags and "TLSRUN_PORT" not in case.env:
        command += ["--port", str(port)]
    ended = run(command, cwd=project, env=case.env)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, ended.stderr
    for words in case.says:
        assert words in lines[0]
    assert "Traceback" not in ended.stderr + ended.stdout
    assert ended.returncode == 2
    assert not ended.stdout


def test_all_problems_at_once(project: Path) -> None:
    """Three mistakes are three lines of one run."""
    ended = run(
        [sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", "x", "--cert", "a.pem", "--key", "b.pem"],
        cwd=project,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert [line.split(":")[1].strip() for line in lines] == ["--port", "--cert", "--key"], ended.stderr
    assert ended.returncode == 2


def test_port_taken(project: Path) -> None:
    """Another program's port is named before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run([sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", str(port)], cwd=project)
    assert f"--port (127.0.0.1:{port}): is taken by another program" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping to a user without rights takes root; others have none to drop")
def test_port_without_the_right(project: Path) -> None:
    """A port below 1024 without CAP_NET_BIND_SERVICE."""
    unprivileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
    if unprivileged == "0":
        pytest.skip("this machine lets every user bind every port")
    command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]
    command += [sys.executable, "-m", "tlsrun", "run", "hello:app", "--port", "81"]
    ended = run(command, cwd=project)
    assert "--port (127.0.0.1:81): is below 1024, and this user may not bind it" in ended.stderr
    assert ended.returncode == 2


def test_unreadable_file(project: Path, localhost_cert: Paths) -> None:
    """A key that this user may not read is named with the way out."""
    hidden = _written(project, "hidden.key", localhost_cert.pair.key_pem)
    hidden.chmod(0)
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", "--cert", str(localhost_cert.fullchain)]
    command += ["--key", str(hidden)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    ended = run(command, cwd=project)
    assert "--key" in ended.stderr
    assert "hidden.key" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("helo:app", "helo"),
        ("hello:ap", "app"),
        ("hello:app(", "hello:app("),
        ("nowhere/hello.py", "nowhere/hello.py"),
    ],
)
def test_no_such_application(project: Path, target: str, says: str) -> None:
    """A slip in the application's name is one line that says what there is."""
    ended = run([sys.executable, "-m", "tlsrun", "run", target], cwd=project)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert says in ended.stderr


def test_an_application_that_fails_to_import(project: Path) -> None:
    """The user's own traceback is shown whole, and nothing of ours stands in it."""
    (project / "broken.py").write_text("import math\nvalue = math.nope\n")
    ended = run([sys.executable, "-m", "tlsrun", "run", "broken:app"], cwd=project)
    assert ended.returncode == 1
    assert "value = math.nope" in ended.stderr
    assert "AttributeError" in ended.stderr
    assert "the application broken:app could not be imported" in ended.stderr


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_a_server_that_is_not_installed(project: Path, server: str) -> None:
    """Its absence is said with the command that installs it."""
    package = {"gunicorn": "gunicorn", "uwsgi": "pyuwsgi"}[server]
    (project / "sitecustomize.py").write_text(
        f"import sys\nsys.modules[{package!r}] = None\n"
        "import importlib.util as u\nfind = u.find_spec\n"
        f"u.find_spec = lambda name, package=None: None if name == {package!r} else find(name, package)\n"
    )
    ended = run(
        [sys.executable, "-m", "tlsrun", "run", "hello:app", "--server", server, "--port", str(free_port())],
        cwd=project,
        env={"PYTHONPATH": os.pathsep.join([str(project), os.environ.get("PYTHONPATH", ""), str(Path.cwd())])},
    )
    assert f'pip install "tlsrun[{server}]"' in ended.stderr
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_password_from_a_terminal(project: Path, ca: Authority) -> None:
    """At a terminal the password is asked for; a wrong one is said and nothing starts."""
    pair = ca.leaf(password=b"right").write(project / "encrypted")
    command = [sys.executable, "-m", "tlsrun", "run", "hello:app", *_files(pair.fullchain, pair.key)]
    output = bytearray()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        os.execv(sys.executable, command)
    with contextlib.suppress(OSError):
        while b"Password" not in output:
            output += os.read(terminal, 1024)
        os.write(terminal, b"wrong\n")
        while chunk := os.read(terminal, 1024):
            output += chunk
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 2
    assert b"Password of the key (--key)" in output
    assert re.search(rb"Error\S*: --key", output)
