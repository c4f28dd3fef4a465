"""Routes for clients with a certificate only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bottle


def require_client_cert(view: Callable[..., Any] | None = None, **accepted: Any) -> Any:
    """Answer 403 with a reason, unless the client has a certificate that is trusted and accepted.

    Used without arguments (``@require_client_cert``) or with them (``@require_client_cert(subject="CN=Jo,O=Acme")``).

    Arguments:
        accepted: ``subject``, ``issuer``, ``san`` (one or several of each), ``check``; see
            `tlsrun.wsgi.require.Required`.
    """
    from tlsrun.wsgi.require import guard

    return guard(
        view,
        accepted,
        environ=lambda: bottle.request.environ,
        refuse=lambda reason: bottle.abort(403, reason),
    )
