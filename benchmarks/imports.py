"""What importing costs beyond the framework: each time in a new interpreter."""

from __future__ import annotations

import os
import sys
import tempfile

from benchmarks.programs import run

_PAIRS = {"flask_tlsrun": "flask", "bottle_tls": "bottle"}
_PROGRAM = """
import time, {framework}
began = time.perf_counter()
import {package}
print(time.perf_counter() - began)
"""


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds for each of our packages, its framework being there already.

    First once to compile all modules, as pip does where it installs them, whatever this environment says of that.
    """
    found: dict[str, list[float]] = {package: [] for package in _PAIRS}
    with tempfile.TemporaryDirectory(prefix="tlsrun-bench-") as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(rounds + 1):
            for package, framework in _PAIRS.items():
                program = _PROGRAM.format(framework=framework, package=package)
                told = run([sys.executable, "-c", program], environment=environment)
                if number:
                    found[package].append(float(told))
    return found
