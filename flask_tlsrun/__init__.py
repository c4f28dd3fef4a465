"""HTTPS for Flask: the extension `TLSRun`, and the command `flask tlsrun`."""

from flask_tlsrun.client import require_client_cert
from flask_tlsrun.extension import TLSRun, tls

__all__ = ["TLSRun", "require_client_cert", "tls"]
