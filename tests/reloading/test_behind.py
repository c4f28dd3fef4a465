"""A reload behind a platform's edge, where gunicorn serves plain HTTP on purpose."""

from __future__ import annotations

import http.client
import signal
import sys
import threading
from pathlib import Path

from tests.reloading.site import write
from tests.support.clients import free_port
from tests.support.process import Server
from tests.support.servers import need


def test_new_code_and_no_request_lost(tmp_path: Path) -> None:
    """New code under load, in the same process; broken code leaves the old one serving."""
    need("gunicorn")
    write(tmp_path, "one")
    port, failures, over = free_port(), [], threading.Event()
    env = {"DYNO": "web.1", "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}

    def version() -> str:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("GET", "/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"})
        answer = client.getresponse().read().decode()
        client.close()
        return answer.split()[0]

    def ask() -> None:
        while not over.wait(0.005):
            try:
                version()
            except (OSError, http.client.HTTPException, IndexError) as error:
                failures.append(repr(error))

    command = [sys.executable, "-m", "tlsrun", "run", "site_code:app", "--workers", "2"]
    with Server(command, env=env, cwd=tmp_path) as server:
        server.until_listening(("127.0.0.1", port))
        assert version() == "one"
        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            for number in ("two", "three"):
                write(tmp_path, number)
                server.signal(signal.SIGHUP)
                server.wait_for(lambda: [version() for _ in range(16)] == [number] * 16, what=number)  # noqa: B023
            write(tmp_path, "four", more="raise RuntimeError('this code is broken')\n")
            server.signal(signal.SIGHUP)
            server.until_logged("not reloaded, what runs goes on")
            assert version() == "three"
        finally:
            over.set()
            for client in clients:
                client.join()
        assert failures == []
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
