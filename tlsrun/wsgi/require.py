"""Which client certificates a view accepts: a pure decision, from which the frameworks' decorators are made."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlsrun.wsgi.connection import ClientCertificate, TLSInfo


@dataclass(frozen=True, kw_only=True)
class Required:
    """Requirements for a client certificate, besides a signature by a trusted authority; None for no requirement.

    Arguments:
        subject: the accepted subjects, in mod_ssl's spelling (``CN=Jo,O=Acme``).
        issuer: the accepted issuers, in the same spelling.
        san: DNS names or e-mail addresses, of which the certificate must have one.
        check: called last, with the certificate; a false result refuses it.
    """

    subject: frozenset[str] | None = None
    issuer: frozenset[str] | None = None
    san: frozenset[str] | None = None
    check: Callable[[ClientCertificate], object] | None = None

    @classmethod
    def of(
        cls,
        *,
        subject: str | Iterable[str] | None = None,
        issuer: str | Iterable[str] | None = None,
        san: str | Iterable[str] | None = None,
        check: Callable[[ClientCertificate], object] | None = None,
    ) -> Required:
        """The requirements, each given as one value or several."""
        return cls(subject=_set(subject), issuer=_set(issuer), san=_set(san), check=check)

    def objection(self, client: ClientCertificate) -> str | None:
        """Why ``client`` is refused, in a sentence for the user; None if it is accepted."""
        if not client:
            return "This page needs a client certificate, and none was shown."
        if not client.verified:
            return f"The client certificate is not trusted ({client.verify})."
        if self.subject is not None and client.subject not in self.subject:
            return f"The client certificate of {client.subject} may not see this page."
        if self.issuer is not None and client.issuer not in self.issuer:
            return f"Client certificates issued by {client.issuer} may not see this page."
        if self.san is not None and not self.san.intersection(client.sans):
            return f"The client certificate for {', '.join(client.sans) or 'no name'} may not see this page."
        if self.check is not None and not self.check(client):
            return f"The client certificate of {client.subject} may not see this page."
        return None


def _set(given: str | Iterable[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    return frozenset([given] if isinstance(given, str) else given)


def guard(
    view: Callable[..., Any] | None,
    accepted: Mapping[str, Any],
    *,
    environ: Callable[[], dict[str, Any]],
    refuse: Callable[[str], object],
    call: Callable[..., Any] = lambda view, *args, **kwargs: view(*args, **kwargs),
) -> Any:
    """Implements a framework's decorator.

    Arguments:
        view: the function to guard; None if the decorator was written with arguments.
        accepted: the arguments of `Required.of`.
        environ: the current request's WSGI environ.
        refuse: refuses the request with a reason, by raising the framework's exception.
        call: calls the view.

    Returns:
        the guarded view, or a decorator that guards one.
    """
    required = Required.of(**accepted)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            objection = required.objection(TLSInfo(environ()).client)
            return call(function, *args, **kwargs) if objection is None else refuse(objection)

        return guarded

    return decorate if view is None else decorate(view)
