"""nginx, which can be told to do wrong all that a TLS server can."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.process import Server

_CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {servers}
}}
"""


def tls_server(port: int, cert: Path, key: Path, *more: str) -> str:
    """A server block.

    Arguments:
        more: directives, in place of ``return 200``.
    """
    lines = more if any("return" in line for line in more) else (*more, "return 200 'ok';")
    directives = "\n        ".join(lines)
    return f"""server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {cert}; ssl_certificate_key {key};
        {directives}
    }}"""


def plain_server(port: int, *more: str) -> str:
    """A server block without TLS."""
    return f"server {{ listen 127.0.0.1:{port}; {' '.join(more)} }}"


@contextlib.contextmanager
def nginx(folder: Path, servers: Sequence[str], *ports: int) -> Iterator[Server]:
    """Run it until the block ends; every port listens when it begins."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is not installed")
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers="\n    ".join(servers)))
    with Server([program, "-p", folder, "-c", config]) as running:
        for port in ports:
            running.until_listening(("127.0.0.1", port))
        yield running
