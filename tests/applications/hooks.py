"""A function for the setting `context_hook`; what it saw, a client reads from the protocol that it gets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any


def adapt(settings: Any, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Offer one protocol only, named by the settings, and by whether the default's hardening is all there."""
    context = default()
    wanted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    flags = wanted.verify_flags & ~ssl.VERIFY_X509_STRICT  # a default since 3.13, and left out on purpose
    kept = context.options & wanted.options == wanted.options and not flags & ~context.verify_flags
    context.set_alpn_protocols([f"{settings.server}-{settings.min_version}-{'hardened' if kept else 'weak'}"])
    return context
