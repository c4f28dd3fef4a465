"""Every server × every kind of place to listen at × real clients and systemd's own starter."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, curl, free_port
from tests.support.process import APPLICATIONS, Server, eventually, run
from tests.support.servers import ALL_SERVERS, need
from tests.support.systemd import Manager
from tlsrun.status import running

APPS = APPLICATIONS / "wsgi_file"
HERE = "127.0.0.1"
#: Seconds within which a renewed certificate is served.
PROMISED = 5


@pytest.fixture(params=ALL_SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """The name of each server."""
    need(request.param)
    return str(request.param)


def command(server: str, cert: Paths, *words: object) -> list[str]:
    """`tlsrun run` with the application that tells."""
    return [
        sys.executable, "-m", "tlsrun", "run", "where:app", "--server", server, "--cert", str(cert.fullchain),
        "--key", str(cert.key), *map(str, words),
    ]  # fmt: skip


def ask(ca: Path, port: int, host: str = HERE, *arguments: str) -> dict[str, Any]:
    """What the application told a client of a TCP endpoint."""
    host = f"[{host}]" if ":" in host else host
    return told(curl(f"https://localhost:{port}/", ca, "--resolve", f"localhost:{port}:{host}", *arguments))


def ask_unix(ca: Path, path: Path, *arguments: str, page: str = "/") -> dict[str, Any]:
    """What the application told a client of a Unix socket."""
    return told(curl(f"https://localhost{page}", ca, "--unix-socket", str(path), *arguments))


def told(answer: Any) -> dict[str, Any]:
    """The application's JSON."""
    assert (answer.returncode, answer.status) == (0, 200), answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def until_unix(program: Server, path: Path) -> None:
    """Wait until a Unix socket completes a TLS handshake."""
    program.wait_for(lambda: leaf_at(path), what=f"TLS on {path}")


def leaf_at(place: Path | int) -> bytes | None:
    """The certificate that a new connection gets, in DER; None when there is none."""
    family = socket.AF_UNIX if isinstance(place, Path) else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family) as plain:
        plain.settimeout(10)
        plain.connect(str(place) if isinstance(place, Path) else (HERE, place))
        with client_context(None).wrap_socket(plain, server_hostname="localhost") as tls:
            return tls.getpeercert(binary_form=True)
    return None


