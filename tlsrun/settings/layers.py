"""Layers of settings (command line, environment, app config), merged; every value knows its origin."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlsrun.errors import Problem, did_you_mean
from tlsrun.settings.kinds import Wrong
from tlsrun.settings.table import (
    DEFAULTS,
    SPECS,
    Settings,
    bottle_key,
    environment_variable,
    flask_key,
)

#: gunicorn's and uvicorn's environment variable for trusted proxies, which platforms set.
FORWARDED_ALLOW_IPS = "FORWARDED_ALLOW_IPS"

#: Keywords of Bottle's own adapters -> our settings.
BOTTLE_KEYWORDS = {"certfile": "cert", "keyfile": "key", "chainfile": "chain"}


@dataclass(frozen=True, kw_only=True)
class Given:
    """A value as the user gave it.

    Arguments:
        value: the unparsed value.
        spelling: its name in messages (``--cert``, ``TLS_CERT in app.config``).
    """

    value: Any = field(repr=False)
    spelling: str


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The settings given in one place.

    Arguments:
        name: the place (``command line``, ``environment``, ``app config``, ``default``).
        given: setting -> value.
        fallback: setting -> value to use if no layer gives one.
        problems: keys that look like settings and are not.
        warnings: the same, in places that are shared with other programs.
    """

    name: str
    given: Mapping[str, Given] = field(default_factory=dict)
    fallback: Mapping[str, Given] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SettingOrigin:
    """Who set a value: the layer, and how it was spelled there."""

    layer: str
    spelling: str


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The settings in force, the origin of each, and all problems."""

    settings: Settings
    origins: Mapping[str, SettingOrigin]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def is_given(self, name: str) -> bool:
        """Whether ``name`` was given, so that its default is not used."""
        return name in self.origins

    def spelling(self, name: str) -> str:
        """How ``name`` was spelled where it was given; otherwise the Flask key."""
        origin = self.origins.get(name)
        return origin.spelling if origin else flask_key(name)


def unknown_setting(spelled: str, written: str, known: Iterable[str], where: str) -> Problem:
    """The problem for a key that looks like a setting and is not.

    Arguments:
        spelled: the key as it was given.
        written: the key in the spelling of ``known``, for comparison.
        known: the existing keys.
        where: where the key was found, for the message.
    """
    remedy = did_you_mean(written, known, "See `tlsrun settings table` for all settings")
    return Problem(where=f"{spelled}{where}", what="no such setting", remedy=remedy, code="TLS201")


def slips(environ: Mapping[str, str], prefix: str, known: Iterable[str]) -> tuple[Problem, ...]:
    """Variables that look like a setting and are none: warnings, as the environment is shared with other programs.

    Arguments:
        prefix: with which settings begin; all after it is compared.
        known: names of variables that mean something.
    """
    meant = [name.removeprefix(prefix) for name in known]
    words = [name.removeprefix(prefix) for name in sorted(environ) if name.startswith(prefix)]
    return tuple(
        unknown_setting(f"{prefix}{word}", f"{prefix}{word}", [f"{prefix}{close}"], " in the environment")
        for word in words
        if word not in meant and (close := _near(word, meant))
    )


def _near(word: str, meant: Iterable[str]) -> str:
    """The name that ``word`` was probably meant to be: similar, or a prefix of it (CERTIFICATE); "" for none."""
    meant = list(meant)
    longer = [name for name in meant if word.startswith(name) and word[len(name) :].isalpha()]
    return next(iter(difflib.get_close_matches(word, meant, n=1) or longer), "")


def environment_layer(environ: Mapping[str, str] = os.environ) -> Layer:
    """The ``TLSRUN_*`` variables. An empty one counts as not given, since containers often leave variables empty."""
    names = {environment_variable(name): name for name in SPECS}
    given = {
        names[variable]: Given(value=value, spelling=f"{variable} in the environment")
        for variable, value in environ.items()
        if variable in names and value
    }
    warnings = slips(environ, "TLSRUN_", [*names, "TLSRUN_APP"])
    allowed = environ.get(FORWARDED_ALLOW_IPS, "")
    fallback = {"trusted_proxies": Given(value=allowed, spelling=f"{FORWARDED_ALLOW_IPS} in the environment")}
    return Layer(name="environment", given=given, fallback=fallback if allowed.strip(", ") else {}, warnings=warnings)


def flask_layer(config: Mapping[str, Any]) -> Layer:
    """The ``TLS_*`` keys of a Flask ``app.config``."""
    names = {flask_key(name): name for name in SPECS}
    where = " in app.config"
    given = {
        names[key]: Given(value=value, spelling=f"{key}{where}")
        for key, value in config.items()
        if key in names and value is not None
    }
    problems = tuple(
        unknown_setting(key, key, names, where)
        for key in config
        if isinstance(key, str) and key.startswith("TLS_") and key not in names
    )
    return Layer(name="app config", given=given, problems=problems)


def bottle_layer(config: Mapping[str, Any]) -> Layer:
    """The ``tls.*`` keys of a Bottle ``app.config``, and ``TLS_*`` so that one file serves both frameworks.

    ``load_config()`` makes keys lower case, and ``load_dict()`` flattens a mapping such as
    ``server_options`` into ``tls.server_options.NAME``: both are understood.
    """
    names = {bottle_key(name): name for name in SPECS}
    names |= {flask_key(name): name for name in SPECS} | {f"tls_{name}": name for name in SPECS}
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    nested: dict[str, dict[str, Any]] = {}
    for key, value in config.items():
        parent, _, child = key.removeprefix("tls.").partition(".")
        if key in names:
            if value is not None:
                given[names[key]] = Given(value=value, spelling=f"{key} in app.config")
        elif key.startswith("tls.") and child and parent in SPECS and SPECS[parent].nested:
            nested.setdefault(parent, {})[child] = value
        elif key.startswith(("tls.", "TLS_")):
            problems.append(unknown_setting(key, key, names, " in app.config"))
    for name, values in nested.items():
        given[name] = Given(value=values, spelling=f"{bottle_key(name)} in app.config")
    return Layer(name="app config", given=given, problems=tuple(problems))


def keyword_layer(keywords: Mapping[str, Any], call: str, *, layer: str = "keyword") -> Layer:
    """Keyword arguments of a call in the program.

    Arguments:
        call: the call, for messages (``bottle.run()``).
        layer: the layer's name.
    """
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for keyword, value in keywords.items():
        name = BOTTLE_KEYWORDS.get(keyword, keyword)
        if name not in SPECS:
            problems.append(unknown_setting(f"{keyword}=", keyword, SPECS, f" in {call}"))
        elif value is not None:
            given[name] = Given(value=value, spelling=f"{keyword}= in {call}")
    return Layer(name=layer, given=given, problems=tuple(problems))


def default_layer(values: Mapping[str, Any], why: str) -> Layer:
    """Defaults that differ from the table's, such as Bottle's port 8080."""
    return Layer(name="default", given={name: Given(value=value, spelling=why) for name, value in values.items()})


def _shown(value: Any, *, secret: bool) -> str:
    if isinstance(value, tuple) and len(value) == 1:  # an option that may be repeated
        value = value[0]
    text = repr(value)
    if secret or "-----BEGIN" in text:
        return "a secret"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _strongest(layers: Sequence[Layer], name: str) -> tuple[Layer | None, Given | None]:
    """The strongest layer that gives ``name``, and the value."""
    for layer in layers:
        if name in layer.given:
            return layer, layer.given[name]
    for layer in layers:
        if name in layer.fallback:
            return layer, layer.fallback[name]
    return None, None


def resolve(layers: Sequence[Layer]) -> Resolution:
    """Merge ``layers``, the strongest first, and parse the values that win.

    A value that does not parse is a problem; its default is used, so that the rest can be checked too.
    """
    values: dict[str, Any] = {}
    origins: dict[str, SettingOrigin] = {}
    problems = [problem for layer in layers for problem in layer.problems]
    for name, spec in SPECS.items():
        layer, given = _strongest(layers, name)
        if layer is None or given is None:
            continue
        try:
            values[name] = spec.kind.parse(given.value)
        except (ValueError, TypeError) as error:
            why = f": {error}" if isinstance(error, Wrong) else ""
            problems.append(
                Problem(
                    where=given.spelling,
                    what=f"{_shown(given.value, secret=spec.secret)} cannot be used{why}",
                    remedy=f"Expected {spec.kind.expects}, such as {spec.example}",
                    code="TLS202",
                )
            )
        if layer.name != "default":
            origins[name] = SettingOrigin(layer=layer.name, spelling=given.spelling)
    return Resolution(
        settings=Settings(**values) if values else DEFAULTS,
        origins=origins,
        problems=tuple(problems),
        warnings=tuple(warning for layer in layers for warning in layer.warnings),
    )
