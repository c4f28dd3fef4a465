"""The middleware that puts the connection's facts into environ, and sets ``wsgi.url_scheme``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tlsrun.proxies.peers import unmapped
from tlsrun.wsgi.events import with_events
from tlsrun.wsgi.external import front_of_environment
from tlsrun.wsgi.facts import ConnectionFacts, connection_facts
from tlsrun.wsgi.front import NOBODY, Front, Heard, hear
from tlsrun.wsgi.hsts import with_hsts
from tlsrun.wsgi.proxy_headers import NEVER, variables_to_remove
from tlsrun.wsgi.sources import Environ, survey
from tlsrun.wsgi.strict import JUDGED, answer, is_usual, refusal

#: The key in environ for the established facts.
ESTABLISHED = "tlsrun.facts"

#: Names of variables that look neither like a fact nor like a proxy's header: at most so many, each at most so long.
_harmless: set[str] = set()
#: Names that do not look like a proxy's header, and may look like a fact: the same.
_unclaimed: set[str] = set()
_KNOWN, _LONGEST = 1000, 80


def application(app: Callable[..., Any], front: Front | Callable[[], Front] | None = None) -> Application:
    """Wrap a WSGI application. Wrapping it again changes nothing, unless ``front`` is given.

    The application then finds in environ the facts under mod_ssl's names and nothing else that looks like one, and
    ``wsgi.url_scheme`` is ``https`` if the connection was TLS. Forwarded headers from trusted proxies are applied, and
    all are removed (`tlsrun.wsgi.front`); clients that came to a trusted proxy over plain HTTP are redirected to https.
    Without TLS and without a trusted proxy, the scheme stays as the server set it.

    Arguments:
        app: the application; its attributes can be read and set on what is returned.
        front: the proxies in front, or a function that returns them, called at the first request; None to read the
            environment (``TLSRUN_TRUSTED_PROXIES`` and the others).
    """
    return app if type(app) is Application and front is None else Application(app, front or front_of_environment)


class Application:
    """What `application` returns. ``__wrapped__`` is the application inside."""

    __slots__ = ("__weakref__", "__wrapped__", "_front", "_known", "_promising")

    __wrapped__: Callable[..., Any]
    _front: Front | Callable[[], Front]
    _known: Front | None
    _promising: Callable[..., Any]

    def __init__(self, app: Callable[..., Any], front: Front | Callable[[], Front]) -> None:
        object.__setattr__(self, "__wrapped__", app)
        object.__setattr__(self, "_front", front)
        object.__setattr__(self, "_known", None)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        result: Iterable[bytes]
        if type(environ.get(ESTABLISHED)) is ConnectionFacts:  # by another instance, further out
            result = self.__wrapped__(environ, start_response)
            return result
        front = self._known or self._know()
        if not front.trusts and _establish_directly(environ):  # mostly
            result = self._promising(environ, start_response)
            return result
        if not front.trusts and _is_unclaimed(environ):  # mostly, under a server that speaks in variables
            _establish(environ, front, unclaimed=True)
            result = self._promising(environ, start_response)
            return result
        if (refused := refusal(environ)) is not None:
            return answer(refused, environ, start_response)
        heard = _establish(environ, front)[1]
        if heard is not None and heard.scheme == "http":
            from tlsrun.wsgi import to_https  # late: most applications have no proxy in front

            redirect = to_https.answer(environ, front)
            if redirect is not None:
                return redirect(environ, start_response)
        result = self._promising(environ, start_response)
        return result

    def _know(self) -> Front:
        front = self._front if isinstance(self._front, Front) else self._front()
        promising = with_hsts(self.__wrapped__, front.hsts)
        object.__setattr__(self, "_promising", with_events(promising) if front.holds_back else promising)
        object.__setattr__(self, "_known", front)
        return front

    def upon(self, base: Environ) -> Callable[..., Iterable[bytes]]:
        """The same for our own servers, whose environ begins as a copy of ``base`` for every request.

        The server adds only the variables that every request has and the client's ``HTTP_…``, of which none can look
        like a fact. So the facts are established once, in ``base``. With trusted proxies each request is examined.
        """
        front = self._known or self._know()
        if front.trusts:
            return self
        _establish(base, front)
        application = self._promising
        unclaimed: set[str] = set()

        def established(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
            if not is_usual(environ) or (not unclaimed.issuperset(environ) and not _learn(environ, unclaimed)):
                if (refused := refusal(environ)) is not None:
                    return answer(refused, environ, start_response)
                _forget(environ)
                hear(environ, front)
            address = environ["REMOTE_ADDR"]
            if address[:2] == "::":
                environ["REMOTE_ADDR"] = unmapped(address)
            result: Iterable[bytes] = application(environ, start_response)
            return result

        return established

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "__wrapped__"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Application, (self.__wrapped__, self._front)

    def __repr__(self) -> str:
        return f"<tlsrun.wsgi.application of {self.__wrapped__!r}>"


def establish(environ: Environ, front: Front = NOBODY) -> ConnectionFacts:
    """Put the facts and the scheme into ``environ`` and remove what only looks like a fact; once per request.

    Arguments:
        front: the proxies in front.

    Returns:
        the facts; empty if the connection was not TLS.
    """
    established = environ.get(ESTABLISHED)
    return established if type(established) is ConnectionFacts else _establish(environ, front)[0]


def _establish_directly(environ: Environ) -> bool:
    """As `_establish` where nobody is trusted, nothing can be wrong, and no name looks like a fact or a proxy's header.

    Written without calls, which would cost more than the work itself: it runs for every request.

    Returns:
        False, without having changed anything, if the request needs `_establish`.
    """
    if not _harmless.issuperset(environ) and (_looks_like_a_fact(environ) or not _learn(environ, _harmless)):
        return False
    if not is_usual(environ):
        return False
    get = environ.get
    connection = get("tlsrun.socket") or get("gunicorn.socket") or get("werkzeug.socket")
    # The variables of uWSGI and mod_wsgi look like facts, and were excluded above.
    facts = ConnectionFacts() if connection is None else connection_facts(connection)
    environ[ESTABLISHED] = facts
    address = get("REMOTE_ADDR")
    if address and address[:2] == "::":
        environ["REMOTE_ADDR"] = unmapped(address)
    if facts:
        environ.update(facts)
        if "HTTPS" in facts:
            environ["wsgi.url_scheme"] = "https"
    return True


def _is_unclaimed(environ: Environ) -> bool:
    """Whether nothing is wrong with a request, and no name in it is a proxy's header; names may look like facts."""
    return is_usual(environ) and (_unclaimed.issuperset(environ) or _learn(environ, _unclaimed))


