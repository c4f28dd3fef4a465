"""The Bottle side: the adapters, where settings come from, and what a view sees."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Response, free_port, https_get
from tests.support.process import Server, eventually, run

ROUTES = """\
import bottle
from bottle import default_app, route, run
import bottle_tls
from bottle_tls import tls

@route("/")
def index():
    return f"{bottle.request.url} {tls.version} {tls.sni}"

@route("/mine")
@bottle_tls.require_client_cert
def mine():
    return "in"
"""


def _get(port: int, ca_file: Path, path: str = "/") -> Response:
    return https_get(f"https://localhost:{port}{path}", ca_file, address=("127.0.0.1", port))


def _script(folder: Path, *lines: str) -> Path:
    path = folder / "hello.py"
    path.write_text(ROUTES + '\nif __name__ == "__main__":\n' + "".join(f"    {line}\n" for line in lines))
    return path


def _answers(
    folder: Path,
    port: int,
    ca_file: Path,
    *lines: str,
    env: dict[str, str] | None = None,
    facts: str = "TLSv1.3 localhost",
) -> str:
    """Run the script, look at one page, and return what it logged."""
    script = _script(folder, *lines)
    with Server([sys.executable, script], cwd=folder, env=env) as server:
        server.until_tls(("127.0.0.1", port))
        assert _get(port, ca_file).text == f"https://localhost:{port}/ {facts}"
        assert "client certificate" in _get(port, ca_file, "/mine").text
        return server.log()


def test_the_banner_never_says_http(tmp_path: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Bottle's own banner, which says http://, makes room for ours."""
    port = free_port()
    files = f"cert={str(localhost_cert.fullchain)!r}, key={str(localhost_cert.key)!r}"
    log = _answers(tmp_path, port, ca_file, f"run(server='tls', port={port}, {files})")
    assert f"https://127.0.0.1:{port}" in log
    assert "http://" not in log
    assert "serving hello.py on the built-in server" in log


@pytest.mark.parametrize("server", ["tls-builtin", "tls-gunicorn", "tls-uwsgi", "tls-granian", "tls-hypercorn"])
def test_servers_by_name(tmp_path: Path, localhost_cert: Paths, ca_file: Path, server: str) -> None:
    """Each server has an adapter of its own name; the names that Bottle's adapters use for files work."""
    port = free_port()
    files = f"certfile={str(localhost_cert.cert)!r}, keyfile={str(localhost_cert.key)!r}, "
    files += f"chainfile={str(localhost_cert.chain)!r}"
    # Granian tells an application that its connection is TLS, and nothing more.
    facts = "None None" if server == "tls-granian" else "TLSv1.3 localhost"
    log = _answers(tmp_path, port, ca_file, f"run(server={server!r}, port={port}, {files})", facts=facts)
    assert server.partition("-")[2] in log.lower() or "wsgiref" in log.lower()


def test_settings_from_the_config(tmp_path: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """tls.cert, an ini file with a section [tls], and TLS_CERT all reach the server."""
    port = free_port()
    (tmp_path / "app.ini").write_text(f"[tls]\nport = {port}\nserver = gunicorn\n")
    log = _answers(
        tmp_path,
        port,
        ca_file,
        "config = default_app().config",
        "config.load_config('app.ini')",
        f"config['tls.cert'] = {str(localhost_cert.fullchain)!r}",
        f"config['TLS_KEY'] = {str(localhost_cert.key)!r}",
        "run(server='tls')",
    )
    assert "gunicorn" in log


def test_quiet(tmp_path: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """run(quiet=True) prints nothing at all."""
    port = free_port()
    env = {"TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key)}
    log = _answers(tmp_path, port, ca_file, f"run(server='tls', port={port}, quiet=True)", env=env)
    assert log == ""


def test_the_reloader(tmp_path: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """reloader=True serves a changed file."""
    port = free_port()
    env = {"TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key)}
    line = f"run(server='tls', port={port}, reloader=True, interval=0.2)"
    script = _script(tmp_path, line)
    with Server([sys.executable, script], cwd=tmp_path, env=env) as server:
        server.until_tls(("127.0.0.1", port))
        assert "TLSv1.3" in _get(port, ca_file).text
        script.write_text(script.read_text().replace("{tls.version}", "changed"))

        def changed() -> bool:
            try:
                return "changed" in _get(port, ca_file).text
            except OSError:
                return False

        eventually(changed, what="the changed code")


def test_the_reloader_needs_the_builtin_server(tmp_path: Path) -> None:
    """With a server that forks, Bottle's reloader is refused in one line."""
    script = _script(tmp_path, f"run(server='tls-gunicorn', port={free_port()}, reloader=True)")
    ended = run([sys.executable, script], cwd=tmp_path)
    assert "Error: The reloader: it works with the built-in server only" in ended.stderr
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_ext_import() -> None:
    """`from bottle.ext import tls` is the same module."""
    ended = run([sys.executable, "-W", "ignore", "-c", "from bottle.ext import tls; print(tls.TLSServer.__name__)"])
    assert ended.stdout == "TLSServer\n", ended.stderr


def test_an_unguarded_run_starts_nothing_when_imported(tmp_path: Path) -> None:
    """A module that calls run(server="tls") at its end is importable."""
    (tmp_path / "hello.py").write_text(ROUTES + "\nrun(server='tls', port=1)\n")
    ended = run([sys.executable, "-c", "import hello; print('imported')"], cwd=tmp_path)
    assert ended.stdout.endswith("imported\n")
    assert "bottle.run() in " in ended.stderr
    assert "is ignored" in ended.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """A wrong keyword is said with what was meant; nothing starts, and there is no traceback."""
    script = _script(tmp_path, "run(server='tls', certt='x.pem')")
    ended = run([sys.executable, script], cwd=tmp_path)
    assert "Error: certt= in bottle.run(): no such setting. Did you mean cert?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


def test_an_import_brings_what_it_needs() -> None:
    """An application that is imported and not served does not wait for what a request needs."""
    program = "import sys, bottle_tls; print({'cryptography', 'tlsrun.wsgi', 'tlsrun.tls'} & set(sys.modules))"
    assert run([sys.executable, "-c", program]).stdout.strip() == "set()"


@pytest.mark.parametrize("server", ["tls", "bottle_tls:TLSServer"])
def test_the_name_of_the_server(server: str, tmp_path: Path) -> None:
    """Without the import of bottle_tls, "tls" is the name of a module to Bottle; the adapter's own name needs none."""
    port = free_port()
    (tmp_path / "site.py").write_text(
        f"from bottle import run\nrun(server={server!r}, host='127.0.0.1', port={port})\n"
    )
    if server == "tls":
        ended = run([sys.executable, "site.py"], cwd=tmp_path)
        assert "No module named 'tls'" in ended.stderr
        return
    with Server([sys.executable, "site.py"], cwd=tmp_path) as program:
        program.until_tls(("127.0.0.1", port))


def test_bottles_own_command(tmp_path: Path) -> None:
    """No word of a second import: bottle.py runs as a script, and is nobody's application."""
    port = free_port()
    (tmp_path / "hello.py").write_text("from bottle import default_app\napplication = default_app()\n")
    command = ["-m", "bottle", "-s", "bottle_tls:TLSServer", "-b", f"127.0.0.1:{port}", "hello:application"]
    with Server([sys.executable, *command], cwd=tmp_path) as program:
        program.until_tls(("127.0.0.1", port))
        assert "TLS505" not in program.log()
