"""tlsrun.wsgi.application: alone, around Flask and Bottle, and under servers started by their own commands."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bottle
import pytest
from flask import Flask, request, url_for

from tests.support.certs import Paths
from tests.support.clients import Address, client_context, free_port, https_get
from tests.support.process import Server, run
from tests.wsgi.conftest import Handshake
from tlsrun.proxies.peers import read_peers
from tlsrun.wsgi import ConnectionFacts, application, establish
from tlsrun.wsgi.application import _harmless as known_names
from tlsrun.wsgi.facts import Untold
from tlsrun.wsgi.front import Front

Environ = dict[str, Any]


def echo(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    """A plain WSGI application."""
    start_response("200 OK", [])
    return [b"hello"]


def environ_of(**more: Any) -> Environ:
    """An environ as a server hands it over."""
    return {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "localhost", "SERVER_PORT": "443",
        "HTTP_HOST": "example.test", "wsgi.url_scheme": "http", **more,
    }  # fmt: skip


def test_facts_and_scheme(connect: Handshake) -> None:
    """Over TLS, the facts stand in environ and the scheme is https, whatever the server believed."""
    seen: Environ = {}

    def app(environ: Environ, start_response: object) -> list[bytes]:
        seen.update(environ)
        return []

    forged = {"SSL_CLIENT_S_DN": "CN=root", "HTTPS_DN": "/CN=root"}
    environ = environ_of(**{"gunicorn.socket": connect(), "wsgi.url_scheme": "gopher"}, **forged)
    application(app)(environ, lambda *_: None)
    assert seen["wsgi.url_scheme"] == "https"
    assert (seen["HTTPS"], seen["SSL_PROTOCOL"], seen["SSL_CLIENT_VERIFY"]) == ("on", "TLSv1.3", "NONE")
    assert not set(forged) & set(seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_tls_the_scheme_is_left_alone(scheme: str) -> None:
    """A proxy in front may have said https; what looks like a fact still goes."""
    environ = environ_of(**{"wsgi.url_scheme": scheme, "HTTPS": "on", "SSL_CERT_FILE": "/x", "HTTP_NO_SSL_X": "kept"})
    assert establish(environ) == {}
    assert environ["wsgi.url_scheme"] == scheme
    assert not [name for name in environ if name.startswith(("SSL_", "HTTPS"))]
    assert environ["HTTP_NO_SSL_X"] == "kept"


def test_established_once(connect: Handshake) -> None:
    """An inner middleware leaves what an outer one found, also what stands between them may have changed."""
    environ = environ_of(**{"gunicorn.socket": connect()})
    facts = establish(environ)
    environ["wsgi.url_scheme"] = "http"  # as ProxyFix may, when its owner says so
    assert establish(environ) is facts
    assert environ["wsgi.url_scheme"] == "http"


def test_a_string_cannot_pass_for_established_facts() -> None:
    """Only the type that the middleware writes is believed."""
    environ = environ_of(**{"tlsrun.facts": "HTTPS", "HTTPS": "on"})
    assert establish(environ) == {}
    assert type(environ["tlsrun.facts"]) is ConnectionFacts


@pytest.mark.parametrize("name", ["SSL_CLIENT_S_DN", "HTTPS", "HTTPS_CC", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP"])
def test_names_that_were_harmless_before_make_no_other_one_so(name: str) -> None:
    """A request whose other names are all known is looked at like the first."""
    wrapped, seen = application(lambda environ, _: [b"", seen.append(dict(environ))][:1]), list[Environ]()
    for _ in range(3):
        wrapped(environ_of(HTTP_ACCEPT="*/*"), None)
        wrapped(environ_of(HTTP_ACCEPT="*/*", **{name: "forged"}), None)
    assert [name in environ for environ in seen] == [False] * 6
    assert all(environ["wsgi.url_scheme"] == "http" for environ in seen)


def test_invented_names_cost_no_memory() -> None:
    """However many somebody invents, and however long: what is remembered of them is bounded."""
    wrapped = application(echo)
    for number in range(3000):
        wrapped(environ_of(**{f"HTTP_X_{number}": "x", f"HTTP_X_{'LONG' * 50}_{number}": "x"}), lambda *_: None)
    assert len(known_names) <= 1200
    assert max(map(len, known_names)) <= 100


def test_wrapping_twice_is_wrapping_once() -> None:
    """`application` of an application is itself."""
    once = application(echo)
    assert application(once) is once
    assert once.__wrapped__ is echo


def test_the_wrapped_application_shows_through() -> None:
    """Attributes are read from, set on and deleted from the application inside."""
    app = Flask("inside")
    wrapped = application(app)
    wrapped.config["X"] = 1
    wrapped.secret_key = "s"  # noqa: S105
    wrapped.extra = 2
    assert (app.config["X"], app.secret_key, app.extra) == (1, "s", 2)  # type: ignore[attr-defined]
    del wrapped.extra
    assert not hasattr(app, "extra")
    assert not hasattr(wrapped, "no_such_thing")
    assert "inside" in repr(wrapped)
    assert copy.copy(application(echo)).__wrapped__ is echo


def test_routes_can_be_added_through_it() -> None:
    """``@application.route(…)`` works, as hosting services' examples write it."""
    wrapped = application(Flask("inside"))

    @wrapped.route("/x")  # type: ignore[untyped-decorator]
    def x() -> str:
        return "x"

    assert wrapped.test_client().get("/x").text == "x"


