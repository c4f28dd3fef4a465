"""A run's data, small, as ``performance.json`` has it."""

from __future__ import annotations

from typing import Any


def data() -> dict[str, Any]:
    """Two rounds of a few measures."""
    return {
        "machine": {"date": "2026-01-01", "processor": "2 × slow"},
        "rounds": 2,
        "comparisons": {
            "gunicorn": {
                "title": "gunicorn, threads",
                "contenders": ["ours", "bare", "absent"],
                "missing": {"absent": "it is not installed"},
                "series": {
                    "ours": {"new": [320.0, 180.0], "kept-8": [996.0, 1000.0], "memory worker": [30e6], "new-rsa": []},
                    "bare": {"new": [200.0, 100.0], "kept-8": [1000.0, 1000.0], "memory worker": [29e6]},
                },
            },
            "nginx": {
                "title": "Beside nginx",
                "contenders": ["nginx, static", "ours"],
                "missing": {},
                "series": {
                    "nginx, static": {"new": [1000.0, 1000.0], "64m": [2.0 * 2**30], "new cpu": [0.0005]},
                    "ours": {"new": [500.0, 700.0], "64m": [1.0 * 2**30], "new cpu": [0.001]},
                },
            },
        },
        "names": {
            "1": {"memory": [10e6], "start": [0.3], "first": [0.002], "later": [0.001], "new": [100.0]},
            "1000": {"memory": [40e6], "start": [0.9], "first": [0.002], "later": [0.001], "new": [96.0]},
        },
        "clocks": {
            "ours": {
                "new": {},
                "resumed": {
                    "client": [0.0005, 0.0004, 0.0006],
                    "tls": [0.0007],
                    "flask": [0.0002],
                    "gunicorn": [0.0003],
                    "rest": [0.0004],
                },
            }
        },
        "wrapper": {"no TLS": 2e-6, "TLS, client certificate": 16e-6},
        "imports": {"flask_tlsrun": [0.02, 0.03, 0.021], "bottle_tls": [0.02]},
        "signatures": {"RSA 2048 signatures": 2000.0},
    }
