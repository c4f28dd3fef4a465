"""Which client certificates a view accepts, as a pure decision; the frameworks' decorators are made of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlsrun.wsgi.connection import ClientCertificate, TLSInfo


@dataclass(frozen=True, kw_only=True)
class Required:
    """What a client certificate must be, besides signed by a trusted authority; what is None may be anything.

    Arguments:
        subject: the subjects that may come in, as mod_ssl spells them (``CN=Jo,O=Acme``).
        issuer: the authorities that may have signed it, spelled the same way.
        san: names of which the certificate must be for one (DNS names or e-mail addresses).
        check: asked last, with the certificate; whatever is false refuses.
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
        """The same from one value, or several, for each."""
        return cls(subject=_set(subject), issuer=_set(issuer), san=_set(san), check=check)

    def objection(self, client: ClientCertificate) -> str | None:
        """Why ``client`` may not come in, in words for a person; None when it may."""
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
    """What a framework's decorator is made of.

    Arguments:
        view: the function to guard; None when the decorator was written with arguments.
        accepted: the arguments of `Required.of`.
        environ: the current request's WSGI environ.
        refuse: answers the request with the reason; it raises, as frameworks do.
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
