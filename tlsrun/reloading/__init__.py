"""A reload: the program is tried in a separate process, then executed again in place; sockets and clients stay.

::

    SIGHUP ─► trial ─┬─ fails ─► the log says why; the old program goes on
                     └─ passes ─► exec(2), same process ─► new workers serve ─► the old ones are told to stop

Code, settings and certificates are then those of a fresh start. (Certificates alone are renewed without a reload.)
"""

from __future__ import annotations

import atexit

from tlsrun import handover


def begin() -> None:
    """Called at the first import of tlsrun in a program that was executed by a reload."""
    handover.receive()
    if handover.received().old:
        atexit.register(_end)


def _end() -> None:
    from tlsrun.reloading.fallback import fall_back_to_old_workers

    fall_back_to_old_workers()
