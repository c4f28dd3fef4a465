"""Where the facts of a request come from: the nearest source that can be trusted, and no other.

1. The TLS connection itself, which our servers, gunicorn and Werkzeug put into environ as an object. No client and no
   process environment can put an object there.
2. Variables of a server that is known to set them and to let no client set them: uWSGI (its own TLS, ours in front of
   it, or the web server that speaks the uwsgi protocol to it) and mod_wsgi (mod_ssl's). A request header only ever
   becomes ``HTTP_…``.

Everything else is no source. Under another server a variable named so may be of the process environment, which some
servers merge into environ (Granian, wsgiref): ``SSL_CERT_FILE`` is a setting of OpenSSL, not a fact.
"""

from __future__ import annotations

import logging
import re
import ssl
from typing import Any, TypeAlias

from tlsrun.wsgi.facts import ConnectionFacts, connection_facts, facts_from_certificate

_log = logging.getLogger("tlsrun.wsgi")

Environ: TypeAlias = dict[str, Any]

#: What begins like a fact; uWSGI's own begin with ``HTTPS_``. All names are searched at once, because a loop over them
#: in Python takes several times as long.
_LIKE_A_FACT = re.compile(r"\n((?:SSL_|HTTPS)[^\n]*)")

_TRUE = ("on", "1")


def facts_of(environ: Environ) -> ConnectionFacts:
    """The facts of a request; empty when its connection was not TLS, or nothing trusted says so."""
    return survey(environ)[0]


def survey(environ: Environ) -> tuple[ConnectionFacts, list[str]]:
    """Tell facts from what only looks like one.

    Returns:
        the facts, and the names of variables that begin like a fact and are none.
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
    """Whether the server is uWSGI or mod_wsgi. An environment variable of that name would be a string."""
    return type(environ.get("uwsgi.version")) is bytes or type(environ.get("mod_wsgi.version")) is tuple


def _variables(environ: Environ, alike: list[str]) -> tuple[ConnectionFacts, list[str]]:
    """What the server's variables say. Empty ones say nothing: nginx passes them for a plain connection."""
    facts = ConnectionFacts({name: environ[name] for name in alike if name[0] == "S" and environ.get(name)})
    if not ("SSL_PROTOCOL" in facts or str(environ.get("HTTPS", "")).lower() in _TRUE):
        return ConnectionFacts(), alike
    facts["HTTPS"] = "on"
    if "SSL_CLIENT_VERIFY" not in facts:
        facts.update(_uwsgi_client(environ))
    return facts, [name for name in alike if name not in facts and name[0] == "S"]


def _uwsgi_client(environ: Environ) -> dict[str, str]:
    """The client certificate that uWSGI's own TLS verified: PEM (``--https-export-cert``), or DER in ISO 8859-1."""
    try:
        if environ.get("HTTPS_CC"):
            return facts_from_certificate(ssl.PEM_cert_to_DER_cert(environ["HTTPS_CC"].strip()))
        if environ.get("HTTPS_CLIENT_CERTIFICATE"):
            return facts_from_certificate(environ["HTTPS_CLIENT_CERTIFICATE"].encode("latin-1"))
    except ValueError as error:
        _log.warning("uWSGI's variable with the client certificate cannot be read: %s", error)
    return {"SSL_CLIENT_VERIFY": "NONE"}
