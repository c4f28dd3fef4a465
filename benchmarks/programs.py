"""Starting servers and load programs: in sessions of their own, ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Seconds that a server may take to answer first, and to end.
_START, _END = 30.0, 10.0
_LOOK = 0.004
_GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class DidNotStart(RuntimeError):
    """A server gave no answer; the message has its last words."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers.

    Arguments:
        pid: of the program, which leads its session.
        port: where it listens, on 127.0.0.1.
        started_in: seconds from its start to its first answer.
    """

    pid: int
    port: int
    started_in: float

    def url(self, path: str = "/") -> str:
        """The address of a page."""
        return f"https://127.0.0.1:{self.port}{path}"


def run(command: Sequence[str], *, seconds: float = 60, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints that ends by itself.

    Arguments:
        environment: in place of this process's.

    Raises:
        OSError: it cannot be started.
        subprocess.SubprocessError: it failed, or took longer than ``seconds``.
    """
    done = subprocess.run(  # noqa: S603 -- the programs of this package
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=True,
    )
    return done.stdout


@dataclass(kw_only=True)
class Telling:
    """A program that tells what it does while it runs.

    Arguments:
        pid: of the program, which leads its session.
        output: the descriptor of what it prints.
        text: what was read of that so far.
        ended: whether it prints no more.
    """

    pid: int
    output: int
    text: str = ""
    ended: bool = False

    def listen(self, seconds: float) -> bool:
        """Read what it has printed, after up to ``seconds`` for there to be something; returns whether there was."""
        before = len(self.text)
        while not self.ended and select.select([self.output], [], [], seconds)[0]:
            part = os.read(self.output, 1 << 16)
            self.text += part.decode("utf-8", "replace")
            self.ended = not part
            seconds = 0
        return len(self.text) > before


@contextlib.contextmanager
def telling(command: Sequence[str]) -> Iterator[Telling]:
    """Start a program, and end it with the block.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 -- the programs of this package
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None  # noqa: S101 -- it is a pipe
    with process.stdout as output:
        try:
            yield Telling(pid=process.pid, output=output.fileno())
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def client_context() -> ssl.SSLContext:
    """A client that believes everybody: what is measured is no question of trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def serving(command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """Start a server, wait until it answers, and end it with the block.

    Arguments:
        command: how it is started.
        port: where it will answer.
        folder: where its output is kept while it runs.
        environment: added to this process's.

    Raises:
        DidNotStart: it ended, or gave no answer in time.
    """
    log_path = folder / f"server-{port}.log"
    began = time.perf_counter()
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 -- the servers of this package
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        if not _answers_in_time(process, port):
            words = log_path.read_text(errors="replace")[-2000:]
            raise DidNotStart(f"{' '.join(command)}\n{words}")
        yield Running(pid=process.pid, port=port, started_in=time.perf_counter() - began)
    finally:
        _end(process)
        log_path.unlink()


def _answers_in_time(process: subprocess.Popen[bytes], port: int) -> bool:
    pause, context = threading.Event(), client_context()
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(context, port):
            return True
        pause.wait(_LOOK)
    return False


def _answers(context: ssl.SSLContext, port: int) -> bool:
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain) as tls,
        ):
            tls.sendall(_GET)
            return tls.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.0 200")
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END)
    # What it has left behind, and itself.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
