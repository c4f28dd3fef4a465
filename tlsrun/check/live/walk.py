"""Follows a site's redirects as a browser does: with its cookies, on its own host only."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urljoin, urlsplit

from tlsrun.check.live.client import connect, open_context
from tlsrun.check.live.http import ResponseHead, get
from tlsrun.check.live.target import Deadline, ProbeTarget

#: The most redirects that are followed; browsers follow a few more.
_MOST = 10
#: The most bytes of a page that are read.
_PAGE = 512 * 1024


@dataclass(frozen=True, kw_only=True)
class RedirectHop:
    """One request and its answer.

    Arguments:
        url: the URL that was requested.
        answer: the response, with its body if it is HTML.
    """

    url: str
    answer: ResponseHead


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The requests that were made.

    Arguments:
        steps: the first is the page that was asked for.
        circles: whether the redirects form a loop.
    """

    steps: tuple[RedirectHop, ...]
    circles: bool = False


def walk(target: ProbeTarget, deadline: Deadline) -> Walk:
    """Request the target's page and follow its redirects.

    Raises:
        OSError: the first request fails.
    """
    steps: list[RedirectHop] = []
    cookies: dict[str, str] = {}
    been: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    url = f"{target.url}{target.path}"
    while len(steps) <= _MOST and not deadline.is_over:
        place = url, tuple(sorted(cookies.items()))
        if place in been:
            return Walk(steps=tuple(steps), circles=True)
        been.add(place)
        parts = urlsplit(url)
        if steps and not _is_here(parts, target):
            break
        try:
            answer = _ask(target, parts, cookies, deadline)
        except (OSError, ValueError):
            if not steps:
                raise
            break
        steps.append(RedirectHop(url=url, answer=answer))
        cookies |= _cookies(answer)
        if not answer.location:
            break
        url = urljoin(url, answer.location).partition("#")[0]
    return Walk(steps=tuple(steps), circles=len(steps) > _MOST)


def _is_here(parts: SplitResult, target: ProbeTarget) -> bool:
    with contextlib.suppress(ValueError):
        return parts.scheme in ("http", "https") and parts.hostname == target.host.lower() and parts.port != 0
    return False


def _ask(target: ProbeTarget, parts: SplitResult, cookies: Mapping[str, str], deadline: Deadline) -> ResponseHead:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    there = replace(target, port=port, path=path)
    usual = 443 if parts.scheme == "https" else 80
    host = f"[{target.host}]" if ":" in target.host else target.host
    more = [("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))] if cookies else []
    host = host if port == usual else f"{host}:{port}"
    if parts.scheme == "https":
        with connect(there, open_context(), deadline) as tls:
            return get(tls, there, deadline, host=host, more=more, page=_PAGE)
    with socket.create_connection(there.connect_to, timeout=deadline.left) as plain:
        return get(plain, there, deadline, host=host, more=more, page=_PAGE)


def _cookies(answer: ResponseHead) -> dict[str, str]:
    pairs = (value.partition(";")[0].partition("=") for value in answer.all("set-cookie"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
