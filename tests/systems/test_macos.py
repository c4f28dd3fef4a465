"""What looks like macOS: all servers serve there without epoll(7) and /proc, though multiprocessing would spawn."""

from __future__ import annotations

import errno
import signal
import socket
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, free_port, https_get, tls_connect
from tests.support.servers import ALL_SERVERS, need
from tests.support.systems import Shell


@pytest.mark.parametrize("server", ALL_SERVERS)
def test_application_by_name(macos: Shell, localhost_cert: Paths, ca_file: Path, server: str) -> None:
    """It serves a kept connection and an upload, loads new code on SIGHUP, says its status, and ends."""
    need(server)
    address = ("127.0.0.1", free_port())
    flags = ["--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key), "--port", str(address[1])]
    flags += ["--server", server] + (["--workers", "2"] if server != "builtin" else [])
    with macos.start("-m", "tlsrun", "run", "hello:app", *flags) as program:
        program.until_tls(address)
        _serves(address, ca_file)
        assert f"127.0.0.1:{address[1]}  {server}, process" in macos.run("-m", "tlsrun", "status").stdout
        if server == "granian":  # one of several at a port would get all connections there
            assert _listening_at(address[1]) == 1
        source = macos.folder / "hello.py"
        source.write_text(source.read_text("utf-8").replace("hello {", "goodbye {"), encoding="utf-8")
        program.signal(signal.SIGHUP)
        program.wait_for(lambda: _text(address, ca_file) == "goodbye https", what="the new code")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert "Traceback" not in program.log()


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_live_object(macos: Shell, ca_file: Path, localhost_cert: Paths, server: str) -> None:
    """`app.run()` hands the object itself to workers that are forked, whatever multiprocessing would do."""
    need(server)
    address = ("127.0.0.1", free_port())
    settings = {"CERT": str(localhost_cert.fullchain), "KEY": str(localhost_cert.key), "SERVER": server}
    env = {"PORT": str(address[1]), **{f"TLSRUN_{name}": value for name, value in settings.items()}}
    with macos.start("hello.py", **env) as program:
        program.until_tls(address)
        _serves(address, ca_file)
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert "Traceback" not in program.log()


def test_taken_port(macos: Shell) -> None:
    """The message names the command that is there; at AirPlay's port, the next one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = macos.run("-m", "tlsrun", "run", "hello:app", "--port", str(port))
    assert done.returncode == 2
    assert f"Stop it (`lsof -nP -iTCP:{port} -sTCP:LISTEN` shows which it is)" in done.stderr
    said = macos.run("-c", _AT_5000)
    assert "AirPlay" in said.stdout
    assert "--port 5001" in said.stdout
    assert "lsof -nP -iTCP:5000" in said.stdout


_AT_5000 = f"""
from tlsrun.endpoint import Endpoint
from tlsrun.deciding.places import port_problems
from tlsrun.settings.layers import resolve

print(*port_problems(resolve([]), "port", Endpoint(host="127.0.0.1", port=5000), {errno.EADDRINUSE}))
"""


def _serves(address: Address, ca_file: Path) -> None:
    with tls_connect(address, ca_file) as client:
        for _ in range(2):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            data = b""
            while not data.endswith(b"hello https"):
                more = client.recv(4096)
                assert more, data
                data += more
    posted = https_get("https://localhost/size", ca_file, address=address, method="POST", body=b"x" * 300_000)
    assert posted.text == "300000"


def _text(address: Address, ca_file: Path) -> str:
    """What is answered; "" in the moment in which nobody does."""
    try:
        return https_get("https://localhost/", ca_file, address=address).text
    except OSError:
        return ""


def _listening_at(port: int) -> int:
    """How many sockets (proc_pid_net(5); the state 0A is LISTEN)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(fields[1].endswith(f":{port:04X}") and fields[3] == "0A" for fields in lines)
