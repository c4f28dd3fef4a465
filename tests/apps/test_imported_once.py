"""What an application starts when it is imported: told where it does not live on, and the remedies of the how-to."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import free_port, https_get
from tests.support.process import ROOT, Server, eventually, run
from tests.support.servers import ALL_SERVERS, need

FORKING = ("gunicorn", "uwsgi", "granian", "hypercorn")
EXAMPLE = ROOT / "examples" / "flask_background"

SCHEDULER = """\
import threading

threading.Thread(target=threading.Event().wait, name="my-scheduler", daemon=True).start()

def app(environ, start_response):
    running = [thread.name for thread in threading.enumerate()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive" if "my-scheduler" in running else b"dead"]
"""

AT_FORK = """\
import os, threading

started = []

def start():
    thread = threading.Thread(target=lambda: started.append(os.getpid()), name="my-scheduler", daemon=True)
    thread.start()

os.register_at_fork(after_in_child=start)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive" if os.getpid() in started else b"dead"]
"""

METRICS = """\
from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

requests = Counter("asked", "Requests that were answered")

def app(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [generate_latest(registry)]
    requests.inc()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"counted"]
"""


def _serving(folder: Path, server: str, cert: Paths, *flags: str, target: str = "hello:app", **env: str) -> Server:
    need(server)
    command = [
        sys.executable, "-m", "tlsrun", "run", target, "--server", server, "--cert", str(cert.fullchain),
        "--key", str(cert.key), *flags,
    ]  # fmt: skip
    return Server(command, cwd=folder, env=env)


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_a_thread_of_the_import(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """It runs where requests are answered, or the start says by its name that it will not."""
    (tmp_path / "hello.py").write_text(SCHEDULER)
    port = free_port()
    with _serving(tmp_path, server, localhost_cert, "--port", str(port)) as running:
        running.until_tls(("127.0.0.1", port))
        alive = https_get(f"https://localhost:{port}/", ca_file).text == "alive"
        assert alive == (server == "builtin")
        said = re.search(
            r"threads that run already will not run in (\w+)'s workers: my-scheduler\. Start", running.log()
        )
        assert bool(said) == (not alive), running.log()


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_the_example(server: str, localhost_cert: Paths, ca_file: Path) -> None:
    """Each process has a thread of its own, which goes on; and the start has nothing to complain of."""
    port = free_port()
    flags = ("--port", str(port), *(() if server == "builtin" else ("--workers", "2")))
    with _serving(EXAMPLE, server, localhost_cert, *flags) as running:
        running.until_tls(("127.0.0.1", port))
        seen: dict[str, set[int]] = {}

        def goes_on() -> bool:
            pid, fetched = re.findall(r"\d+", https_get(f"https://localhost:{port}/", ca_file).text)[:2]
            seen.setdefault(pid, set()).add(int(fetched))
            enough = 1 if server == "builtin" else 2
            return len(seen) >= enough and all(len(numbers) > 2 for numbers in seen.values())

        eventually(goes_on, what="threads that go on in every process")
        assert "threads that run" not in running.log()


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["gunicorn", "granian", "hypercorn"])
def test_a_hook_of_the_fork(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """``os.register_at_fork`` is heeded in the workers of every server that forks by Python."""
    (tmp_path / "hello.py").write_text(AT_FORK)
    port = free_port()
    with _serving(tmp_path, server, localhost_cert, "--port", str(port)) as running:
        running.until_tls(("127.0.0.1", port))
        assert https_get(f"https://localhost:{port}/", ca_file).text == "alive"


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", FORKING)
def test_metrics_of_all_workers(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """prometheus_client adds them up, also where the counters were made before the fork."""
    pytest.importorskip("prometheus_client")
    (tmp_path / "hello.py").write_text(METRICS)
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    port = free_port()
    flags = ("--port", str(port), "--workers", "2")
    with _serving(tmp_path, server, localhost_cert, *flags, PROMETHEUS_MULTIPROC_DIR=str(numbers)) as running:
        running.until_tls(("127.0.0.1", port))
        for _ in range(20):
            assert https_get(f"https://localhost:{port}/", ca_file).text == "counted"
        for _ in range(4):
            assert "\nasked_total 20.0\n" in https_get(f"https://localhost:{port}/metrics", ca_file).text


@pytest.mark.parametrize("value", ["false", "no"])
def test_an_import_in_each_worker_is_refused(value: str, localhost_cert: Paths, tmp_path: Path) -> None:
    """gunicorn's ``preload_app`` cannot be taken back, and is not passed over in silence."""
    (tmp_path / "hello.py").write_text(SCHEDULER)
    with _serving(tmp_path, "gunicorn", localhost_cert, "--server-options", f"preload_app={value}") as refused:
        assert refused.wait(20) == 2
        assert "gunicorn's preload_app: " in refused.log()
        assert "the application is imported once, before the workers are forked" in refused.log()
        assert "Traceback" not in refused.log()


def test_a_preloaded_application_is_what_it_is(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """``preload_app=true`` asks for what is done anyway."""
    (tmp_path / "hello.py").write_text(SCHEDULER)
    port = free_port()
    flags = ("--port", str(port), "--server-options", "preload_app=true")
    with _serving(tmp_path, "gunicorn", localhost_cert, *flags) as running:
        running.until_tls(("127.0.0.1", port))
        assert https_get(f"https://localhost:{port}/", ca_file).status == 200


PATCHED = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": "import warnings\nwarnings.simplefilter('ignore')\nimport eventlet\neventlet.monkey_patch()\n",
}
_HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.url_scheme"].encode()]
"""


@pytest.fixture
def patched(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with an application that patches Python when it is imported, as its library's manual asks."""
    if importlib.util.find_spec(request.param) is None:  # importing it would change this process
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "hello.py").write_text(PATCHED[request.param] + _HELLO)
    return tmp_path


