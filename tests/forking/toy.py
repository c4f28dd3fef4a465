"""A server whose workers only wait, and do what their tests want: see `Toy`. To be run as a program."""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from tlsrun.forking.server import ForkingServer
from tlsrun.forking.supervisor import Supervisor
from tlsrun.forking.worker import HELD, LEAVE, READY, WorkerProcess


class Toy(ForkingServer):
    """Looks into a folder, where tests make files:

    - ``mute``: workers that start now never say that they serve;
    - ``outdated``: names workers that are to be replaced;
    - ``stays``: workers do not leave when they are told to;
    - ``ask``: a worker reads a line from its input;
    - ``busy``: one starts a thread, which takes a moment.
    """

    name = "toy"
    log = logging.getLogger("toy")
    workers = 2
    slots = sys.maxsize
    grace = 20.0
    patience = 0.2

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, slot: int, link: socket.socket) -> None:
        """Until told to leave or to end."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        for number in HELD:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        if not (self._folder / "mute").exists():
            link.send(READY)
        if (self._folder / "ask").exists():
            self.log.info("a worker reads: %s", sys.stdin.readline().strip())
        if (self._folder / "busy").exists():
            threading.Thread(target=self._work).start()
        while True:
            ready, _, _ = select.select([reading, link.fileno()], [], [])
            if reading not in ready and link.recv(1) == LEAVE and (self._folder / "stays").exists():
                continue
            return

    def _work(self) -> None:
        threading.Event().wait(1)
        (self._folder / f"done-{os.getpid()}").touch()

    def sockets(self) -> Iterable[socket.socket]:
        """None."""
        return ()

    def read_certificates(self) -> None:
        """There are none."""

    def leave(self) -> None:
        """Nothing to leave."""

    def serving(self) -> None:
        """Say so."""
        self.log.info("serving")

    def is_outdated(self, worker: WorkerProcess) -> bool:
        """Whether the file names it."""
        file = self._folder / "outdated"
        return file.exists() and str(worker.pid) in file.read_text().split()


def main(folder: Path) -> int:
    """Serve; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return Supervisor(Toy(folder)).serve()


if __name__ == "__main__":
    if "daemon" in sys.argv:  # as test suites start a server
        process = multiprocessing.get_context("fork").Process(target=main, args=(Path(sys.argv[1]),), daemon=True)
        process.start()
        sys.stdout.write(f"daemon: {process.pid}\n")
        sys.stdout.flush()
        process.join()
    else:
        sys.exit(main(Path(sys.argv[1])))
