"""A project with a Flask and a Bottle application that say what they see, and short paths for sockets."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.export.matrix import Files
from tests.support.certs import NOW, Authority, Paths

_SEEN = """
import os
import threading

met = threading.Barrier(3)

def seen(environ, url, body):
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    return {"url": url, "length": str(len(body)), "process": f"pid={os.getpid()}", **told}

def together():
    try:
        met.wait(1)
    except threading.BrokenBarrierError:
        met.reset()
        return f"no {os.getpid()}"
    return f"yes {os.getpid()}"
"""

_FLASK = """\
from flask import Flask, request

app = Flask(__name__)
{seen}

@app.route("/", methods=["GET", "POST"])
def index():
    return seen(request.environ, request.url, request.data)

@app.route("/empty/<int:status>")
def empty(status):
    return "", status

@app.route("/together")
def meet():
    return together()
"""

_BOTTLE = """\
from bottle import Bottle, request, response

app = Bottle()
{seen}

@app.route("/", method=["GET", "POST"])
def index():
    return seen(request.environ, request.url, request.body.read())

@app.route("/empty/<status:int>")
def empty(status):
    response.status = status
    return ""
"""

_WSGI = """\
import json
import os
import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache")])
        return events(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/upload":
        length = sum(map(len, iter(lambda: environ["wsgi.input"].read(65536), b"")))
        body = str(length)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body.encode()]
    body = json.dumps({"path": environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"], "query": environ["QUERY_STRING"]})
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body.encode()]


def events(seen):
    yield b"data: 1\\n\\n"
    deadline = time.monotonic() + 20
    while not os.path.exists(seen) and time.monotonic() < deadline:
        time.sleep(0.01)
    yield b"data: 2\\n\\n"
"""


@pytest.fixture(scope="session")
def project() -> Iterator[Path]:
    """A folder with both applications; its path is short, since those of sockets may have 107 bytes only."""
    folder = Path(tempfile.mkdtemp(prefix="export-"))
    folder.chmod(0o755)
    (folder / "inflask.py").write_text(_FLASK.format(seen=_SEEN))
    (folder / "inwsgi.py").write_text(_WSGI)
    (folder / "inbottle.py").write_text(_BOTTLE.format(seen=_SEEN))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is the working folder."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)


@pytest.fixture
def place(project: Path) -> Iterator[Path]:
    """A folder of the test's own, for a front's files and the socket."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=project))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def client_cert(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A client's certificate, as files."""
    return ca.leaf("alice@example.org", client=True).write(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def sister(ca: Authority) -> Authority:
    """An authority below the same root, which the root's list revokes."""
    return ca.sister("revoked authority")


@pytest.fixture(scope="session")
def clients_crl(ca: Authority, sister: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of every authority."""
    path = tmp_path_factory.mktemp("clients-crl") / "clients-crl.pem"
    path.write_bytes(ca.crl() + sister.crl() + ca.crl(sister.line[-1][0].serial_number, level=0))
    return path


@pytest.fixture(scope="session")
def clients_ca(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose certificates clients show: root and intermediate."""
    path = tmp_path_factory.mktemp("clients-ca") / "clients-ca.pem"
    path.write_bytes(ca.root_pem + b"".join(ca.intermediate_pems))
    return path


@pytest.fixture(scope="module")
def files(ca: Authority, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once; where a server of another account can read them."""
    folder = tmp_path_factory.mktemp("matrix")
    clients = ca.leaf("alice@example.org", client=True), ca.leaf("bob@example.org", client=True)
    names = ["localhost", "example.org", "127.0.0.1"]
    shop = ca.leaf(["shop.example"]).write(folder / "sites" / "shop.example")
    (folder / "clients-ca.pem").write_bytes(ca.root_pem + b"".join(ca.intermediate_pems))
    (folder / "password").write_text("secret\n")
    challenge = folder / "webroot" / ".well-known" / "acme-challenge"
    challenge.mkdir(parents=True)
    (challenge / "token").write_text("proof")
    lists = [_list(ca, number, revoked=clients[1].certificate if number else None) for number in (0, 1)]
    (folder / "lists.pem").write_bytes(b"".join(lists))
    (project / "hooks.py").write_text("def adapt(settings, make):\n    return make()\n")
    return Files(
        folder=folder, own=ca.leaf(names).write(folder / "own"), shop=shop, renewed=ca.leaf(names),
        alice=clients[0].write(folder / "alice"), bob=clients[1].write(folder / "bob"),
        clients=folder / "clients-ca.pem", lists=folder / "lists.pem",
    )  # fmt: skip


def _list(ca: Authority, number: int, *, revoked: x509.Certificate | None) -> bytes:
    """The revocation list of an authority: the root is 0."""
    issuer, key = ca.line[number]
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(NOW)
    made = made.next_update(NOW + datetime.timedelta(days=30))
    if revoked is not None:
        entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(NOW).build()
        made = made.add_revoked_certificate(entry)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
