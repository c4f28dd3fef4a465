"""What a setting may hold: each kind parses what a person writes, and says in words what it expects."""

from __future__ import annotations

import ipaddress
import json
import math
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tlsrun.tls.policy import HTTP_VERSIONS


class Wrong(ValueError):
    """A value cannot be used, for a reason that a person is to read."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of value.

    Arguments:
        expects: what may be given, as the end of the sentence "expected …".
        parse: from what was given (a Python value, or text) to the value; raises ValueError.
        metavar: the placeholder in ``--help``.
        repeatable: whether the flag may be given several times.
    """

    expects: str
    parse: Callable[[Any], Any]
    metavar: str
    repeatable: bool = False


def parse_text(raw: Any) -> str:
    """Text that is not empty; raises ValueError."""
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


def _several_places(raw: Any) -> tuple[str, ...]:
    """Each path, or PEM text as a whole; in text, paths stand as in ``PATH``."""
    if isinstance(raw, (list, tuple)):
        if not raw:
            raise ValueError("an empty list")
        return tuple(dict.fromkeys(place for one in raw for place in _several_places(one)))
    text = parse_text(raw)
    places = [text] if "-----BEGIN" in text else text.split(os.pathsep)
    return tuple(place for place in places if place.strip())


CHAIN = Kind(
    expects=f"the path of a file in PEM, DER or PKCS #12, a list of them (in text: with {os.pathsep!r} between), "
    "or the PEM text itself",
    parse=_several_places,
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


def _pairs(parts: Iterable[str]) -> dict[str, Any]:
    pairs = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("not name=value")
        pairs[name.strip()] = value.strip()
    return pairs


def _mapping(raw: Any) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        if not all(isinstance(name, str) for name in raw):
            raise ValueError("a name is not text")
        return dict(raw)
    if isinstance(raw, (list, tuple)):
        return _merged(raw)
    if not isinstance(raw, str):
        raise ValueError("not a mapping")
    if _is_json(raw):
        return _mapping(json.loads(raw))
    return _pairs(shlex.split(raw))


def _merged(parts: Iterable[Any]) -> dict[str, Any]:
    """What a flag was given, time after time: JSON, or one NAME=VALUE whose value may have spaces."""
    merged: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, str):
            raise ValueError("neither JSON nor name=value")
        merged.update(_mapping(part) if _is_json(part) else _pairs([part]))
    return merged


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _list(raw: Any) -> tuple[str, ...]:
    parts = [raw] if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple, set, frozenset)):
        raise ValueError("not a list")
    words = tuple(dict.fromkeys(word for part in parts for word in _words(part)))
    if not words:
        raise ValueError("an empty list")
    return words


def _words(part: Any) -> Iterator[str]:
    for word in parse_text(part).replace(",", " ").split():
        # OpenSSL writes lists of groups with colons, and an IPv6 address has some of its own.
        yield from [word] if _is_address(word) else filter(None, word.split(":"))


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

_IDENTITY_KEYS = frozenset(("cert", "key", "chain"))


def _certificates_by_name(raw: Any) -> str | dict[str, tuple[dict[str, Any], ...]]:
    if isinstance(raw, str) and not _is_json(raw):
        return parse_text(raw)
    if isinstance(raw, str):
        raw = json.loads(raw)
    if hasattr(raw, "__fspath__"):
        return str(raw)
    if not isinstance(raw, Mapping) or not raw:
        raise ValueError("neither a folder nor a mapping")
    found: dict[str, tuple[dict[str, Any], ...]] = {}
    for host, given in _by_host(raw).items():
        several = given if isinstance(given, (list, tuple)) else [given]
        if not several or not all(isinstance(one, Mapping) and "cert" in one for one in several):
            raise ValueError("a name without a cert")
        if any(set(one) - _IDENTITY_KEYS for one in several):
            raise ValueError("only cert, key and chain belong to a name")
        found[parse_text(host)] = tuple(_one_of_a_name(one) for one in several)
    return found


def _one_of_a_name(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _several_places(value) if key == "chain" else parse_text(value) for key, value in given.items()}


def _by_host(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """Flattened names (``a.example.org.cert``), as Bottle's ``load_dict`` makes them, put together again."""
    hosts: dict[Any, Any] = {}
    for name, value in raw.items():
        host, _, key = str(name).rpartition(".")
        if isinstance(value, str) and key in _IDENTITY_KEYS:
            hosts.setdefault(host, {})[key] = value
        else:
            hosts[name] = value
    return hosts


CERTIFICATES = Kind(
    expects="a folder of certificates, or a mapping of host names to cert, key and chain (in text: JSON)",
    parse=_certificates_by_name,
    metavar="FOLDER",
)


def _reference(raw: Any) -> Any:
    if callable(raw):
        return raw
    module, colon, name = parse_text(raw).strip().partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ValueError("not module:function")
    return f"{module}:{name}"


REFERENCE = Kind(expects="module:function, or the function itself", parse=_reference, metavar="MODULE:FUNCTION")


MAPPING = Kind(
    expects="a mapping of names to values (in text: JSON, or name=value, several with spaces between; "
    "on the command line: JSON, or one name=value for each flag)",
    parse=_mapping,
    metavar="NAME=VALUE",
    repeatable=True,
)
