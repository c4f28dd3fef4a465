"""Kinds of values that are mappings: ``server_options`` and ``sni``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from tlsrun.settings.kinds import Kind, host_name, parse_text, several_places


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
    """The values of a repeated option: JSON, or one NAME=VALUE, whose value may contain spaces."""
    merged: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, str):
            raise ValueError("neither JSON nor name=value")
        merged.update(_mapping(part) if _is_json(part) else _pairs([part]))
    return merged


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


MAPPING = Kind(
    expects="a mapping of names to values (in text: JSON, or name=value, several with spaces between; "
    "on the command line: JSON, or one name=value for each flag)",
    parse=_mapping,
    metavar="NAME=VALUE",
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
        found[host_name(parse_text(host))] = tuple(_one_of_a_name(one) for one in several)
    return found


def _one_of_a_name(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: several_places(value) if key == "chain" else parse_text(value) for key, value in given.items()}


def _by_host(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """Undo the flattening of names by Bottle's ``load_dict`` (``a.example.org.cert``)."""
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
