"""What the settings about proxies may hold."""

from __future__ import annotations

from typing import Any

from tlsrun.proxies import peers
from tlsrun.settings.kinds import Kind, parse_text
from tlsrun.settings.proxies import PRESETS, parse_word


def words_of_list(raw: Any) -> tuple[str, ...]:
    """Words with commas or blanks between; colons belong to addresses. Raises ValueError."""
    parts = [raw] if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple, set, frozenset)):
        raise ValueError("not a list")
    return tuple(dict.fromkeys(word for part in parts for word in parse_text(str(part)).replace(",", " ").split()))


def _peers(raw: Any) -> tuple[str, ...]:
    words = words_of_list(raw)
    for word in words:
        peers.parse_peer(word)
    return words


PEERS = Kind(expects=f"a list, each {peers.EXPECTED}", parse=_peers, metavar="ADDRESSES", repeatable=True)

PROXY = Kind(
    expects=f"one of {', '.join(PRESETS)}, or names of headers, or both (with commas or spaces between)",
    parse=lambda raw: tuple(parse_word(word) for word in words_of_list(raw)),
    metavar="NAME",
    repeatable=True,
)


def _paths(raw: Any) -> tuple[str, ...]:
    words = words_of_list(raw)
    if not words or not all(word.startswith("/") for word in words):
        raise ValueError("a path that does not begin with /")
    return words


PATHS = Kind(
    expects="a list of paths that begin with /, `/health/*` for all below (in text: with commas or spaces between)",
    parse=_paths,
    metavar="PATHS",
    repeatable=True,
)