def _is_refused(done: subprocess.CompletedProcess[str], library: str) -> bool:
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, done
    assert "Traceback" not in done.stderr
    return done.returncode == 2 and lines[0].startswith(f"Error: {library}: ") and "[TLS516]" in lines[0]


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ALL_SERVERS)
@pytest.mark.parametrize("patched", ["gevent"], indirect=True)
def test_a_patched_application(patched: Path, server: str, localhost_cert: Paths) -> None:
    """No server serves it, and one line says what to do."""
    need(server)
    flags = ["--server", server, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key]
    done = run([sys.executable, "-m", "tlsrun", "run", "hello:app", *flags], cwd=patched)
    assert _is_refused(done, "gevent"), done


@pytest.mark.parametrize("patched", ["eventlet"], indirect=True)
def test_another_library(patched: Path) -> None:
    """eventlet does the same."""
    assert _is_refused(run([sys.executable, "-m", "tlsrun", "run", "hello:app"], cwd=patched), "eventlet")


def test_patched_before_anything(tmp_path: Path) -> None:
    """``python -m gevent.monkey`` patches before the command begins."""
    pytest.importorskip("gevent")
    (tmp_path / "hello.py").write_text(_HELLO)
    command = Path(sys.executable).with_name("tlsrun")
    done = run([sys.executable, "-m", "gevent.monkey", command, "run", "hello:app"], cwd=tmp_path)
    assert _is_refused(done, "gevent"), done


@pytest.mark.parametrize("script", ["flask", "bottle"])
def test_scripts_that_patch(script: str, tmp_path: Path) -> None:
    """``app.run()`` and ``bottle.run()`` of such a script say the same."""
    pytest.importorskip("gevent")
    rest = {
        "flask": "from flask import Flask\nfrom flask_tlsrun import TLSRun\n"
        "app = Flask(__name__)\nTLSRun(app)\napp.run(port=0)\n",
        "bottle": "import bottle, bottle_tls\nbottle.run(server='tls', port=0)\n",
    }[script]
    (tmp_path / "main.py").write_text(PATCHED["gevent"] + rest)
    assert _is_refused(run([sys.executable, "main.py"], cwd=tmp_path), "gevent")


@pytest.mark.parametrize("target", ["gunicorn-conf", "systemd"])
@pytest.mark.parametrize("patched", ["gevent"], indirect=True)
def test_exports_of_a_patched_application(patched: Path, target: str, localhost_cert: Paths) -> None:
    """A file for a server that would not serve it is not written."""
    flags = ["--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key)]
    done = run([sys.executable, "-m", "tlsrun", "export", target, "hello:app", *flags], cwd=patched)
    assert _is_refused(done, "gevent"), done
    assert done.stdout == ""


@pytest.mark.parametrize("patched", ["gevent"], indirect=True)
def test_served_by_gevent_behind_a_front(patched: Path) -> None:
    """What the line proposes works: gunicorn's worker of that name, and the word of a trusted proxy."""
    need("gunicorn")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-b", f"127.0.0.1:{port}",
               "--no-control-socket", "tlsrun.entry:application"]  # fmt: skip
    env = {"TLSRUN_APP": "hello:app", "TLSRUN_TRUSTED_PROXIES": "127.0.0.1"}
    with Server(command, cwd=patched, env=env) as running:
        running.until_listening(("127.0.0.1", port))
        for scheme in ("https", "http"):
            told = run(["curl", "-qsS", "-H", f"X-Forwarded-Proto: {scheme}", f"http://127.0.0.1:{port}/"])
            assert told.stdout == scheme or "https" in told.stdout, told
        running.signal(signal.SIGTERM)
        assert running.wait(20) == 0
