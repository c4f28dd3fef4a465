"""The kinds of values of settings: each parses what the user wrote, and describes what it expects."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.http1.authority import a_labels
from tlsrun.tls.policy import HTTP_VERSIONS


class Wrong(ValueError):
    """A value that cannot be used, with a reason for the user."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of value.

    Arguments:
        expects: what may be given, completing "expected …".
        parse: converts what was given, a Python value or text; raises ValueError.
        metavar: the placeholder in ``--help``.
        repeatable: whether the flag may be given several times.
    """

    expects: str
    parse: Callable[[Any], Any]
    metavar: str
    repeatable: bool = False


def parse_text(raw: Any) -> str:
    """A text that is not empty; raises ValueError for anything else."""
    if isinstance(raw, bytes):
        raw = raw.decode()
    if hasattr(raw, "__fspath__"):
        raw = str(raw)
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("not text")
    return raw


TEXT = Kind(expects="text", parse=parse_text, metavar="TEXT")
PATH = Kind(expects="the path of a file", parse=parse_text, metavar="PATH")
PEM = Kind(expects="the path of a PEM file, or the PEM text itself", parse=parse_text, metavar="PATH")
KEY_MATERIAL = Kind(
    expects="the path of a file in PEM, DER or PKCS #12, or the PEM text itself", parse=parse_text, metavar="PATH"
)


def several_places(raw: Any) -> tuple[str, ...]:
    """A list of paths, in text separated as in ``PATH``; PEM text is one item."""
    if isinstance(raw, (list, tuple)):
        if not raw:
            raise ValueError("an empty list")
        return tuple(dict.fromkeys(place for one in raw for place in several_places(one)))
    text = parse_text(raw)
    places = [text] if "-----BEGIN" in text else text.split(os.pathsep)
    return tuple(place for place in places if place.strip())


CHAIN = Kind(
    expects=f"the path of a file in PEM, DER or PKCS #12, a list of them (in text: with {os.pathsep!r} between), "
    "or the PEM text itself",
    parse=several_places,
    metavar="PATH",
    repeatable=True,
)


def integer(least: int, most: int) -> Kind:
    """A whole number from ``least`` to ``most``."""

    def parse(raw: Any) -> int:
        if isinstance(raw, (bool, float)):
            raise ValueError("not a whole number")
        value = int(raw)
        if not least <= value <= most:
            raise ValueError("out of range")
        return value

    return Kind(expects=f"a whole number from {least} to {most}", parse=parse, metavar="INTEGER")


def _seconds(raw: Any) -> float:
    if isinstance(raw, bool):
        raise ValueError("not a number")
    value = float(raw.strip().removesuffix("s") if isinstance(raw, str) else raw)
    if not math.isfinite(value) or value <= 0:
        raise ValueError("out of range")
    return value


SECONDS = Kind(expects="a number of seconds above 0", parse=_seconds, metavar="SECONDS")

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("neither yes nor no")


BOOLEAN = Kind(expects="true or false", parse=_boolean, metavar="BOOLEAN")


def choice(*options: str) -> Kind:
    """One of a few words."""

    def parse(raw: Any) -> str:
        word = str(raw).strip().lower()
        if word not in options:
            raise ValueError("not one of them")
        return word

    return Kind(expects=f"one of {', '.join(options)}", parse=parse, metavar=f"[{'|'.join(options)}]")


def _version(raw: Any) -> str:
    word = str(raw).strip().lower().removeprefix("tls").removeprefix("v")
    if word not in ("1.2", "1.3"):
        raise ValueError("not a version that is still safe")
    return word


VERSION = Kind(expects="1.2 or 1.3 (RFC 8996 forbids the older versions)", parse=_version, metavar="[1.2|1.3]")


def _ciphers(raw: Any) -> str:
    if isinstance(raw, (list, tuple)):
        raw = ":".join(raw)
    return parse_text(raw).strip()


CIPHERS = Kind(
    expects="an OpenSSL cipher list such as ECDHE+AESGCM, or a list of suite names",
    parse=_ciphers,
    metavar="CIPHERS",
)


def words_of_list(raw: Any, *, read: Callable[[Any], str] = str) -> tuple[str, ...]:
    """The words of a list, or of a text with commas or spaces between them, without duplicates.

    Arguments:
        read: from an item of the list to its text.

    Raises:
        ValueError: it is neither a list nor a text.
    """
    parts = [raw] if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple, set, frozenset)):
        raise ValueError("not a list")
    return tuple(dict.fromkeys(word for part in parts for word in parse_text(read(part)).replace(",", " ").split()))


def _list(raw: Any) -> tuple[str, ...]:
    # OpenSSL separates groups by colons, which are part of an IPv6 address.
    words = ([one] if _is_address(one) else filter(None, one.split(":")) for one in words_of_list(raw, read=parse_text))
    names = tuple(dict.fromkeys(name for several in words for name in several))
    if not names:
        raise ValueError("an empty list")
    return names


def _is_address(word: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(word))
    except ValueError:
        return False


LIST = Kind(
    expects="a list of names (in text: with commas or spaces between)",
    parse=_list,
    metavar="NAMES",
    repeatable=True,
)


def host_name(word: str) -> str:
    """A host name in the form that clients send, with A-labels.

    Raises:
        Wrong: it is in Unicode and cannot be converted without ambiguity.
    """
    try:
        return a_labels(word)
    except ValueError as error:
        raise Wrong(f"{word} cannot be written in ASCII by itself ({error}); write it so: xn--…") from None


HOSTS = Kind(
    expects="a list of host names (in text: with commas or spaces between)",
    parse=lambda raw: tuple(dict.fromkeys(map(host_name, _list(raw)))),
    metavar="NAMES",
    repeatable=True,
)


def _http_versions(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raw = str(raw)
    words = _list(raw if isinstance(raw, str) else [str(word) for word in raw])
    given = {_HTTP_SPELLINGS.get(plain, plain) for plain in (word.lower().removeprefix("http/") for word in words)}
    if given - set(HTTP_VERSIONS):
        raise ValueError("no version of HTTP that is spoken over TLS")
    return tuple(version for version in HTTP_VERSIONS if version in given)


_HTTP_SPELLINGS = {"h3": "3", "3.0": "3", "h2": "2", "2.0": "2", "h1": "1.1", "1": "1.1"}

HTTP = Kind(
    expects="HTTP versions out of 3, 2 and 1.1 (in text: with commas or spaces between)",
    parse=_http_versions,
    metavar="VERSIONS",
    repeatable=True,
)


def _reference(raw: Any) -> Any:
    if callable(raw):
        return raw
    module, colon, name = parse_text(raw).strip().partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ValueError("not module:function")
    return f"{module}:{name}"


REFERENCE = Kind(expects="module:function, or the function itself", parse=_reference, metavar="MODULE:FUNCTION")
