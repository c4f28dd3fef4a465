"""What servers need whose workers are forked from the process that has the application."""

from __future__ import annotations

import logging
import threading

from tlsrun.errors import ConfigurationError
from tlsrun.process import other_threads


def need_the_main_thread(name: str, title: str) -> None:
    """To be called before a fork; threads that run already are named in the log, for they are not in a fork.

    Arguments:
        name: of the server.
        title: what it is called.

    Raises:
        ConfigurationError: this is not the main thread, to which signals come.
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