def test_flask_sees_https(connect: Handshake) -> None:
    """request.scheme and url_for(_external=True) say https."""
    app = Flask("inside")

    @app.route("/")
    def index() -> list[Any]:
        return [request.scheme, request.is_secure, url_for("index", _external=True)]

    app.wsgi_app = application(app.wsgi_app)  # type: ignore[method-assign]
    over_tls = {"werkzeug.socket": connect()}
    answer = app.test_client().get("/", environ_overrides=over_tls, headers={"X-Forwarded-Proto": "http"})
    assert answer.json == ["https", True, "https://localhost/"]
    assert app.test_client().get("/").json == ["http", False, "http://localhost/"]


def test_bottle_sees_https(connect: Handshake) -> None:
    """request.url says what the connection is, though Bottle believes any client's X-Forwarded-Proto."""
    app, seen = bottle.Bottle(), []
    app.route("/", callback=lambda: seen.append(bottle.request.url) or "")
    for forwarded in ("http", "gopher", "https"):
        environ = environ_of(**{"gunicorn.socket": connect(), "HTTP_X_FORWARDED_PROTO": forwarded})
        list(application(app)(environ, lambda *_: None))
    list(application(app)(environ_of(HTTP_X_FORWARDED_PROTO="https"), lambda *_: None))
    assert seen == [*["https://example.test/"] * 3, "http://example.test/"]


APP = """
import json
from flask import Flask, request, url_for
import bottle
from tlsrun.wsgi import TLSInfo, application as with_facts

NAMES = ("SSL_", "HTTPS", "wsgi.url_scheme")

def facts(environ):
    return {name: value for name, value in environ.items() if name.startswith(NAMES)}

app = Flask(__name__)

@app.route("/")
def index():
    tls = TLSInfo(request.environ)
    return {"url": url_for("index", _external=True), "facts": facts(request.environ), "tls": repr(tls)}

application = with_facts(app)

web = bottle.Bottle()

@web.route("/")
def index_of_bottle():
    tls = TLSInfo(bottle.request.environ)
    return {"url": bottle.request.url, "facts": facts(bottle.request.environ), "tls": repr(tls)}

bottle_application = with_facts(web)

if __name__ == "__main__":
    import ssl, sys
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[4])
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    context.verify_mode = ssl.CERT_OPTIONAL
    app.wsgi_app = with_facts(app.wsgi_app)
    app.run(port=int(sys.argv[1]), ssl_context=context)
"""

UWSGI_SSL = os.environ.get("TLSRUN_TEST_UWSGI_SSL", "")


def gunicorn(port: int, cert: Paths, ca: Path, entry: str) -> list[Any]:
    """``gunicorn --certfile … hello:application``."""
    return [
        sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--certfile", cert.fullchain,
        "--keyfile", cert.key, "--ca-certs", ca, "--cert-reqs", "1", "--threads", "2", f"hello:{entry}",
    ]  # fmt: skip


def werkzeug(port: int, cert: Paths, ca: Path, entry: str) -> list[Any]:
    """``app.run(ssl_context=…)``."""
    return [sys.executable, "hello.py", str(port), cert.fullchain, cert.key, ca]


def uwsgi(port: int, cert: Paths, ca: Path, entry: str) -> list[Any]:
    """``uwsgi --https address,cert,key,HIGH,ca --module hello:application``."""
    if not UWSGI_SSL:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    return [
        UWSGI_SSL, "--https", f"127.0.0.1:{port},{cert.fullchain},{cert.key},HIGH,{ca}", "--https-export-cert",
        "--module", f"hello:{entry}", "--pythonpath", ".", "--need-app", "--die-on-term", "--master",
    ]  # fmt: skip


COMMANDS = [
    (gunicorn, "application"), (gunicorn, "bottle_application"), (werkzeug, "app"),
    (uwsgi, "application"), (uwsgi, "bottle_application"),
]  # fmt: skip


@pytest.fixture(params=COMMANDS, ids=lambda param: f"{param[0].__name__}-{param[1]}", scope="module")
def server(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Address]:
    """A server that was started by its own command."""
    command, entry = request.param
    if command is gunicorn and importlib.util.find_spec("gunicorn") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("gunicorn is not installed")
    folder, address = tmp_path_factory.mktemp("app"), ("127.0.0.1", free_port())
    (folder / "hello.py").write_text(APP)
    with Server(command(address[1], localhost_cert, ca_file, entry), cwd=folder) as program:
        program.until_tls(address)
        yield address


