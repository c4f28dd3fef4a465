"""HTTPS for Flask and Bottle: one TLS configuration, any server."""

import contextlib
import os

__version__ = "0.1.0"

#: The working folder at the first import, before an application leaves it; None when it was removed.
STARTED_IN: str | None = None
with contextlib.suppress(OSError):
    STARTED_IN = os.getcwd()
