"""HTTPS for Flask and Bottle: one TLS configuration, any server."""

import os

from tlsrun import started as started  # before anything else is imported: see there

__version__ = "0.1.0"

if "_TLSRUN_HANDOVER" in os.environ:
    from tlsrun.reloading import begin

    begin()

if "_TLSRUN_ADDED" in os.environ:
    from tlsrun.reloading.program import start_clean

    start_clean()
