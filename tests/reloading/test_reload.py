"""SIGHUP means the same under every server: new code, settings and certificates, and nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.reloading.site import FLAGS, asking, serving, write
from tests.support.certs import Authority, Paths
from tests.support.clients import free_port, https_get
from tests.support.process import Server, eventually
from tests.support.servers import need

SERVERS = list(FLAGS)


@pytest.mark.parametrize("server", SERVERS)
def test_a_reload(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Under load all workers serve new code within 10 s, in the same process, and no request is lost; broken code
    leaves the old one serving, and its traceback is in the log; of two reloads in a row the last one counts."""
    with serving(server, localhost_cert, ca_file, tmp_path) as site:
        with asking(site) as load:
            load.until_more()
            site.write("two")
            site.hang_up()
            took = [site.until_served_by_all("two")]
            load.until_more()

            site.write("three", more="raise RuntimeError('this code is broken')\n")
            site.hang_up()
            site.until_refused()
            assert "RuntimeError: this code is broken" in site.server.log()
            assert "site_code.py" in site.server.log()
            load.until_more()
            assert site.version() == "two"

            site.write("four")
            site.hang_up()
            load.until_more(5)
            site.write("five")
            site.hang_up()
            took.append(site.until_served_by_all("five"))
            # A machine that is busy with other things may take its own time.
            while min(took) >= 10 and len(took) < 5:
                site.write(f"again-{len(took)}")
                site.hang_up()
                took.append(site.until_served_by_all(f"again-{len(took)}"))
            assert min(took) < 10, took
            load.until_more()
            # What the application adds to the environment does not pile up.
            assert site.ask().text.split()[2] == "once"
        assert load.failures == []
        assert site.server.process.poll() is None
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0


SCRIPT = """
import os
from flask import Flask
from flask_tlsrun import TLSRun

app = Flask("script")
TLSRun(app)
app.config["TLS_HSTS"] = {hsts}

@app.get("/")
def index():
    return "{version}"

os.chdir("/")
if __name__ == "__main__":
    app.run(**{run!r})
"""


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", SERVERS)
def test_a_script_with_new_settings_and_a_new_certificate(
    server: str, ca: Authority, ca_file: Path, tmp_path: Path
) -> None:
    """`python app.py`, found again by a relative path though it has left its folder, is executed anew: with what it
    sets now, with the files as they are, and with what a .env file says, though watching is off."""
    live, port = ca.leaf().write(tmp_path / "live"), free_port()
    name, options = server.partition("-")[0], {"worker_class": "sync"} if server == "gunicorn-sync" else {}
    need(name)
    run = {"server": name, "port": port, "cert": str(live.fullchain), "key": str(live.key), "server_options": options}
    run |= {"reload": False, "use_reloader": False} | ({} if name == "builtin" else {"workers": 2})

    def deploy(version: str, hsts: int) -> None:
        (tmp_path / "script.py").write_text(SCRIPT.format(version=version, hsts=hsts, run=run))

    deploy("one", 60)
    with Server([sys.executable, "script.py"], cwd=tmp_path) as program:
        program.until_tls(("127.0.0.1", port))

        def seen() -> tuple[str, str | None, bytes]:
            url, headers = f"https://localhost:{port}/", {"Host": "site.test"}
            answer = https_get(url, ca_file, headers=headers, address=("127.0.0.1", port))
            return answer.text, answer.headers["Strict-Transport-Security"], answer.tls.certificate

        assert seen() == ("one", "max-age=60", live.pair.der)
        new = ca.leaf().write(tmp_path / "live").pair
        deploy("two", 90)
        program.signal(signal.SIGHUP)
        eventually(lambda: seen() == ("two", "max-age=90", new.der), what="all that is new")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", SERVERS)
