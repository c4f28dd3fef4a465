"""`application` under servers that are started by their own commands, as a hosting service starts them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import curl, free_port
from tests.support.process import APPLICATIONS, ROOT, Server
from tests.support.servers import need

BIN = Path(sys.executable).parent

Command = Callable[[str, Paths], list["str | Path"]]


def gunicorn(address: str, cert: Paths) -> list[str | Path]:
    """``gunicorn --certfile … --keyfile … hello:application``."""
    need("gunicorn")
    files = ["--certfile", cert.fullchain, "--keyfile", cert.key]
    return [BIN / "gunicorn", "--no-control-socket", "-b", address, *files, "hello:application"]


def granian(address: str, cert: Paths) -> list[str | Path]:
    """``granian --interface wsgi --ssl-certificate … --ssl-keyfile … hello:application``."""
    need("granian")
    host, _, port = address.partition(":")
    files = ["--ssl-certificate", cert.fullchain, "--ssl-keyfile", cert.key]
    return [BIN / "granian", "--interface", "wsgi", "--host", host, "--port", port, *files, "hello:application"]


def hypercorn(address: str, cert: Paths) -> list[str | Path]:
    """``hypercorn --certfile … --keyfile … wsgi:hello:application``."""
    need("hypercorn")
    files = ["--certfile", cert.fullchain, "--keyfile", cert.key]
    return [BIN / "hypercorn", "--bind", address, *files, "wsgi:hello:application"]


def uwsgi_http(address: str, cert: Paths) -> list[str | Path]:
    """``uwsgi --http-socket … --module hello:application``."""
    need("uwsgi")
    return [BIN / "uwsgi", "--http-socket", address, "--need-app", "--module", "hello:application"]


def uwsgi_file(address: str, cert: Paths) -> list[str | Path]:
    """``uwsgi --wsgi-file hello.py``."""
    need("uwsgi")
    return [BIN / "uwsgi", "--http-socket", address, "--need-app", "--wsgi-file", "hello.py"]


def uwsgi_https(address: str, cert: Paths) -> list[str | Path]:
    """``uwsgi --https addr,cert,key,HIGH --module hello:application``, by a uWSGI built with SSL."""
    built = os.environ.get("TLSRUN_TEST_UWSGI_SSL")
    if not built:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    files = f"{address},{cert.fullchain},{cert.key},HIGH"
    return [str(built), "--master", "--need-app", "--https", files, "--module", "hello:application"]


def test_granian_behind_a_proxy(localhost_cert: Paths, tmp_path: Path) -> None:
    """`tlsrun.entry` does not serve where a name with an underscore would pass for a proxy's header, unless told."""
    need("granian")
    (tmp_path / "hello.py").write_text(
        "def app(environ, start):\n"
        "    start('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [environ['REMOTE_ADDR'].encode()]\n"
    )
    port = free_port()
    words = [BIN / "granian", "--interface", "wsgi", "--port", str(port), "tlsrun.entry:application"]
    env = {"TLSRUN_APP": "hello:app", "TLSRUN_TRUSTED_PROXIES": "127.0.0.1"}
    with Server(words, cwd=tmp_path, env=env) as program:
        program.until_logged("TLS_PROXY_DROPS_UNDERSCORES = yes")
    with Server(words, cwd=tmp_path, env={**env, "TLSRUN_PROXY_DROPS_UNDERSCORES": "yes"}) as program:
        program.until_listening(("127.0.0.1", port))
        answer = curl(f"http://localhost:{port}/", localhost_cert.fullchain, "-H", "X-Forwarded-For: 192.0.2.7")
        assert answer.body == "192.0.2.7"


@pytest.mark.parametrize("server", ["gunicorn", "hypercorn"])
def test_other_servers_modules(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Which server runs us is not told by what an application has imported."""
    need("granian")
    need(server)
    (tmp_path / "hello.py").write_text(
        "import granian, gunicorn.http, gunicorn.http.body\n\n"
        "def app(environ, start):\n"
        "    start('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [environ['REMOTE_ADDR'].encode() + environ['wsgi.input'].read()]\n"
    )
    port = free_port()
    files = ["--certfile", localhost_cert.fullchain, "--keyfile", localhost_cert.key]
    app = {"gunicorn": "tlsrun.entry:application", "hypercorn": "asgi:tlsrun.entry:asgi"}[server]
    quiet = ["--no-control-socket"] if server == "gunicorn" else []
    words = [BIN / server, *quiet, "--bind", f"127.0.0.1:{port}", *files, app]
    env = {"TLSRUN_APP": "hello:app", "TLSRUN_TRUSTED_PROXIES": "127.0.0.1", "PYTHONPATH": str(tmp_path)}
    with Server(words, cwd=tmp_path, env=env) as program:
        program.until_tls(("127.0.0.1", port))
        resolve = f"localhost:{port}:127.0.0.1"
        words = ["--resolve", resolve, "-H", "X-Forwarded-For: 192.0.2.7", "-d", "body"]
        assert curl(f"https://localhost:{port}/", ca_file, *words).body == "192.0.2.7body"


COMMANDS = [gunicorn, granian, hypercorn, uwsgi_https, uwsgi_http, uwsgi_file]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("app", ["flask_file", "bottle_file"])
def test_application(app: str, command: Command, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The application is imported once, starts nothing by itself, and sees the scheme that the connection has."""
    port, imports = free_port(), tmp_path / "imports"
    scheme = "http" if command in (uwsgi_http, uwsgi_file) else "https"
    env = {
        "CELL_IMPORTS": str(imports),
        "CELL_CERT": str(localhost_cert.fullchain),
        "CELL_KEY": str(localhost_cert.key),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),  # the uWSGI with SSL lives in an environment of its own
    }
    words = command(f"127.0.0.1:{port}", localhost_cert)
    with Server(words, cwd=APPLICATIONS / app, env=env) as program:
        program.until_listening(("127.0.0.1", port))
        url = f"{scheme}://localhost:{port}/"
        answer = curl(url, ca_file, "--resolve", f"localhost:{port}:127.0.0.1")
        assert answer.status == 200, answer
        assert json.loads(answer.body) == {"scheme": scheme, "url": url}
        assert len(imports.read_text().split()) == 1
