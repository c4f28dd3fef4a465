"""Where the facts of a request come from: the nearest source that can be trusted.

1. The TLS connection itself, which our servers, gunicorn and Werkzeug put into environ as an object. Neither a client
   nor the process environment can put an object there.
2. Variables of a server that is known to set them and not to let clients set them: uWSGI (from its own TLS, from ours
   in front of it, or from a web server over the uwsgi protocol) and mod_wsgi (from mod_ssl). Request headers only
   become ``HTTP_…``.

Nothing else is trusted. Under other servers such a variable may come from the process environment, which some merge
into environ (Granian, wsgiref): ``SSL_CERT_FILE`` is a setting of OpenSSL, not a fact.
"""

from __future__ import annotations

import logging
import re
import ssl
from typing import Any, TypeAlias

from tlsrun.wsgi.facts import ConnectionFacts, connection_facts, facts_from_certificate

_log = logging.getLogger("tlsrun.wsgi")

Environ: TypeAlias = dict[str, Any]

#: Names that look like facts; uWSGI's own begin with ``HTTPS_``. One search over all names, since a loop over them in
#: Python takes several times as long.
_LIKE_A_FACT = re.compile(r"\n((?:SSL_|HTTPS)[^\n]*)")

_TRUE = ("on", "1")


def facts_of(environ: Environ) -> ConnectionFacts:
    """The facts of a request; empty if its connection was not TLS, or no trusted source tells."""
    return survey(environ)[0]


def survey(environ: Environ) -> tuple[ConnectionFacts, list[str]]:
    """Separate facts from what only looks like one.

    Returns:
        the facts, and the names of variables that look like facts and are not.
    """
    names = "\n".join(environ)
    alike: list[str] = _LIKE_A_FACT.findall(f"\n{names}") if "SSL_" in names or "HTTPS" in names else []
    get = environ.get
    connection = get("tlsrun.socket") or get("gunicorn.socket") or get("werkzeug.socket")
    if connection is not None:
        facts = connection_facts(connection)
    elif ("uwsgi.version" in environ or "mod_wsgi.version" in environ) and _sets_variables(environ):
        return _variables(environ, alike)
    else:
        facts = ConnectionFacts()
    return facts, [name for name in alike if name not in facts] if alike else alike


def _sets_variables(environ: Environ) -> bool:
    """Whether the server is uWSGI or mod_wsgi; an environment variable of that name would be a string."""
    return type(environ.get("uwsgi.version")) is bytes or type(environ.get("mod_wsgi.version")) is tuple


def _variables(environ: Environ, alike: list[str]) -> tuple[ConnectionFacts, list[str]]:
    """The facts in the server's variables. Empty ones do not count: nginx passes them for plain connections."""
    facts = ConnectionFacts({name: environ[name] for name in alike if name[0] == "S" and environ.get(name)})
    if not ("SSL_PROTOCOL" in facts or str(environ.get("HTTPS", "")).lower() in _TRUE):
        return ConnectionFacts(), alike
    facts["HTTPS"] = "on"
    if "SSL_CLIENT_VERIFY" not in facts:
        facts.update(_uwsgi_client(environ))
    return facts, [name for name in alike if name not in facts and name[0] == "S"]


def _uwsgi_client(environ: Environ) -> dict[str, str]:
    """The client certificate verified by uWSGI's own TLS: PEM (``--https-export-cert``), or DER as ISO 8859-1."""
    try:
        if environ.get("HTTPS_CC"):
            return facts_from_certificate(ssl.PEM_cert_to_DER_cert(environ["HTTPS_CC"].strip()))
        if environ.get("HTTPS_CLIENT_CERTIFICATE"):
            return facts_from_certificate(environ["HTTPS_CLIENT_CERTIFICATE"].encode("latin-1"))
    except ValueError as error:
        _log.warning("uWSGI's variable with the client certificate cannot be read: %s", error)
    return {"SSL_CLIENT_VERIFY": "NONE"}
