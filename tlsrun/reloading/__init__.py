"""A reload: the program is tried in a process of its own, then executed anew in place; sockets and clients stay.

::

    SIGHUP ─► a trial ─┬─ fails ─► the log says why; what runs goes on
                       └─ passes ─► exec(2), same process ─► new workers serve ─► the old ones are told to end

Code, settings and certificates are then those of a fresh start. (Certificates alone are renewed without it.)
"""

from __future__ import annotations

import atexit

from tlsrun import handover


def begin() -> None:
    """At the first import of tlsrun in a program to which something was handed over."""
    handover.receive()
    if handover.received().old:
        atexit.register(_end)


def _end() -> None:
    from tlsrun.reloading.caretaker import take_care

    take_care()
