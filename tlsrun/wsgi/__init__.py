"""What an application learns of TLS: facts in environ, the scheme, and `TLSInfo`; the middleware works alone, too."""

from tlsrun.wsgi.application import Application, application, establish
from tlsrun.wsgi.connection import ClientCertificate, TLSInfo
from tlsrun.wsgi.facts import ConnectionFacts, connection_facts, facts_from_certificate, facts_from_tls
from tlsrun.wsgi.sources import facts_of

__all__ = [
    "Application",
    "ClientCertificate",
    "ConnectionFacts",
    "TLSInfo",
    "application",
    "connection_facts",
    "establish",
    "facts_from_certificate",
    "facts_from_tls",
    "facts_of",
]
