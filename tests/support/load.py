"""Clients that ask all the time, while a test does something to their server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.process import eventually


class Load:
    """Each client in a thread of its own; each answer that is missing is a failure.

    Arguments:
        clients: what each of them does again and again, with a short pause; it counts the answers that it has.

    Attributes:
        answers: how many there were.
        failures: when and why there was none.
        over: set when the clients shall end.
    """

    def __init__(self, *clients: Callable[[Load], None]) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(client,)) for client in clients]

    def _run(self, client: Callable[[Load], None]) -> None:
        while not self.over.wait(0.005):
            try:
                client(self)
            except Exception as error:
                self.failures.append(f"{time.monotonic()} {type(error).__name__}: {error}")

    def until_more(self, count: int = 50) -> None:
        """Wait for so many further answers, or a failure."""
        before = self.answers
        eventually(lambda: self.answers >= before + count or self.failures, what="answers")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()


def counted(ask: Callable[[], Any]) -> Callable[[Load], None]:
    """A client whose ``ask`` is one answer."""

    def client(load: Load) -> None:
        ask()
        load.answers += 1

    return client
