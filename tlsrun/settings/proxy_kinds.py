"""Kinds of values of the settings about proxies."""

from __future__ import annotations

from typing import Any

from tlsrun.proxies import peers
from tlsrun.settings.kinds import Kind, words_of_list
from tlsrun.settings.proxies import PRESETS, parse_word


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