def test_a_request_that_runs_is_answered_by_the_old_code(
    server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """Its worker finishes it; where there is but one process, the reload waits for it."""
    with serving(server, localhost_cert, ca_file, tmp_path) as site:
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(site.ask("/slow3").text))
        asking.start()
        eventually((tmp_path / "begun").exists)
        site.write("two")
        site.hang_up()
        site.until_served_by_all("two")
        asking.join()
        assert answers[0].startswith("one ")


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", SERVERS)
def test_a_stop_during_a_trial(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """SIGTERM ends the server, with the code 0, and the trial with it."""
    with serving(server, localhost_cert, ca_file, tmp_path) as site:
        site.write("two", more="import time\nopen('trying', 'w').close()\nthreading.Event().wait(600)\n")
        site.hang_up()
        eventually((tmp_path / "trying").exists, what="the trial")
        site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        eventually(lambda: not site.server.members(), what="the end of the trial")


@pytest.mark.parametrize("server", ["builtin", "gunicorn", "granian", "hypercorn"])
def test_a_program_from_standard_input(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """It cannot be run again: the certificates are read, and the log says that the code stays, and what to do."""
    need(server)
    port = free_port()
    lines = (
        "from bottle import Bottle, run; import bottle_tls; app = Bottle(); app.route('/')(lambda: 'typed'); "
        f"run(app, server='tls-{server}', host='127.0.0.1', port={port}, cert={str(localhost_cert.fullchain)!r}, "
        f"key={str(localhost_cert.key)!r}, quiet=True)"
    )
    (tmp_path / "lines").write_text(lines)
    with Server(["sh", "-c", 'exec "$0" - < lines', sys.executable], cwd=tmp_path) as program:
        program.until_tls(("127.0.0.1", port))
        program.signal(signal.SIGHUP)
        program.until_logged("the code stays")
        assert https_get(f"https://localhost:{port}/", ca_file, address=("127.0.0.1", port)).text == "typed"


def test_http_3(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Who is connected to an old worker is answered by it, while new connections come to the new ones."""
    pytest.importorskip("aioquic")
    from tests.support.h3 import http_3

    with serving("hypercorn", localhost_cert, ca_file, tmp_path, "--http", "3,2,1.1") as site:

        async def ask() -> list[str]:
            async with http_3(site.address, ca_file) as client:
                slow = client.begin("GET", "/slow4", host="localhost")
                await asyncio.to_thread(eventually, (tmp_path / "begun").exists)
                site.write("two")
                site.hang_up()
                await asyncio.to_thread(site.until_served_by_all, "two")
                seen = []
                for _ in range(4):
                    async with http_3(site.address, ca_file) as other:
                        answer = await other.answer(other.begin("GET", "/", host="localhost"))
                        seen.append(answer.body.decode().split()[0])
                answer = await client.answer(slow)
                return [answer.body.decode().split()[0], *seen]

        assert asyncio.run(ask()) == ["one", *["two"] * 4]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # what pytest-xdist makes it
def test_a_terminal_that_has_gone(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The built-in server ends with the terminal that it was started at, as programs do."""
    write(tmp_path, "one")
    port = free_port()
    command = [sys.executable, "-m", "tlsrun", "run", "site_code:app", "--server", "builtin", "--port", str(port)]
    command += ["--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, command)
    try:
        address = ("127.0.0.1", port)
        eventually(lambda: _answers(address, ca_file), what="the server")
        os.close(terminal)
        ended = eventually(lambda: _ended(pid), 20, what="the end of the server")
        assert ended == (pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)


def _answers(address: tuple[str, int], ca: Path) -> bool:
    try:
        return https_get(f"https://localhost:{address[1]}/", ca, address=address).status == 200
    except OSError:
        return False


def _ended(pid: int) -> tuple[int, int] | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return (found, status) if found else None


#: Seconds between two reloads: uWSGI executes itself anew by its own means, which take a while in several places.
GAPS = {"uwsgi": [0.1 + number * 1.9 / 9 for number in range(10)]}


@pytest.mark.representatives("")
@pytest.mark.soak
@pytest.mark.parametrize("server", SERVERS)
def test_two_reloads(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """At gaps from 0.1 to 2 s: the server lives, the later code is served, and no request is lost."""
    with serving(server, localhost_cert, ca_file, tmp_path) as site, asking(site, kept=2, new=1) as load:
        for number, gap in enumerate(GAPS.get(server, [0.1, 0.6, 2.0])):
            site.write(f"{number}-first")
            site.hang_up()
            threading.Event().wait(gap)
            site.write(f"{number}-second")
            site.hang_up()
            site.until_served_by_all(f"{number}-second")
            load.until_more()
        assert site.server.process.poll() is None
    assert load.failures == []
