"""What servers need whose workers are forked from the process that has the application."""

from __future__ import annotations

import logging
import threading

from tlsrun.errors import ConfigurationError, Problem


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
        raise ConfigurationError([Problem(where=name, what=what, remedy="Start it there")])
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        log = logging.getLogger(f"tlsrun.{name}")
        log.warning("threads that run already will not run in %s's workers: %s", title, ", ".join(others))
