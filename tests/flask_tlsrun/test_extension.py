"""The Flask side: the extension, `flask tlsrun`, and what a view sees."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask, session, url_for

from flask_tlsrun import TLSRun, require_client_cert, tls
from flask_tlsrun.extension import prefer_https
from tests.support.certs import Paths
from tests.support.clients import Response, free_port, https_get
from tests.support.process import Server, eventually, run

HELLO = """\
from flask import Flask, session, url_for
from flask_tlsrun import TLSRun, tls

app = Flask(__name__)
app.secret_key = "only for this test"
tlsrun = TLSRun(app)
application = tlsrun.application

@app.route("/")
def index():
    session["seen"] = True
    return f"{url_for('index', _external=True)} {tls.version} {tls.sni}"

@app.route("/status")
def status():
    return [one.endpoint for one in tlsrun.status()]

@app.route("/crash")
def crash():
    raise ValueError("a mistake of the user's")
"""


@contextmanager
def _flask(folder: Path, *words: str, env: dict[str, str] | None = None, port: int | None = None) -> Iterator[Server]:
    command = [sys.executable, "-m", "flask", "--app", "hello", "tlsrun", *words]
    if port is not None:
        command += ["--port", str(port)]
    with Server(command, cwd=folder, env=env) as server:
        if port is not None:
            server.until_tls(("127.0.0.1", port))
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with hello.py."""
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


def _get(port: int, ca_file: Path, path: str = "/") -> Response:
    return https_get(f"https://localhost:{port}{path}", ca_file, address=("127.0.0.1", port))


def _files(paths: Paths) -> list[str]:
    return ["--cert", str(paths.fullchain), "--key", str(paths.key)]


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi", "granian", "hypercorn"])
def test_what_a_view_sees(project: Path, localhost_cert: Paths, ca_file: Path, server: str) -> None:
    """https in URLs, the connection's facts, a Secure session cookie, and the status of the server."""
    port = free_port()
    with _flask(project, "--server", server, *_files(localhost_cert), port=port):
        answer = _get(port, ca_file)
        # Granian tells an application that its connection is TLS, and nothing more.
        facts = "None None" if server == "granian" else "TLSv1.3 localhost"
        assert answer.text == f"https://localhost:{port}/ {facts}"
        assert "Secure" in (answer.headers["Set-Cookie"] or "")
        eventually(lambda: f"127.0.0.1:{port}" in _get(port, ca_file, "/status").text)


def test_the_banner(project: Path, localhost_cert: Paths) -> None:
    """URL to click, server, certificate and days left; never http://."""
    port = free_port()
    with _flask(project, *_files(localhost_cert), port=port) as server:
        log = server.log()
        assert f"https://127.0.0.1:{port}" in log
        assert "localhost, 127.0.0.1, ::1" in log
        assert "http://" not in log
        assert "development server" not in log


