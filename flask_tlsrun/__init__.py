"""HTTPS for Flask: the extension `TLSRun`, and the command `flask tlsrun`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask_tlsrun.client import require_client_cert
    from flask_tlsrun.extension import TLSRun, tls

__all__ = ["TLSRun", "require_client_cert", "tls"]


def __getattr__(name: str) -> Any:
    """Import the extension late: every `flask` command imports this package for its entry points."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "flask_tlsrun.client" if name == "require_client_cert" else "flask_tlsrun.extension"
    return getattr(importlib.import_module(module), name)
