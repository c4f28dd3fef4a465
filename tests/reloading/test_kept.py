"""A kept connection over a reload: who was answered without a word about it may ask once more."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from tests.reloading.site import FLAGS, Site, serving
from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.process import eventually

#: Answers in two parts; between them it waits for a file.
CODE = """
import os, threading

FOLDER = os.path.dirname(__file__)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/parts":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return parts()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"{version}"]

def parts():
    yield b"begun"
    while not os.path.exists(os.path.join(FOLDER, "go")):
        threading.Event().wait(0.02)
    yield b"ended"
"""
REQUEST = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"


def deploy(folder: Path, version: str) -> None:
    """Write the code that answers so."""
    (folder / "kept_code.py").write_text(CODE.format(version=version))


def until(client: ssl.SSLSocket, end: bytes) -> bytes:
    """What comes, up to and with ``end``."""
    found = b""
    while end not in found:
        part = client.recv(65536)
        assert part, f"the connection ended after {found!r}"
        found += part
    return found


def shakes_hands(site: Site) -> bool:
    """Whether who comes now is served at once."""
    with contextlib.suppress(OSError), tls_connect(site.address, site.ca, timeout=0.5):
        return True
    return False


#: gunicorn's sync worker keeps no connection.
KEEP = [server for server in FLAGS if server != "gunicorn-sync"]


@pytest.mark.parametrize("server", KEEP)
def test_who_was_not_told_may_ask_once_more(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Its answer began before the reload, and ends when others are served by the new program, or wait for it. From then
    on each further request is answered, up to the answer that says that it is the last one."""
    deploy(tmp_path, "one")
    command = ["-m", "tlsrun", "run", "kept_code:app"]
    with (
        serving(server, localhost_cert, ca_file, tmp_path, command=command) as site,
        tls_connect(site.address, site.ca) as client,
    ):
        client.sendall(REQUEST % b"/parts")
        head, _, _ = until(client, b"begun").partition(b"\r\n\r\n")
        assert b"close" not in head.lower()
        deploy(tmp_path, "two")
        site.hang_up()
        if server in ("builtin", "uwsgi"):
            eventually(lambda: not shakes_hands(site), what="nobody accepts any more")
        else:
            eventually(lambda: "two" in site.ask().text, what="the new program")
        (tmp_path / "go").touch()
        until(client, b"ended\r\n0\r\n\r\n")
        answer = b""
        while b"connection: close" not in answer:
            client.sendall(REQUEST % b"/")
            answer = until(client, b"one").lower()
            assert answer.startswith(b"http/1.1 200")
        eventually(lambda: "two" in site.ask().text, what="the new program")
