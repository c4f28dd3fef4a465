"""Findings on a site's pages and redirects: whether the application knows what its clients see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

from tlsrun.check.finding import Finding, found
from tlsrun.check.live.http import ResponseHead
from tlsrun.check.live.target import ProbeTarget
from tlsrun.check.live.walk import Walk

#: Element -> the attribute by which it loads a part of the page.
_LOADS = {
    "script": "src", "img": "src", "iframe": "src", "frame": "src", "embed": "src", "object": "data", "audio": "src",
    "video": "src", "source": "src", "track": "src", "link": "href",
}  # fmt: skip
#: Values of ``rel`` with which a link element loads something.
_LOADED_LINKS = frozenset(("stylesheet", "icon", "preload", "modulepreload", "manifest", "apple-touch-icon"))
#: Element -> the attribute by which it links to another page.
_LEADS = {"a": "href", "form": "action", "base": "href", "area": "href"}
_SHOWN = 3

#: Traces of proxies in answers: header, a part of its value, the proxy.
_SIGNS = (
    ("cf-ray", "", "Cloudflare"),
    ("server", "cloudflare", "Cloudflare"),
    ("server", "nginx", "nginx"),
    ("server", "caddy", "Caddy"),
    ("via", "caddy", "Caddy"),
    ("server", "awselb", "AWS's load balancer"),
    ("server", "apache", "Apache"),
    ("server", "envoy", "Envoy"),
    ("x-envoy-upstream-service-time", "", "Envoy"),
    ("via", "heroku", "Heroku's router"),
    ("via", "vegur", "Heroku's router"),
    ("via", "", "a proxy"),
)


def judge_walk(target: ProbeTarget, way: Walk, *, trusts: bool | None) -> Iterator[Finding]:
    """The findings.

    Arguments:
        trusts: whether trusted proxies are set; None if the settings are not known.
    """
    if not way.steps:
        return
    where = target.url
    if way.circles:
        urls = " → ".join(step.url for step in way.steps[:4])
        yield found("redirect-loop", where, f"{urls} → … and so on, round {len(way.steps)} redirects")
    safe = [step for step in way.steps if step.url.startswith("https://")]
    yield from _links(target, way, circles=way.circles)
    for step in safe:
        promised = step.answer.all("strict-transport-security")
        if len(promised) > 1:
            yield found("double-hsts", where, f"{step.url} is answered with {'; and with '.join(promised)}")
            break
    bare = {_name(cookie) for step in safe for cookie in step.answer.all("set-cookie") if not _is_secure(cookie)}
    if bare:
        yield found("cookie-unprotected", where, f"without Secure: {', '.join(sorted(bare))}")
    proxy = proxy_of(way.steps[0].answer)
    if trusts is False and proxy is not None:
        yield found("address-lost", where, f"its answers come through {proxy}, and trusted_proxies is not set")


def proxy_of(answer: ResponseHead) -> str | None:
    """The proxy that an answer came through, as far as its headers tell."""
    for header, part, name in _SIGNS:
        if part in answer.headers.get(header, "\0").lower() and header in answer.headers:
            return name
    return None


def _links(target: ProbeTarget, way: Walk, *, circles: bool) -> Iterator[Finding]:
    leads, loads = _Seen(target.host), _Seen(target.host)
    for step in way.steps:
        if not step.url.startswith("https://"):
            continue
        if not circles:
            leads.note(step.answer.location, own=True)
        page = step.answer.body
        if page:
            parser = _Page(leads, loads)
            parser.feed(page.decode("utf-8", "replace"))
    if leads.urls:
        yield found("http-links", target.url, f"over https it leads to {leads.words}")
    if loads.urls:
        yield found("mixed-content", target.url, f"the page loads {loads.words}")


class _Seen:
    """Collects http:// addresses, each once."""

    def __init__(self, host: str) -> None:
        self._host = host.lower()
        self.urls: dict[str, None] = {}

    def note(self, url: str | None, *, own: bool) -> None:
        """Keep ``url`` if it begins with http://; with ``own`` only if it is on this host."""
        url = (url or "").strip()
        if not re.match(r"http://", url, re.IGNORECASE):
            return
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return
        if not own or host == self._host:
            self.urls[url] = None

    @property
    def words(self) -> str:
        """The first few, for a message."""
        shown = ", ".join(list(self.urls)[:_SHOWN])
        return shown + (f" and {len(self.urls) - _SHOWN} more" if len(self.urls) > _SHOWN else "")


class _Page(HTMLParser):
    """Notes what a page loads, and where it links to on its own host."""

    def __init__(self, leads: _Seen, loads: _Seen) -> None:
        super().__init__()
        self._seen_leads, self._seen_loads = leads, loads

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element's address."""
        given = dict(attrs)
        if tag in _LEADS:
            self._seen_leads.note(given.get(_LEADS[tag]), own=True)
        elif tag == "link" and _LOADED_LINKS.isdisjoint((given.get("rel") or "").lower().split()):
            self._seen_leads.note(given.get("href"), own=True)
        elif tag in _LOADS:
            self._seen_loads.note(given.get(_LOADS[tag]), own=False)


def _is_secure(cookie: str) -> bool:
    return any(part.strip().lower() == "secure" for part in cookie.split(";")[1:])


def _name(cookie: str) -> str:
    return cookie.partition("=")[0].strip()