def test_quiet(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """--quiet prints neither banner nor access log."""
    port = free_port()
    with _flask(project, "--quiet", *_files(localhost_cert), port=port) as server:
        _get(port, ca_file)
        assert "https://" not in server.log()
        assert "GET /" not in server.log()


def test_flasks_own_variables(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """FLASK_TLSRUN_SERVER and its like configure it, as they do for every command of Flask."""
    port = free_port()
    env = {
        "FLASK_TLSRUN_SERVER": "gunicorn",
        "FLASK_TLSRUN_CERT": str(localhost_cert.fullchain),
        "FLASK_TLSRUN_KEY": str(localhost_cert.key),
    }
    with _flask(project, env=env, port=port) as server:
        assert _get(port, ca_file).status == 200
        assert "gunicorn" in server.log()


def test_adhoc_is_the_development_certificate(project: Path, localhost_cert: Paths, home: Path) -> None:
    """`--cert adhoc` overrides a configured certificate with a development certificate, whose CA verifies it."""
    port = free_port()
    with _flask(project, "--cert", "adhoc", port=port, env={"TLSRUN_CERT": str(localhost_cert.fullchain)}) as server:
        found = re.search(r"trust the CA: (\S+)", server.log())
        assert found
        assert _get(port, Path(found[1])).status == 200
        assert Path(found[1]).is_relative_to(home)


def test_debug_shows_the_debugger(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """With --debug an exception is shown in the browser."""
    port = free_port()
    with _flask(project, "--debug", *_files(localhost_cert), port=port):
        page = _get(port, ca_file, "/crash")
        assert page.status == 500
        assert "a mistake of the user" in page.text
        assert "Werkzeug Debugger" in page.text


def test_reload_serves_the_changed_code(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """With --reload a saved file is served without a restart by hand, and a mistake in it can be mended."""
    port = free_port()
    with _flask(project, "--reload", *_files(localhost_cert), port=port) as server:
        assert "TLSv1" in _get(port, ca_file).text

        def says(path: str, words: str) -> bool:
            try:
                return words in _get(port, ca_file, path).text
            except OSError:
                return False

        def answers_with(status: int) -> bool:
            try:
                return _get(port, ca_file).status == status
            except OSError:
                return False

        (project / "hello.py").write_text(HELLO.replace("{tls.version}", "changed"))
        eventually(lambda: says("/", "changed"), what="the changed code")
        (project / "hello.py").write_text("1 / 0\n" + HELLO)
        # The reloader looks at files from when it answers again; a person is not faster than that either.
        server.wait_for(lambda: answers_with(500), what="the page that shows the mistake")
        assert "ZeroDivisionError" in server.log()
        (project / "hello.py").write_text(HELLO.replace("{tls.version}", "mended"))
        eventually(lambda: says("/", "mended"), what="the mended code")


def test_an_app_that_cannot_be_imported(project: Path) -> None:
    """The user's own traceback, a word that it is the application's, and no server; 1, by whatever command."""
    for raised in ("import nowhere_to_be_found\n", "nowhere_to_be_found\n"):
        (project / "hello.py").write_text(raised)
        for command in (["flask", "--app", "hello", "tlsrun"], ["tlsrun", "run", "hello:app"]):
            ended = run([sys.executable, "-m", *command], cwd=project)
            assert "nowhere_to_be_found" in ended.stderr
            assert "could not be imported; its traceback is above." in ended.stderr
            assert "Usage:" not in ended.stderr
            assert ended.returncode == 1


def test_an_app_that_is_not_there(project: Path) -> None:
    """A mistake on the command line: 2, and nothing of an import that failed."""
    ended = run([sys.executable, "-m", "flask", "--app", "nowhere", "tlsrun"], cwd=project)
    assert "Could not import 'nowhere'." in ended.stderr
    assert ended.returncode == 2


def test_app_run_takes_flasks_arguments(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """app.run(host, port, ssl_context=(cert, key)) works as before, and app.run() is HTTPS with the settings."""
    port = free_port()
    files = (str(localhost_cert.fullchain), str(localhost_cert.key))
    (project / "script.py").write_text(
        HELLO
        + f'\nif __name__ == "__main__":\n    app.run("127.0.0.1", {port}, ssl_context={files!r}, use_evalex=False)\n'
    )
    with Server([sys.executable, "script.py"], cwd=project) as server:
        server.until_tls(("127.0.0.1", port))
        assert _get(port, ca_file).status == 200
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_app_run_uses_server_name(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Host and port come from SERVER_NAME where nothing else says so, as with Flask's own run()."""
    port = free_port()
    (project / "script.py").write_text(
        HELLO + f'\nif __name__ == "__main__":\n    app.config["SERVER_NAME"] = "localhost:{port}"\n    app.run()\n'
    )
    env = {"TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key)}
    with Server([sys.executable, "script.py"], cwd=project, env=env) as server:
        server.until_tls(("127.0.0.1", port))
        assert _get(port, ca_file).status == 200


def test_an_unguarded_run_starts_nothing_when_imported(project: Path) -> None:
    """A module that calls app.run() at its end is importable; the call is said to be ignored, with its line."""
    (project / "hello.py").write_text(HELLO + "\napp.run(port=1)\n")
    ended = run([sys.executable, "-c", "import hello; print('imported')"], cwd=project)
    assert ended.stdout.endswith("imported\n")
    assert "app.run() in " in ended.stderr
    assert "is ignored" in ended.stderr


def test_options_are_written_into_the_configuration() -> None:
    """TLSRun(app, port=…) is app.config["TLS_PORT"]; an unknown option is refused at once."""
    app = Flask("shop")
    TLSRun(app, port=8443)
    assert app.config["TLS_PORT"] == 8443
    with pytest.raises(TypeError, match="prot"):
        TLSRun(Flask("other"), prot=8443)


def test_application_is_the_entry_point() -> None:
    """TLSRun(app).application is callable; a TLSRun without an app says what to do."""
    app = Flask("shop")
    assert callable(TLSRun(app).application)
    with pytest.raises(RuntimeError, match="init_app"):
        _ = TLSRun().application


def test_several_applications_share_no_state() -> None:
    """One extension may serve several applications, each once."""
    extension = TLSRun()
    first, second = Flask("first"), Flask("second")
    for app in (first, second, first):
        extension.init_app(app)
    inner = first.wsgi_app
    extension.init_app(first)
    assert first.wsgi_app is inner
    assert first.extensions["tlsrun"] is extension is second.extensions["tlsrun"]


def test_what_the_app_set_itself_stays() -> None:
    """PREFERRED_URL_SCHEME of the application is kept; outside a request URLs say https otherwise."""
    app = Flask("shop")
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "index", lambda: "")
    TLSRun(app)
    with app.app_context():
        assert url_for("index") == "https://shop.example/"
    other = Flask("other")
    other.config["PREFERRED_URL_SCHEME"] = "wss"
    prefer_https(other)
    assert other.config["PREFERRED_URL_SCHEME"] == "wss"


def test_cookies_over_plain_http_stay_as_they_were() -> None:
    """Secure is for TLS: over plain HTTP a browser would drop the cookie."""
    app = Flask("shop")
    app.secret_key = "only for this test"  # noqa: S105 -- signs nothing that matters
    TLSRun(app)

    @app.route("/")
    def index() -> str:
        session["seen"] = True
        return str(bool(tls))

    answer = app.test_client().get("/")
    assert "Secure" not in answer.headers["Set-Cookie"]
    assert answer.text == "False"


def test_require_client_cert_refuses_in_words() -> None:
    """Without a client certificate a guarded view answers 403 and says why."""
    app = Flask("shop")
    TLSRun(app)

    @app.route("/")
    @require_client_cert(subject="CN=Jo")
    def index() -> str:
        return "in"

    answer = app.test_client().get("/")
    assert answer.status_code == 403
    assert "needs a client certificate" in answer.text


def test_a_slip_in_a_variable(localhost_cert: Paths, tmp_path: Path) -> None:
    """A variable of the command, or of ours, that is nearly a setting is said at the start; it serves all the same."""
    (tmp_path / "hello.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "hello", "tlsrun", "--port", str(port)]
    env = {
        "TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key), "TLSRUN_TREADS": "2",
        "FLASK_TLSRUN_SEVER": "gunicorn", "FLASK_TLSRUN_QUIET": "",
    }  # fmt: skip
    with Server(command, cwd=tmp_path, env=env) as program:
        program.until_tls(("127.0.0.1", port))
        said = "{} in the environment: no such setting. Did you mean {}?"
        assert said.format("FLASK_TLSRUN_SEVER", "FLASK_TLSRUN_SERVER") in program.log()
        assert said.format("TLSRUN_TREADS", "TLSRUN_THREADS") in program.log()
        assert program.log().count("no such setting") == 2
