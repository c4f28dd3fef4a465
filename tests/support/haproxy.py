"""HAProxy, as other people run it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import Server

_CONFIG = """\
global
    stats socket {folder}/haproxy.sock
defaults
    mode {mode}
    timeout connect 10s
    timeout client 20s
    timeout server 20s
{sections}
"""


@contextlib.contextmanager
def haproxy(folder: Path, sections: str, *ports: int, mode: str = "tcp") -> Iterator[Server]:
    """Run it until the block ends; every port listens when it begins.

    Arguments:
        sections: the configuration behind the defaults.
    """
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("haproxy is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "haproxy.cfg"
    config.write_text(_CONFIG.format(folder=folder, mode=mode, sections=sections))
    with Server([program, "-db", "-f", config], cwd=folder) as running:
        for port in ports:
            running.until_listening(("127.0.0.1", port))
        yield running
