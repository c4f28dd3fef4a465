"""Granian's own parameters, read, checked and followed by Granian: its log, its files, the name of its process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from granian.server.mp import MPServer


class Checked(MPServer):  # type: ignore[misc]  # Granian's classes have no types
    """Granian's server of processes, of which we want what it does before it serves.

    That it does in its constructor and in ``serve``, which then calls ``startup``. There ours begins: its own loop
    starts workers by the name of an application, and ends one before the one in its place serves.

    Arguments:
        parameters: Granian's own.

    Raises:
        granian.errors.FatalError: it refuses them, which its log explains.
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__("the application", **parameters)
        self._run: Callable[[], int] = lambda: 0
        self._code = 0

    def serve_by(self, run: Callable[[], int]) -> int:
        """What ``run`` returns, which is called when all parameters have been seen to."""
        self._run = run
        self.serve()
        return self._code

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """All of our serving; nothing is left for Granian's own loop, which comes next."""
        self._code = self._run()
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def shutdown(self, exit_code: int = 0) -> None:
        """Nothing of Granian's has been started."""