def ask(address: Address, ca_file: Path, client: Paths | None = None, **headers: str) -> Any:
    """What the application saw of a request."""
    context = client_context(ca_file, cert=client.fullchain if client else None, key=client.key if client else None)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = https_get(f"https://localhost:{address[1]}/", ca_file, address=address, context=context, headers=named)
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def test_external_server(server: Address, ca_file: Path) -> None:
    """Under its own command too a server shows https, whatever a client's header says, and no client."""
    seen = ask(server, ca_file, X_Forwarded_Proto="http", X_Forwarded_SSL="off", SSL_CLIENT_VERIFY="SUCCESS")
    assert seen["url"] == f"https://localhost:{server[1]}/"
    assert seen["facts"]["wsgi.url_scheme"] == "https"
    assert seen["facts"]["HTTPS"] == "on"
    assert seen["facts"]["SSL_CLIENT_VERIFY"] == "NONE"
    assert seen["tls"].startswith("<TLSInfo: ")


def test_external_server_with_client_certificate(server: Address, ca_file: Path, client_cert: Paths) -> None:
    """A client certificate that the server verified is described alike under all of them."""
    seen = ask(server, ca_file, client_cert)
    certificate = client_cert.pair.certificate
    assert seen["facts"]["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["facts"]["SSL_CLIENT_S_DN"] == "CN=jo.test"
    assert seen["facts"]["SSL_CLIENT_I_DN"] == "CN=tlsrun test root intermediate 1"
    assert int(seen["facts"]["SSL_CLIENT_M_SERIAL"], 16) == certificate.serial_number
    assert seen["facts"]["SSL_CLIENT_SAN_Email_0"] == "jo@jo.test"
    assert seen["facts"]["SSL_CLIENT_CERT"].encode() == client_cert.pair.cert_pem


def test_a_process_environment_is_no_fact(tmp_path: Path) -> None:
    """wsgiref merges the whole process environment into environ; nothing of it is a fact, and OpenSSL's settings go."""
    (tmp_path / "hello.py").write_text(APP)
    program = (
        "import hello, io, json, sys\n"
        "from wsgiref.handlers import SimpleHandler\n"
        "environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/', 'SERVER_NAME': 'x', 'SERVER_PORT': '80',"
        " 'SERVER_PROTOCOL': 'HTTP/1.0'}\n"
        "handler = SimpleHandler(io.BytesIO(), sys.stdout.buffer, sys.stderr, environ)\n"
        "handler.http_version = '1.0'\n"
        "handler.run(hello.application)\n"
    )
    forged = {"SSL_CERT_FILE": "/x", "SSL_PROTOCOL": "TLSv1.3", "SSL_CLIENT_VERIFY": "SUCCESS", "HTTPS_DN": "/CN=root"}
    done = run([sys.executable, "-c", program], cwd=tmp_path, env={**forged, "uwsgi.version": "2.0.30"})
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.partition("\n\n")[2])
    assert seen == {"facts": {"wsgi.url_scheme": "http"}, "tls": "<TLSInfo: not TLS>", "url": "http://x/"}


def test_upon_a_base_that_is_the_same_for_every_request() -> None:
    """Facts and scheme are there before the first request; what clients claim is removed from each, as ever."""
    seen: list[dict[str, Any]] = []
    base: dict[str, Any] = {"wsgi.url_scheme": "https", "tlsrun.socket": Untold(ConnectionFacts(HTTPS="on"))}
    inner = application(lambda environ, start_response: seen.append(environ) or [b"x"])
    serve = inner.upon(base)
    claims = {"REMOTE_ADDR": "::ffff:10.1.2.3", "HTTP_X_FORWARDED_FOR": "1.1.1.1", "HTTP_HOST": "localhost"}
    assert list(serve({**base, **claims}, lambda *_: None)) == [b"x"]
    assert (seen[0]["HTTPS"], seen[0]["wsgi.url_scheme"], seen[0]["REMOTE_ADDR"]) == ("on", "https", "10.1.2.3")
    assert "HTTP_X_FORWARDED_FOR" not in seen[0]
    assert establish(seen[0]) == {"HTTPS": "on"}


def test_upon_a_base_behind_a_trusted_proxy() -> None:
    """What it says differs from request to request."""
    seen: list[dict[str, Any]] = []
    base: dict[str, Any] = {"wsgi.url_scheme": "https", "tlsrun.socket": Untold(ConnectionFacts(HTTPS="on"))}
    front = Front(peers=read_peers(["10.0.0.1"], "trusted_proxies"))
    serve = application(lambda environ, start_response: seen.append(environ) or [b"x"], front).upon(base)
    for client in ("1.1.1.1", "2.2.2.2"):
        environ = {**base, "REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": client, "HTTP_HOST": "localhost"}
        environ["HTTP_X_FORWARDED_PROTO"] = "https"
        assert list(serve(environ, lambda *_: None)) == [b"x"]
    assert [environ["REMOTE_ADDR"] for environ in seen] == ["1.1.1.1", "2.2.2.2"]
