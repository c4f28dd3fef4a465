"""The machine and the programs that a run was made with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import ssl
import subprocess
from pathlib import Path

from benchmarks.outputs import parse_speed
from benchmarks.programs import run

_PACKAGES = ("tlsrun", "flask", "werkzeug", "bottle", "gunicorn", "pyuwsgi", "uvloop", "granian", "hypercorn")

_PROGRAMS = (("wrk", "-v"), ("h2load", "--version"), ("curl", "--version"))


def describe() -> dict[str, str]:
    """What has a bearing on the figures, by words for a table."""
    return {
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "packages": ", ".join(f"{name} {version}" for name in _PACKAGES if (version := _version(name))),
        "load programs": ", ".join(map(_program, _PROGRAMS)),
    }


def signatures(*, quickly: bool = False) -> dict[str, float]:
    """What one core can do each second, by ``openssl speed``: the least that a handshake costs.

    Arguments:
        quickly: of one algorithm only.
    """
    algorithms = ["ecdhx25519"] if quickly else ["rsa2048", "ecdsap256", "ecdhx25519"]
    return parse_speed(run(["openssl", "speed", "-mr", "-seconds", "1", *algorithms]))


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _program(command: tuple[str, str]) -> str:
    # wrk says its version with exit code 1.
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"(\w+) (\S+)", told)
    return f"{found[1]} {found[2].partition('/')[2] or found[2]}" if found else command[0]
