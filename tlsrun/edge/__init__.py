"""TLS and HTTP/1.1 in front of uWSGI's workers, which speak the uwsgi protocol on a Unix socket."""

from tlsrun.edge.limits import Limits
from tlsrun.edge.loop import serve
from tlsrun.edge.server import Edge

__all__ = ["Edge", "Limits", "serve"]
