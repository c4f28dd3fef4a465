"""Views for clients with a certificate only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, current_app, request

from tlsrun.wsgi.require import guard


def require_client_cert(view: Callable[..., Any] | None = None, **accepted: Any) -> Any:
    """Answer 403 with a reason, unless the client has a certificate that is trusted and accepted.

    Used without arguments (``@require_client_cert``) or with them (``@require_client_cert(subject="CN=Jo,O=Acme")``).

    Arguments:
        accepted: ``subject``, ``issuer``, ``san`` (one or several of each), ``check``; see
            `tlsrun.wsgi.require.Required`.
    """
    return guard(
        view,
        accepted,
        environ=lambda: request.environ,
        refuse=lambda reason: abort(403, reason),
        call=lambda function, *args, **kwargs: current_app.ensure_sync(function)(*args, **kwargs),
    )
