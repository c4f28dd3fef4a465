"""Names of hosts in Unicode: served as clients ask for them, or refused before the start."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import curl, free_port, https_get
from tests.support.process import ROOT, Server, run

APP = "tests.applications.request:app"
NAME, ASCII = "bücher.example", "xn--bcher-kva.example"


@pytest.mark.parametrize("server", ["builtin", "gunicorn"])
def test_served(server: str, ca: Authority, ca_file: Path, localhost_cert: Paths, tmp_path: Path) -> None:
    """Its own certificate where nothing else is served, and the redirect, by the name that clients send."""
    own = ca.leaf(names=[ASCII]).write(tmp_path)
    port, plain = free_port(), free_port()
    env = {
        "TLSRUN_CERT": str(localhost_cert.fullchain), "TLSRUN_KEY": str(localhost_cert.key),
        "TLSRUN_SNI": json.dumps({NAME: {"cert": str(own.fullchain), "key": str(own.key)}}), "TLSRUN_SNI_STRICT": "yes",
        "TLSRUN_HOSTS": NAME, "TLSRUN_REDIRECT_PORT": str(plain), "TLSRUN_PORT": str(port), "TLSRUN_SERVER": server,
    }  # fmt: skip
    with Server([sys.executable, "-m", "tlsrun", "run", APP], env=env, cwd=ROOT) as program:
        program.until_tls(("127.0.0.1", port))
        answer = https_get(f"https://{ASCII}:{port}/", ca_file, address=("127.0.0.1", port))
        assert answer.tls.certificate == own.pair.der
        assert json.loads(answer.body)["HTTP_HOST"] == f"{ASCII}:{port}"
        resolve = f"{ASCII}:{plain}:127.0.0.1"
        moved = curl(f"http://{ASCII}:{plain}/a", ca_file, "--resolve", resolve, "-D", "-", "-o", "/dev/null")
        assert f"https://{ASCII}:{port}/a" in moved.body


def test_refused() -> None:
    """A name that IDNA of 2003 and of 2008 read as two, in one line, before anything starts."""
    done = run([sys.executable, "-m", "tlsrun", "run", APP, "--hosts", "straße.example"], cwd=ROOT)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--hosts" in line
    assert "straße.example cannot be written in ASCII by itself (ß makes two names of it); write it so: xn--…" in line
