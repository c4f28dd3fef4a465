"""The servers under test, and what to do where one is not installed."""

from __future__ import annotations

import importlib.util
import os

import pytest

#: Servers whose TLS is Python's, under our context: each, and the module without which it cannot run.
SERVERS = {"builtin": "tlsrun", "gunicorn": "gunicorn", "uwsgi": "pyuwsgi", "hypercorn": "hypercorn"}
#: All of them. Granian's TLS is its own, and can less.
ALL_SERVERS = {**SERVERS, "granian": "granian"}


def need(server: str) -> None:
    """Skip when the server is not installed, with the command that installs it; in CI that is a failure."""
    if importlib.util.find_spec(ALL_SERVERS[server]) is None:
        complaint = f'{server} is not installed. Run: pip install "tlsrun[{server}]"'
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
