"""`TLSInfo`: a request's connection for authors of views, from the facts in environ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from tlsrun.wsgi.application import ESTABLISHED
from tlsrun.wsgi.facts import ConnectionFacts
from tlsrun.wsgi.sources import Environ, facts_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class _View:
    """A read-only view of facts."""

    __slots__ = ("_facts",)

    _facts: ConnectionFacts

    def __init__(self, facts: ConnectionFacts) -> None:
        object.__setattr__(self, "_facts", facts)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is read-only: it says what the connection was")

    def _text(self, name: str) -> str | None:
        """A fact as text, decoded from WSGI's octets."""
        value = self._facts.get(name)
        return None if value is None else value.encode("latin-1", "replace").decode("utf-8", "replace")


class TLSInfo(_View):
    """The TLS connection of a request.

    It works with and without the middleware around the application: without it, the facts come from the same trusted
    sources.

    Arguments:
        environ: the request's WSGI environ.
    """

    __slots__ = ()

    def __init__(self, environ: Environ) -> None:
        established = environ.get(ESTABLISHED)
        super().__init__(established if type(established) is ConnectionFacts else facts_of(environ))

    def __bool__(self) -> bool:
        return self.secure

    def __repr__(self) -> str:
        if not self.secure:
            return "<TLSInfo: not TLS>"
        client = f", client {self.client.subject}" if self.client else ""
        return f"<TLSInfo: {self.version} {self.cipher}, SNI {self.sni}{client}>"

    @property
    def secure(self) -> bool:
        """Whether the connection was TLS."""
        return "HTTPS" in self._facts

    @property
    def version(self) -> str | None:
        """The protocol, such as ``TLSv1.3`` (SSL_PROTOCOL); None if the server does not tell."""
        return self._text("SSL_PROTOCOL")

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher suite (SSL_CIPHER); None if the server does not tell."""
        return self._text("SSL_CIPHER")

    @property
    def key_size(self) -> int | None:
        """The size of the symmetric key in bits (SSL_CIPHER_USEKEYSIZE)."""
        size = self._facts.get("SSL_CIPHER_USEKEYSIZE", "")
        return int(size) if size.isdecimal() else None

    @property
    def sni(self) -> str | None:
        """The host name that the client asked for in the handshake (SSL_TLS_SNI); None if it asked for none."""
        return self._text("SSL_TLS_SNI")

    @property
    def resumed(self) -> bool:
        """Whether an earlier session was resumed (SSL_SESSION_RESUMED)."""
        return self._facts.get("SSL_SESSION_RESUMED") == "Resumed"

    @property
    def client(self) -> ClientCertificate:
        """The client's certificate; false, and without a subject, if the client presented none."""
        return ClientCertificate(self._facts)


class ClientCertificate(_View):
    """The certificate that the client presented, as far as the server tells; false if there was none."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self._facts.get("SSL_CLIENT_VERIFY", "NONE") != "NONE"

    def __repr__(self) -> str:
        return f"<ClientCertificate: {self.subject}, {self.verify}>" if self else "<ClientCertificate: none>"

    @property
    def verify(self) -> str:
        """``NONE``, ``SUCCESS``, ``GENEROUS`` or ``FAILED:reason`` (SSL_CLIENT_VERIFY)."""
        return self._text("SSL_CLIENT_VERIFY") or "NONE"

    @property
    def verified(self) -> bool:
        """Whether there is one, signed by an authority that the server trusts."""
        return self.verify == "SUCCESS"

    @property
    def subject(self) -> str | None:
        """Its subject, as mod_ssl spells it: ``CN=Jo,O=Acme\\, Inc.,C=DE`` (SSL_CLIENT_S_DN)."""
        return self._text("SSL_CLIENT_S_DN")

    @property
    def issuer(self) -> str | None:
        """Who signed it, spelled like `subject` (SSL_CLIENT_I_DN)."""
        return self._text("SSL_CLIENT_I_DN")

    @property
    def serial(self) -> str | None:
        """Its serial number in hexadecimal (SSL_CLIENT_M_SERIAL)."""
        return self._text("SSL_CLIENT_M_SERIAL")

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The DNS names in its SAN (SSL_CLIENT_SAN_DNS_n)."""
        return tuple(self._numbered("SSL_CLIENT_SAN_DNS_"))

    @property
    def emails(self) -> tuple[str, ...]:
        """The e-mail addresses in its SAN (SSL_CLIENT_SAN_Email_n)."""
        return tuple(self._numbered("SSL_CLIENT_SAN_Email_"))

    @property
    def sans(self) -> tuple[str, ...]:
        """`dns_names`, then `emails`."""
        return self.dns_names + self.emails

    @property
    def pem(self) -> str | None:
        """The certificate in PEM (SSL_CLIENT_CERT); None if the server does not pass it on."""
        return self._facts.get("SSL_CLIENT_CERT")

    @property
    def certificate(self) -> Certificate | None:
        """The certificate, parsed by `cryptography`; None if the server does not pass it on.

        Raises:
            ValueError: `cryptography` cannot read it.
        """
        pem = self.pem
        if pem is None:
            return None
        from cryptography.x509 import load_pem_x509_certificate

        return load_pem_x509_certificate(pem.encode("latin-1"))

    def _numbered(self, prefix: str) -> Iterator[str]:
        for number in count():
            value = self._text(f"{prefix}{number}")
            if value is None:
                return
            yield value