@pytest.mark.representatives("")
def test_several_places(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """IPv4, IPv6 and a Unix socket at once; each tells the truth about the client, and nothing is left behind."""
    four, six, path = free_port(), free_port("::1"), tmp_path / "s"
    bind = f"{HERE}:{four}, [::1]:{six}, unix:{path}?mode=600"
    with Server(command(server, localhost_cert, "--bind", bind), cwd=APPS) as program:
        program.until_tls((HERE, four))
        until_unix(program, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        by_four, by_six = ask(ca_file, four), ask(ca_file, six, "::1")
        assert (by_four["REMOTE_ADDR"], by_four["SERVER_NAME"], by_four["SERVER_PORT"]) == (HERE, HERE, str(four))
        assert (by_six["REMOTE_ADDR"], by_six["SERVER_PORT"]) == ("::1", str(six))
        by_unix = ask_unix(ca_file, path, "-H", "X-Forwarded-For: 203.0.113.9")
        assert (by_unix["REMOTE_ADDR"], by_unix["SERVER_NAME"], by_unix["SERVER_PORT"]) == ("", "localhost", "443")
        assert {one["wsgi.url_scheme"] for one in (by_four, by_six, by_unix)} == {"https"}
        assert f"https://{HERE}:{four}" in program.log()
        assert f"Also at https://[::1]:{six}, unix:{path}" in program.log()
        everywhere = f"{HERE}:{four}, [::1]:{six}, unix:{path}"
        program.wait_for(lambda: everywhere in {status.endpoint for status in running()}, what="a status")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert "Traceback" not in program.log()
        assert not path.exists()


@pytest.mark.representatives("")
def test_a_front_at_a_unix_socket(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Who is trusted there says who the client is; more HTTPS is not to be had."""
    path = tmp_path / "s"
    # Which proxy stands there is this test's own affair; Granian wants to know that it drops names with underscores.
    flags = ("--bind", f"unix:{path}", "--trusted-proxies", "unix", "--proxy-drops-underscores")
    words = command(server, localhost_cert, *flags)
    with Server(words, cwd=APPS) as program:
        until_unix(program, path)
        assert ask_unix(ca_file, path, "-H", "X-Forwarded-For: 203.0.113.9")["REMOTE_ADDR"] == "203.0.113.9"
        assert f"* unix:{path} (Ctrl-C stops it)" in program.log()


@pytest.mark.representatives("")
def test_every_address_of_both_families(server: str, localhost_cert: Paths, ca_file: Path) -> None:
    """``:PORT`` is IPv4 and IPv6, as anywhere else; and so are both wildcards, named one by one."""
    for form in (":{0}", "0.0.0.0:{0},[::]:{0}"):
        port = free_port("::")
        with Server(command(server, localhost_cert, "--bind", form.format(port)), cwd=APPS) as program:
            program.until_tls((HERE, port))
            assert ask(ca_file, port)["REMOTE_ADDR"] == HERE
            assert ask(ca_file, port, "::1")["REMOTE_ADDR"] == "::1"


@pytest.mark.representatives("")
def test_a_free_port(server: str, localhost_cert: Paths, tmp_path: Path) -> None:
    """The system chooses, and the log names what it chose."""
    bind = f"{HERE}:0,unix:{tmp_path / 's'}"
    with Server(command(server, localhost_cert, "--bind", bind), cwd=APPS) as program:
        until_unix(program, tmp_path / "s")
        endpoint = program.wait_for(
            lambda: next((one.endpoint for one in running() if str(tmp_path / "s") in one.endpoint), None),
            what="a status",
        )
        port = int(endpoint.partition(",")[0].rpartition(":")[2])
        assert leaf_at(port) == localhost_cert.pair.der
        assert f":{port}" in program.log()


@pytest.mark.representatives("")
def test_renewed_everywhere(server: str, ca: Authority, tmp_path: Path) -> None:
    """A new certificate is served at every place."""
    live, path, port = ca.leaf().write(tmp_path / "live"), tmp_path / "s", free_port()
    with Server(command(server, live, "--bind", f"{HERE}:{port},unix:{path}"), cwd=APPS) as program:
        program.until_tls((HERE, port))
        until_unix(program, path)
        new = ca.leaf()
        live.key.write_bytes(new.key_pem)
        live.fullchain.write_bytes(new.fullchain_pem)
        eventually(lambda: leaf_at(path) == leaf_at(port) == new.der, PROMISED, what="the new certificate")


def test_redirected_everywhere(server: str, localhost_cert: Paths, ca_file: Path) -> None:
    """Plain HTTP is redirected on that port of every host."""
    four, six, plain = free_port(), free_port("::1"), free_port("::")
    bind = f"{HERE}:{four},[::1]:{six}"
    words = command(server, localhost_cert, "--bind", bind, "--redirect-port", plain)
    with Server(words, cwd=APPS) as program:
        program.until_tls((HERE, four))
        for host in (HERE, "[::1]"):
            program.wait_for(
                lambda host=host: curl(  # type: ignore[misc]
                    f"http://localhost:{plain}/a", ca_file, "--resolve", f"localhost:{plain}:{host}"
                ).status == 308,
                what=f"a redirect on {host}",
            )  # fmt: skip


@pytest.mark.representatives("")
def test_the_file_goes_first(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A server that ends with patience leaves its place at once, and does not take it from who comes next."""
    path = tmp_path / "s"
    env = {"HELD": str(tmp_path / "held"), "RELEASED": str(tmp_path / "released")}
    words = command(server, localhost_cert, "--bind", f"unix:{path}", "--threads", "2")
    with Server(words, cwd=APPS, env=env) as first, contextlib.ExitStack() as stack:
        until_unix(first, path)
        slow = stack.enter_context(ThreadPoolExecutor(1)).submit(ask_unix, ca_file, path, page="/hold")
        first.wait_for((tmp_path / "held").exists, what="a request that runs")
        first.signal(signal.SIGTERM)
        first.wait_for(lambda: not path.exists(), what="the end of the file")
        assert not slow.done()
        with Server(words, cwd=APPS, env=env) as second:
            until_unix(second, path)
            (tmp_path / "released").touch()
            assert slow.result(60)["REMOTE_ADDR"] == ""
            assert first.wait() == 0
            assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""


@pytest.mark.parametrize("option", ["pidfile=/no/such/folder/pid", "logconfig=/no/such/file"])
def test_a_start_that_fails_leaves_no_file(option: str, localhost_cert: Paths, tmp_path: Path) -> None:
    """Whatever gunicorn finds wrong when its sockets are open already."""
    need("gunicorn")
    words = command("gunicorn", localhost_cert, "--bind", f"unix:{tmp_path / 's'}", "--server-options", option)
    done = run(words, cwd=APPS)
    assert done.returncode != 0
    assert not (tmp_path / "s").exists()


# -- systemd ---------------------------------------------------------------------------------------------------------


def activated(words: list[str], *listeners: object, names: str = "") -> list[str]:
    """By systemd's own starter: it listens, and executes the command at the first connection."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        message = "systemd is not installed. Run: apt-get install systemd"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    # The starter passes nothing on of its own environment but what is named.
    passed = [f"--setenv={name}" for name in os.environ]
    listen = [word for one in listeners for word in ("-l", str(one))]
    return [str(program), *passed, *listen, *([f"--fdname={names}"] if names else []), *words]


@pytest.mark.representatives("")
@pytest.mark.parametrize("bind", [(), ("--bind", "systemd")], ids=["by-itself", "named"])
def test_systemds_sockets(
    server: str, bind: tuple[str, ...], localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """All that it hands over are served, the first client has waited for its answer, and the sockets outlive us."""
    port, path = free_port(), tmp_path / "s"
    words = activated(command(server, localhost_cert, *bind), f"{HERE}:{port}", path)
    with Server(words, cwd=APPS) as program:
        program.wait_for(path.exists, what="systemd's socket")
        assert ask(ca_file, port)["REMOTE_ADDR"] == HERE
        assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""
        assert f"https://{HERE}:{port}" in program.log()
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert path.exists()
        assert "Traceback" not in program.log()


@pytest.mark.representatives("")
def test_systemds_sockets_by_name(server: str, localhost_cert: Paths, ca_file: Path) -> None:
    """Of several, the one that is named."""
    web, admin = free_port(), free_port()
    words = activated(
        command(server, localhost_cert, "--bind", "systemd:web"), f"{HERE}:{admin}", f"{HERE}:{web}", names="admin:web"
    )
    with Server(words, cwd=APPS) as program:
        program.until_listening((HERE, web))
        assert ask(ca_file, web)["SERVER_PORT"] == str(web)
        assert f"https://{HERE}:{web}" in program.log()
        ours = re.split("Execing|Executing", program.log())[-1]  # as systemd 252 and 262 say it
        assert f":{admin}" not in ours


def reloaded(server: str, ca: Path, port: int, before: str, program: Server) -> bool:
    """Whether the program has been executed anew: other workers serve, or the one process has begun again."""
    if server == "builtin":
        program.until_logged("it is executed anew")
        return program.log().count("listening on") == 2
    return bool(ask(ca, port)["pid"] != before)


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "granian", "hypercorn"])
def test_systemds_sockets_after_a_reload(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """SIGHUP keeps them, whatever is executed anew."""
    need(server)
    port, path = free_port(), tmp_path / "s"
    words = activated(command(server, localhost_cert), f"{HERE}:{port}", path)
    with Server(words, cwd=APPS) as program:
        program.wait_for(path.exists, what="systemd's socket")
        before = ask(ca_file, port)["pid"]
        program.signal(signal.SIGHUP)
        eventually(lambda: reloaded(server, ca_file, port, before, program), what="the end of the reload")
        assert ask(ca_file, port)["REMOTE_ADDR"] == HERE
        assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "granian", "hypercorn"])
def test_our_sockets_after_a_reload(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The same for those that were opened here; the Unix socket's file goes in the end."""
    need(server)
    port, path = free_port(), tmp_path / "s"
    words = command(server, localhost_cert, "--bind", f"{HERE}:{port},unix:{path}", "--redirect-port", free_port())
    with Server(words, cwd=APPS) as program:
        program.until_tls((HERE, port))
        before = ask(ca_file, port)["pid"]
        program.signal(signal.SIGHUP)
        eventually(lambda: reloaded(server, ca_file, port, before, program), what="the end of the reload")
        assert ask(ca_file, port)["REMOTE_ADDR"] == HERE
        assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert not path.exists()


def test_gunicorns_upgrade(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """SIGUSR2 runs the program anew beside itself, on the same sockets; who ends last removes the file."""
    need("gunicorn")
    port, path, pid_file = free_port(), tmp_path / "s", tmp_path / "pid"
    words = command(
        "gunicorn", localhost_cert, "--bind", f"{HERE}:{port},unix:{path}", "--redirect-port", free_port(),
        "--server-options", f"pidfile={pid_file}",
    )  # fmt: skip
    with Server(words, cwd=APPS) as program:
        program.until_tls((HERE, port))
        program.signal(signal.SIGUSR2)
        second = tmp_path / "pid.2"
        program.wait_for(lambda: second.exists() and second.read_text().strip(), what="the second master")
        new = int(second.read_text())
        workers = Path(f"/proc/{new}/task/{new}/children")
        program.wait_for(lambda: workers.read_text().strip(), what="its worker")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert ask(ca_file, port)["REMOTE_ADDR"] == HERE
        assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""
        os.kill(new, signal.SIGTERM)
        eventually(lambda: not path.exists(), what="the end of the second master")


def test_an_upgrade_of_gunicorn_that_fails(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The sockets are still those of the master that serves."""
    need("gunicorn")
    path, pid_file = tmp_path / "s", tmp_path / "pid"
    (tmp_path / "pid.2").mkdir()  # where the second master would write its number
    words = command("gunicorn", localhost_cert, "--bind", f"unix:{path}", "--server-options", f"pidfile={pid_file}")
    with Server(words, cwd=APPS) as program:
        until_unix(program, path)
        program.signal(signal.SIGUSR2)
        program.until_logged("Is a directory")
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        program.wait_for(lambda: len(children.read_text().split()) == 1, what="the end of the second master")
        assert ask_unix(ca_file, path)["REMOTE_ADDR"] == ""


def test_the_reloader_keeps_all_of_them(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """A change of the source starts the built-in server anew behind the same sockets."""
    app, port, path = tmp_path / "changing.py", free_port(), tmp_path / "s"
    source = "from flask import Flask\napp = Flask(__name__)\napp.add_url_rule('/', view_func=lambda: {0!r})\n"
    app.write_text(source.format("before"))
    words = [
        sys.executable, "-m", "flask", "--app", "changing", "tlsrun", "--reload", "--bind",
        f"{HERE}:{port},unix:{path}", "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key),
    ]  # fmt: skip
    with Server(words, cwd=tmp_path) as program:
        program.until_tls((HERE, port))
        until_unix(program, path)
        app.write_text(source.format("after it"))

        def answers() -> list[str]:
            unix = curl("https://localhost/", ca_file, "--unix-socket", str(path))
            tcp = curl(f"https://localhost:{port}/", ca_file, "--resolve", f"localhost:{port}:{HERE}")
            return [unix.body, tcp.body]

        program.wait_for(lambda: answers() == ["after it"] * 2, what="the new source")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert not path.exists()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Of one service."""
    with Manager(tmp_path / "notify") as made:
        yield made


@pytest.mark.representatives("")
def test_systemd_is_told(server: str, localhost_cert: Paths, manager: Manager) -> None:
    """READY when it serves, signs of life as long as it does, STOPPING at its end; by who systemd believes."""
    port = free_port()
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000000"}
    with Server(command(server, localhost_cert, "--bind", f"{HERE}:{port}"), cwd=APPS, env=env) as program:
        program.wait_for(lambda: "READY=1" in manager.hear(), what="READY=1")
        assert leaf_at(port) == localhost_cert.pair.der
        seen, patience = manager.hear().count("WATCHDOG=1"), time.monotonic()
        program.wait_for(lambda: manager.hear().count("WATCHDOG=1") >= seen + 4, what="signs of life")
        # At least one in each of systemd's patience; generous, for this machine may be busy.
        assert time.monotonic() - patience < 4 * 2
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert "STOPPING=1" in manager.hear()
        if server != "uwsgi":  # the master is uWSGI's own; its unit says NotifyAccess=all
            assert {pid for _, pid in manager.said} == {program.pid}


@pytest.mark.representatives("")
def test_no_word_without_systemd(server: str, localhost_cert: Paths, manager: Manager) -> None:
    """Who asked for no signs of life gets none."""
    port = free_port()
    env = {"NOTIFY_SOCKET": str(manager.path)}
    with Server(command(server, localhost_cert, "--port", port), cwd=APPS, env=env) as program:
        program.until_tls((HERE, port))
        program.wait_for(lambda: "READY=1" in manager.hear(), what="READY=1")
    assert "WATCHDOG=1" not in manager.hear()


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_said_before_anything_starts(localhost_cert: Paths, tmp_path: Path) -> None:
    """One line for each: what is taken, what is no socket, what contradicts itself."""
    (tmp_path / "letter").write_text("Dear Sir,")
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
        bind = f"{HERE}:{port},unix:{tmp_path}/letter,unix:/no/such/folder/s"
        done = run(command("builtin", localhost_cert, "--bind", bind, "--port", 8443), cwd=APPS)
    assert done.returncode == 2
    for part in (
        f"--bind ({HERE}:{port}): is taken by another program",
        f"--bind (unix:{tmp_path}/letter): is a file, and no socket",
        "--bind (unix:/no/such/folder/s): is in a folder that is not there",
        "--port: --bind says where to listen, and this as well",
    ):
        assert part in done.stderr, done.stderr
    assert (tmp_path / "letter").read_text() == "Dear Sir,"


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        ("localhost", "it names no port"),
        ("127.0.0.1:1,::1:2", "an IPv6 address stands in brackets (::1:2)"),
        ("systemd", "systemd handed over no socket to this process"),
        ("fd://77", "descriptor 77 is no socket"),
        ("127.0.0.1:8443,0.0.0.0:8443", "are, in part, the same place"),
        ("127.0.0.1:8443,localhost:8443", "are, in part, the same place"),
        ("unix:s?owner=nobody-has-this-name", "there is no user nobody-has-this-name"),
        ("18443", "the port of every address is :18443"),
        ("unix:/tmp/s?owner=me&mode=9", "'9' is no mode"),
    ],
)
def test_a_bad_value(bind: str, words: str, localhost_cert: Paths) -> None:
    """The reason is said, and what would do."""
    done = run(command("gunicorn", localhost_cert, "--bind", bind), cwd=APPS)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_development_certificate_is_not_for_others(tmp_path: Path) -> None:
    """Neither at one address among several, nor at a socket of systemd's."""
    words = [sys.executable, "-m", "tlsrun", "run", "where:app", "--server", "gunicorn"]
    done = run([*words, "--bind", f"{HERE}:0,0.0.0.0:{free_port()}"], cwd=APPS)
    assert done.returncode == 2
    assert "needs a certificate" in done.stderr
    with Server(activated(words, f"0.0.0.0:{(port := free_port())}"), cwd=APPS) as program:
        program.until_listening((HERE, port))
        assert program.wait() == 2
        assert "needs a certificate" in program.log()
