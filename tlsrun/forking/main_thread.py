"""Preconditions of a server that forks its workers from the process that has loaded the application."""

from __future__ import annotations

import logging
import threading

from tlsrun.errors import ConfigurationError
from tlsrun.process import other_threads


def need_the_main_thread(name: str, title: str) -> None:
    """Check that this is the main thread, and log a warning that names other threads: they do not survive a fork.

    Arguments:
        name: the server's name, as in settings.
        title: the server's name in text.

    Raises:
        ConfigurationError: this is not the main thread, the only one in which Python handles signals.
    """
    if threading.current_thread() is not threading.main_thread():
        what = "it runs in the main thread only, and this is another"
        raise ConfigurationError.of(where=name, what=what, remedy="Start it there")
    if others := other_threads():
        logging.getLogger(f"tlsrun.{name}").warning(
            "threads that run already will not run in %s's workers: %s. Start them with the first request of "
            "each worker, or in a process of their own",
            title,
            ", ".join(others),
        )
