"""What a server is told to do: a plan, for tests that need no settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tlsrun.certificates.identity import IdentitySources, Source
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.tls.policy import Policy


def make_plan(
    server: str, cert: str | Path, key: str | Path, *, host: str = "127.0.0.1", port: int = 8443, **more: Any
) -> Plan:
    """A WSGI application under ``server``, with a certificate and its key in files.

    Arguments:
        more: further fields of the plan, or others in place of these.
    """
    sources = IdentitySources(cert=Source(given_by="cert", path=Path(cert)), key=Source(given_by="key", path=Path(key)))
    fields = {
        "framework": "wsgi",
        "endpoint": Endpoint(host=host, port=port),
        "default": sources,
        "policy": Policy(),
    }
    return Plan(server=server, **{**fields, **more})
