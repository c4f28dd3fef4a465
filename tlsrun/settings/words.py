"""Words that settings may hold and others ask for: the servers, and what stands in place of a value."""

from __future__ import annotations

SERVERS = (
    "builtin",
    "gunicorn",
    "uwsgi",
    "granian",
    "hypercorn",
)

#: The server of production where nobody names one.
USUAL = "gunicorn"

#: In place of a server: the best that is installed.
AUTO = "auto"

#: Flask's word for "make one up", in place of a certificate; the local development certificate here.
ADHOC = "adhoc"
