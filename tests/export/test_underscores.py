"""Names with underscores: no exported file passes them on, before a server that takes them for the front's headers."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import free_port, https_get
from tlsrun.settings.proxies import PRESETS

NAMES = {"X_Forwarded_For": "6.6.6.6", "X-Forwarded_Proto": "http", "Ssl_Client_Cert": "x", "X_Other": "x"}
_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def heard(path: Path) -> Iterator[list[bytes]]:
    """The heads of the requests that come to a Unix socket, as they are."""
    heads: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(128)

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, contextlib.suppress(OSError):
                    data = b""
                    while b"\r\n\r\n" not in data and (part := client.recv(65536)):
                        data += part
                    heads.append(data)
                    client.sendall(_ANSWER)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield heads
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize(
    "target", [name for name, one in PRESETS.items() if one.drops_underscores and name in dir(fronts)]
)
def test_an_exported_file_drops_them(target: str, project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Whatever stands before the underscore, and behind it."""
    place = Path(tempfile.mkdtemp(prefix="u-", dir=project))
    place.chmod(0o755)
    port, path = free_port(), place / "s"
    try:
        text = fronts.export(
            project, target, "inflask:app", "--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--host",
            "127.0.0.1", "--port", str(port), "--socket", path, "--upstream", "http", "--certificates", place,
            "--server", "granian",
        )  # fmt: skip
        vouched = "TLSRUN_PROXY_DROPS_UNDERSCORES=yes" in text
        assert vouched is (PRESETS[target].drops_underscores == "exported")
        with heard(path) as heads, getattr(fronts, target)(place, text, ("127.0.0.1", port)):
            answer = https_get(f"https://localhost:{port}/page", ca_file, address=("127.0.0.1", port), headers=NAMES)
            assert answer.status == 204
            asked = next(head for head in heads if b" /page " in head)
            names = [line.partition(b":")[0] for line in asked.split(b"\r\n")[1:]]
            assert not [name for name in names if b"_" in name]
    finally:
        shutil.rmtree(place)