def _looks_like_a_fact(environ: Environ) -> bool:
    names = "\n".join(environ)
    return "SSL_" in names or "HTTPS" in names


def _learn(environ: Environ, known: set[str]) -> bool:
    """Whether no name in ``environ`` is a proxy's header or has to be judged; if so, add them to ``known``.

    One set is asked for all names at once, which is four times as fast as to look at them.
    """
    if not (NEVER.isdisjoint(environ) and JUDGED.isdisjoint(environ)) or variables_to_remove(environ):
        return False
    if len(known) > _KNOWN:  # somebody sends invented headers; the usual ones are learned again
        known.clear()
    known.update(name for name in environ if len(name) <= _LONGEST)
    return True


def _forget(environ: Environ) -> None:
    """Remove what no application should see. Transfer-Encoding stays if the body is still chunked (plain uWSGI)."""
    environ.pop("HTTP_PROXY", None)
    if environ.get("wsgi.input_terminated"):
        environ.pop("HTTP_TRANSFER_ENCODING", None)


def _establish(environ: Environ, front: Front, *, unclaimed: bool = False) -> tuple[ConnectionFacts, Heard | None]:
    """Put the facts and the scheme into ``environ``.

    Arguments:
        unclaimed: it `_is_unclaimed`, and nobody is trusted: then there is nothing to hear or forget.
    """
    if not unclaimed:
        _forget(environ)
    facts, others = survey(environ)
    for name in others:
        environ.pop(name, None)
    address = environ.get("REMOTE_ADDR")
    if address and address[:2] == "::":
        environ["REMOTE_ADDR"] = unmapped(address)
    heard = None if unclaimed else hear(environ, front)
    if heard is not None:
        for name in facts:
            environ.pop(name, None)
        facts = heard.facts(facts)
    environ[ESTABLISHED] = facts
    if facts:
        environ.update(facts)
        if heard is None or heard.scheme is None:
            environ["wsgi.url_scheme"] = "https" if "HTTPS" in facts else environ["wsgi.url_scheme"]
    return facts, heard
