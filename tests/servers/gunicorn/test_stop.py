"""tlsrun.servers.gunicorn: told to stop while a worker starts."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.support.clients import free_port
from tests.support.process import Server
from tests.support.servers import need

SCRIPT = """
import sys, threading
from bottle import run
import bottle_tls

def starting(arbiter, worker):
    print("a worker starts", flush=True)
    threading.Event().wait(1)

if __name__ == "__main__":
    run(server="tls-gunicorn", port=int(sys.argv[1]), server_options={"post_fork": starting})
"""


def test_stop_while_a_worker_starts(tmp_path: Path) -> None:
    """SIGTERM that reaches a worker before it has handlers of its own ends it, and the master does not wait."""
    need("gunicorn")
    script = tmp_path / "hello.py"
    script.write_text(SCRIPT)
    with Server([sys.executable, script, str(free_port())], cwd=tmp_path) as program:
        program.until_logged("a worker starts")
        program.signal(signal.SIGTERM)
        assert program.wait(20) == 0
        assert "SIGKILL" not in program.log()
