"""Values of settings that other modules refer to."""

from __future__ import annotations

SERVERS = ("builtin", "gunicorn", "uwsgi", "granian", "hypercorn")

#: The default server for production.
USUAL = "gunicorn"

#: Instead of a server's name: the best one that is installed.
AUTO = "auto"

#: Flask's word for a throw-away certificate; here it means the development certificate.
ADHOC = "adhoc"
