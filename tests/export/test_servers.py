"""Servers by their own commands, with a file as it was exported, for real."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Authority, Paths
from tests.support.clients import Curl, client_context, curl, free_port, https_get
from tests.support.h3 import http_3
from tests.support.process import ROOT, Server, run
from tests.support.servers import need

BIN = Path(sys.executable).parent
APPS = ("inflask", "inbottle")


@pytest.fixture
def words(localhost_cert: Paths, clients_ca: Path) -> list[str | Path]:
    """What each file is to say."""
    return [
        "--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--client-ca", clients_ca,
        "--client-auth", "optional", "--host", "127.0.0.1", "--hsts", "300",
    ]  # fmt: skip


@contextmanager
def gunicorn(project: Path, place: Path, app: str, words: list[str | Path]) -> Iterator[tuple[Server, int]]:
    """gunicorn, with its gunicorn.conf.py, which it checks first."""
    need("gunicorn")
    port = free_port()
    text = fronts.export(project, "gunicorn-conf", f"{app}:app", *words, "--port", str(port))
    (place / "gunicorn.conf.py").write_text(text)
    command = [BIN / "gunicorn", "-c", place / "gunicorn.conf.py"]
    checked = run([*command, "--check-config"], cwd=project)
    assert checked.returncode == 0, checked.stderr
    with Server(command, cwd=project, env={"XDG_RUNTIME_DIR": str(place), "HOME": str(place)}) as server:
        server.until_tls(("127.0.0.1", port))
        yield server, port
        assert not list(place.rglob("*.ctl")), "gunicorn made a control socket"


@contextmanager
def uwsgi(
    project: Path,
    place: Path,
    app: str,
    words: list[str | Path],
    form: str = "edge",
    program: Path = BIN / "uwsgi",
    *,
    socket: str | None = "s",
) -> Iterator[tuple[Server, int]]:
    """uWSGI with its ini file; ``strict`` has it refuse what it does not know.

    Arguments:
        socket: of workers and edge, in ``place``; None where the file says.
    """
    need("uwsgi")
    port = free_port()
    exporting = [
        program.parent / "python", "-m", "tlsrun", "export", "uwsgi-ini", f"{app}:app", "--upstream", form, *words,
        "--port", str(port), "--workers", "2", *([] if socket is None else ["--socket", place / socket]),
    ]  # fmt: skip
    env = {"PYTHONPATH": str(ROOT)}
    done = run(exporting, cwd=project, env=env)
    assert done.returncode == 0, done.stderr
    (place / "site.ini").write_text(done.stdout)
    with Server([program, "--ini", place / "site.ini"], env=env, cwd=project) as server:
        server.until_tls(("127.0.0.1", port))
        yield server, port


@pytest.mark.parametrize("app", APPS)
def test_gunicorn_conf(
    app: str, project: Path, place: Path, words: list[str | Path], ca_file: Path, client_cert: Paths
) -> None:
    """Scheme, host, address and client certificate are right; sessions resume, and no header is believed."""
    with gunicorn(project, place, app, words) as (_, port):
        assert_seen(port, ca_file, client_cert)
        context = client_context(ca_file)
        twelve = ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-SHA"]
        assert curl(f"https://localhost:{port}/", ca_file, *twelve).status == 0
        answer = https_get(f"https://localhost:{port}/", ca_file, context=context)
        assert answer.status == 200


def test_gunicorn_conf_looks_up_authorities(
    project: Path, place: Path, ca_file: Path, client_cert: Paths, clients_crl: Path, sister: Authority,
    tmp_path: Path, words: list[str | Path],
) -> None:  # fmt: skip
    """A client below an authority that the root's list revokes is refused."""
    below = sister.leaf("mallory@example.org", client=True).write(tmp_path)
    with gunicorn(project, place, "inflask", [*words, "--client-crl", clients_crl]) as (_, port):
        url = f"https://localhost:{port}/"
        context = client_context(ca_file, cert=client_cert.fullchain, key=client_cert.key)
        assert https_get(url, ca_file, context=context).status == 200
        context = client_context(ca_file, cert=below.fullchain, key=below.key)
        with pytest.raises(OSError, match="alert"):
            https_get(url, ca_file, context=context)


