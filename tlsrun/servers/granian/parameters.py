"""Granian's own parameters, validated and applied by Granian itself: logging, static files, process name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from granian.server.mp import MPServer


class Checked(MPServer):  # type: ignore[misc]  # Granian's classes have no types
    """Granian's multi-process server, used only for what it does before it serves.

    It does that in its constructor and in ``serve``, which then calls ``startup``, where our supervisor takes over.
    Granian's own loop is of no use here: its workers import the application by name, and it ends an old worker before
    the new one serves.

    Arguments:
        parameters: Granian's own.

    Raises:
        granian.errors.FatalError: Granian refuses them; its log says why.
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__("the application", **parameters)
        self._run: Callable[[], int] = lambda: 0
        self._code = 0

    def serve_by(self, run: Callable[[], int]) -> int:
        """Call ``run`` once the parameters have been applied, and return what it returns."""
        self._run = run
        self.serve()
        return self._code

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Serve until the end, then have Granian's own loop, which runs next, end at once."""
        self._code = self._run()
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def shutdown(self, exit_code: int = 0) -> None:
        """Do nothing: Granian itself has started no worker."""
