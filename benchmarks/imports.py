"""What importing costs beyond the framework: each time in a new interpreter."""

from __future__ import annotations

import sys

from benchmarks.programs import run

_PAIRS = {"flask_tlsrun": "flask", "bottle_tls": "bottle"}
_PROGRAM = """
import time, {framework}
began = time.perf_counter()
import {package}
print(time.perf_counter() - began)
"""


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds for each of our packages, its framework being there already; first once to warm the disk's cache."""
    found: dict[str, list[float]] = {package: [] for package in _PAIRS}
    for number in range(rounds + 1):
        for package, framework in _PAIRS.items():
            told = run([sys.executable, "-c", _PROGRAM.format(framework=framework, package=package)])
            if number:
                found[package].append(float(told))
    return found