def test_gunicorn_conf_reload(project: Path, place: Path, ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """SIGHUP reads a renewed certificate."""
    files = ca.leaf().write(tmp_path)
    words: list[str | Path] = ["--cert", files.fullchain, "--key", files.key, "--host", "127.0.0.1"]
    with gunicorn(project, place, "inflask", words) as (server, port):
        renewed = ca.leaf()
        renewed.write(tmp_path)
        server.signal(signal.SIGHUP)
        url = f"https://localhost:{port}/"

        def is_renewed() -> bool:
            try:
                return https_get(url, ca_file).tls.certificate == renewed.der
            except OSError:  # an old worker that goes
                return False

        server.wait_for(is_renewed, what="the renewed certificate")


@pytest.mark.parametrize("app", APPS)
def test_uwsgi_ini_edge(
    app: str, project: Path, place: Path, words: list[str | Path], ca_file: Path, client_cert: Paths
) -> None:
    """A uWSGI without SSL serves HTTPS by the edge as its mule, also when the edge was killed."""
    with uwsgi(project, place, app, words) as (server, port):
        assert_seen(port, ca_file, client_cert)
        if app == "inflask":
            server.signal(signal.SIGHUP)
            server.until_logged("gracefully (RE)spawned uWSGI master")
            server.until_tls(("127.0.0.1", port))
            assert_seen(port, ca_file, client_cert)


@pytest.mark.skipif(os.geteuid() != 0, reason="root makes folders in /run")
def test_uwsgi_ini_makes_its_folder(
    project: Path, place: Path, words: list[str | Path], ca_file: Path, client_cert: Paths
) -> None:
    """The socket of workers and edge is in a folder of /run that nobody need make; it stays over a reload."""
    name = f"tlsrun-test-{os.getpid()}"
    folder = Path("/run", name)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server, port = stack.enter_context(uwsgi(project, place, "inflask", [*words, "--name", name], socket=None))
        assert_seen(port, ca_file, client_cert)
        assert (folder / "app.sock").is_socket()
        server.signal(signal.SIGHUP)
        server.until_logged("gracefully (RE)spawned uWSGI master")
        server.until_tls(("127.0.0.1", port))
        assert_seen(port, ca_file, client_cert)


@pytest.mark.parametrize("app", APPS)
def test_uwsgi_ini_native(
    app: str, project: Path, place: Path, words: list[str | Path], ca_file: Path, client_cert: Paths
) -> None:
    """uWSGI's own TLS serves, where it has SSL."""
    program = os.environ.get("TLSRUN_TEST_UWSGI_SSL")
    if not program:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    with uwsgi(project, place, app, words, "native", Path(program)) as (_, port):
        assert_seen(port, ca_file, client_cert)


@pytest.mark.parametrize("app", APPS)
def test_hypercorn_toml(app: str, project: Path, place: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Hypercorn serves HTTP/2, and asks for client certificates of which it tells nothing."""
    if not (BIN / "hypercorn").exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Run: pip install 'hypercorn[h3]'")
    port = free_port()
    text = fronts.export(
        project, "hypercorn-toml", f"{app}:app", "--cert", localhost_cert.fullchain, "--key", localhost_cert.key,
        "--host", "127.0.0.1", "--port", str(port), "--hsts", "300",
    )  # fmt: skip
    (place / "hypercorn.toml").write_text(text)
    command = fronts.application_side(text).replace("hypercorn.toml", f"{place}/hypercorn.toml")
    with Server(["sh", "-c", command.replace("\n", "\nexec env ", 1)]) as server:
        server.until_tls(("127.0.0.1", port))
        seen = fronts.seen_by(port, ca_file, "--http2")
        assert seen["wsgi.url_scheme"] == "https"
        assert seen["url"] == f"https://localhost:{port}/?a=b"
        assert seen["REMOTE_ADDR"] == fronts.CLIENT
        assert seen["SERVER_PROTOCOL"] == "HTTP/2"


@contextmanager
def hypercorn(project: Path, place: Path, app: str, *words: str | Path) -> Iterator[tuple[Server, int]]:
    """Hypercorn with its hypercorn.toml, started as its comment says."""
    port = free_port()
    text = fronts.export(project, "hypercorn-toml", f"{app}:app", *words, "--host", "127.0.0.1", "--port", str(port))
    (place / "hypercorn.toml").write_text(text)
    command = fronts.application_side(text).replace("hypercorn.toml", f"{place}/hypercorn.toml")
    with Server(["sh", "-c", command.replace("\n", "\nexec env ", 1)]) as server:
        server.until_tls(("127.0.0.1", port))
        yield server, port


@pytest.mark.parametrize("app", APPS)
def test_hypercorn_toml_with_http_3(
    app: str, project: Path, place: Path, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """HTTP/3 where it is asked for, announced over TCP; what `tlsrun run` mends of Hypercorn is mended: answers without
    a body, cookies in parts, bodies without a length and beyond 16 MiB, names with underscores."""
    certificate = ["--cert", localhost_cert.fullchain, "--key", localhost_cert.key]
    large = tmp_path / "large"
    large.write_bytes(b"x" * ((16 << 20) + 1))
    with hypercorn(project, place, app, *certificate, "--http", "3,2,1.1", "--threads", "2") as (server, port):
        url = f"https://localhost:{port}"
        for version in ("--http1.1", "--http2"):

            def ask(path: str, *words: str, version: str = version) -> Curl:
                return curl(f"{url}{path}", ca_file, version, *words)  # noqa: B023 -- called in this turn

            assert ask("/", "--head").status == 200, server.log()
            assert [ask(f"/empty/{status}").status for status in (200, 204, 304)] == [200, 204, 304], server.log()
            words = ["-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: text/plain"]
            answer = ask("/", *words, "-H", "X_Forwarded_For: 6.6.6.6", "--data-binary", f"@{large}")
            seen = json.loads(answer.body)
            assert (seen["length"], seen["wsgi.url_scheme"]) == (str((16 << 20) + 1), "https")
            assert "6.6.6.6" not in seen.values()
        assert f'h3=":{port}"' in curl(f"{url}/", ca_file, "-D", "-").body
        asyncio.run(over_http_3(port, ca_file))
        assert "Traceback" not in server.log()


async def over_http_3(port: int, ca: Path) -> None:
    """The same again; HTTP/3 sends a cookie in parts (RFC 9114, section 4.2.1)."""
    async with http_3(("127.0.0.1", port), ca) as client:
        assert (await client.ask("/", method="HEAD")).status == 200
        assert [(await client.ask(f"/empty/{status}")).status for status in (200, 204, 304)] == [200, 204, 304]
        answer = await client.ask("/?a=b", host=f"localhost:{port}", fields=[("cookie", "a=1"), ("cookie", "b=2")])
        seen = json.loads(answer.body)
        assert (seen["SERVER_PROTOCOL"], seen["HTTP_COOKIE"]) == ("HTTP/3", "a=1; b=2")
        assert seen["url"] == f"https://localhost:{port}/?a=b"


def assert_seen(port: int, ca: Path, cert: Paths) -> None:
    """The application sees the client as it is, whatever it says of itself."""
    lies = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: http", "-H", "Client-Cert: :bGllcw==:"]
    seen = fronts.seen_by(port, ca, "--cert", cert.fullchain, "--key", cert.key, *lies)
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["url"] == f"https://localhost:{port}/?a=b"
    assert seen["REMOTE_ADDR"] == fronts.CLIENT
    assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["SSL_CLIENT_S_DN"] == "CN=alice@example.org"
    assert "6.6.6.6" not in seen.values()


def test_hypercorn_toml_behind_a_proxy(project: Path, words: list[str | Path]) -> None:
    """Hypercorn's own command would tell the proxy's clients of HTTP/3 at a port of ours."""
    more = ["--http", "3,2,1.1", "--trusted-proxies", "10.0.0.1"]
    said = fronts.export(project, "hypercorn-toml", "inflask:app", *words[:4], *more, ok=False)
    assert "Alt-Svc" in said
    fronts.export(project, "hypercorn-toml", "inflask:app", *words[:4], *more[:2])
    fronts.export(project, "hypercorn-toml", "inflask:app", *words[:4], *more[2:])
