"""The servers that are compared: how each is started, ours and the bare one with the same workers and threads."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.certificates import Files

WORKERS, THREADS = "2", "4"
#: Names of applications, as servers import them.
FLASK, BOTTLE = "benchmarks.apps.flask_app:app", "benchmarks.apps.bottle_app:app"
#: Seconds that idle connections are kept, where the default is too short to count them.
_KEPT = "75"

_Command = Callable[[Files, int, str], list[str]]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One server.

    Arguments:
        title: what a person types, in short.
        command: makes the command line of (certificate files, port, application).
        missing: why it cannot run here; None when it can.
        keeps_alive: whether it keeps connections.
        http2: whether it speaks HTTP/2.
        environment: added for it.
    """

    title: str
    command: _Command
    missing: str | None = None
    keeps_alive: bool = True
    http2: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _without(module: str, extra: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return f'{module} is not installed (pip install "tlsrun[{extra}]")'
    return None


def _files(files: Files) -> list[str]:
    return ["--cert", str(files.certificate), "--key", str(files.key)]


def ours(server: str, *more: str, module: str = "tlsrun", title: str | None = None, http2: bool = False) -> Contender:
    """``tlsrun run --server …``, with the workers and threads of all; the built-in server has one process."""
    processes = [] if server == "builtin" else ["--workers", WORKERS, "--threads", THREADS]

    def command(files: Files, port: int, application: str) -> list[str]:
        words = [_script("tlsrun"), "run", application, "--server", server, "--port", str(port)]
        return [*words, *_files(files), *processes, *more]

    missing = _without(module, server)
    if missing is None and importlib.util.find_spec(f"tlsrun.servers.{server}") is None:
        missing = f"this version of tlsrun has no --server {server}"
    return Contender(
        title=title or f"tlsrun run --server {server}",
        command=command,
        missing=missing,
        http2=http2,
    )


def _flask(*words: str) -> _Command:
    def command(files: Files, port: int, application: str) -> list[str]:
        return [_script("flask"), "--app", application, *words, "--port", str(port), *_files(files)]

    return command


def _wsgiref(files: Files, port: int, application: str) -> list[str]:
    words = [sys.executable, "-m", application.partition(":")[0], str(port)]
    return [*words, str(files.certificate), str(files.key)]


def _gunicorn(*more: str) -> _Command:
    def command(files: Files, port: int, application: str) -> list[str]:
        words = [_script("gunicorn"), "--bind", f"127.0.0.1:{port}", "--workers", WORKERS, "--keep-alive", _KEPT]
        return [*words, "--certfile", str(files.certificate), "--keyfile", str(files.key), *more, application]

    return command


def _uwsgi(*more: str) -> _Command:
    def command(files: Files, port: int, application: str) -> list[str]:
        words = [uwsgi_with_ssl() or "uwsgi", "--master", "--processes", WORKERS, "--threads", THREADS]
        words += ["--https", f"127.0.0.1:{port},{files.certificate},{files.key}"]
        return [*words, *more, "--need-app", "--die-on-term", "--module", application]

    return command


def uwsgi_with_ssl() -> str | None:
    """The uWSGI that was built with TLS: ``TLSRUN_TEST_UWSGI_SSL``, as the tests have it, or one that stands beside."""
    given = os.environ.get("TLSRUN_TEST_UWSGI_SSL")
    beside = Path(sys.prefix) / "uwsgi-with-ssl" / "bin" / "uwsgi"
    return given or (str(beside) if beside.exists() else None)


def _granian(files: Files, port: int, application: str) -> list[str]:
    words = [_script("granian"), "--interface", "wsgi", "--port", str(port), "--workers", WORKERS]
    words += ["--blocking-threads", THREADS, "--ssl-protocol-min", "tls1.2"]
    return [*words, "--ssl-certificate", str(files.certificate), "--ssl-keyfile", str(files.key), application]


def _hypercorn(files: Files, port: int, application: str) -> list[str]:
    words = [_script("hypercorn"), "--bind", f"127.0.0.1:{port}", "--workers", WORKERS]
    return [*words, "--certfile", str(files.certificate), "--keyfile", str(files.key), f"wsgi:{application}"]


_NGINX = """
daemon off; master_process on; worker_processes 2; pid {folder}/nginx-{port}.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; ssl_session_cache shared:S:4m;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
        location = / {{ return 200 "Hello"; }}
        location / {{ root {folder}; }}
    }}
}}
"""


def _nginx(files: Files, port: int, application: str) -> list[str]:
    folder = files.certificate.parent
    path = folder / f"nginx-{port}.conf"
    path.write_text(
        _NGINX.format(folder=folder, port=port, certificate=files.certificate, key=files.key), encoding="ascii"
    )
    for name, size in (("64k", 1 << 16), ("64m", 1 << 26)):
        with (folder / name).open("wb") as page:
            page.truncate(size)
    return [nginx_program() or "nginx", "-e", "stderr", "-c", str(path), "-p", str(folder)]


def nginx_program() -> str | None:
    """Where nginx is; Debian puts it where not everybody's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


_SSL = (
    None
    if uwsgi_with_ssl()
    else "no uWSGI built with SSL: set TLSRUN_TEST_UWSGI_SSL (pip install --no-binary=pyuwsgi pyuwsgi)"
)

OUR_FLASK = Contender(title="flask tlsrun", command=_flask("tlsrun"), missing=_without("flask", "flask"))
FLASK_RUN = Contender(
    title="flask run --cert", command=_flask("run"), missing=_without("flask", "flask"), keeps_alive=False
)
OUR_BUILTIN = ours("builtin")
WSGIREF = Contender(
    title="Bottle's wsgiref, wrapped socket",
    command=_wsgiref,
    missing=_without("bottle", "bottle"),
    keeps_alive=False,
)
OUR_GTHREAD = ours("gunicorn", "--server-options", f"keepalive={_KEPT}", module="gunicorn")
GTHREAD = Contender(
    title="gunicorn --threads --certfile",
    command=_gunicorn("--threads", THREADS),
    missing=_without("gunicorn", "gunicorn"),
)
OUR_SYNC = Contender(
    title="tlsrun run --server gunicorn, sync",
    command=lambda files, port, application: [
        *[_script("tlsrun"), "run", application, "--server", "gunicorn", "--port", str(port), *_files(files)],
        *["--workers", WORKERS, "--server-options", "worker_class=sync"],
    ],
    missing=_without("gunicorn", "gunicorn"),
    keeps_alive=False,
)
SYNC = Contender(
    title="gunicorn --certfile",
    command=_gunicorn(),
    missing=_without("gunicorn", "gunicorn"),
    keeps_alive=False,
)
OUR_UWSGI = ours("uwsgi", module="pyuwsgi")
UWSGI_KEPT = Contender(title="uwsgi --https --http-keepalive", command=_uwsgi("--http-keepalive"), missing=_SSL)
UWSGI = Contender(title="uwsgi --https", command=_uwsgi(), missing=_SSL, keeps_alive=False)
OUR_GRANIAN = ours("granian", module="granian", http2=True)
GRANIAN = Contender(
    title="granian --ssl-certificate", command=_granian, missing=_without("granian", "granian"), http2=True
)
OUR_HYPERCORN = ours("hypercorn", module="hypercorn", http2=True)
HYPERCORN = Contender(
    title="hypercorn --certfile", command=_hypercorn, missing=_without("hypercorn", "hypercorn"), http2=True
)
NGINX = Contender(
    title="nginx, static",
    command=_nginx,
    missing=None if nginx_program() else "nginx is not installed (apt-get install nginx-light)",
)
