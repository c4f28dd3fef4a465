"""Platforms whose edge terminates TLS in front of this program, recognised by the environment and never guessed.

The only one is Heroku: it sets ``DYNO`` and ``PORT`` for every web process, lets only its router reach that port, and
its router speaks plain HTTP (https://devcenter.heroku.com/articles/http-routing). ``PORT`` alone proves nothing:
people set it on machines that are open to the internet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tlsrun.settings.layers import Given, Layer, Resolution, resolve
from tlsrun.settings.words import ADHOC, USUAL

#: Where a platform's router connects from: private addresses (RFC 1918, RFC 6598, RFC 4193) and loopback.
_INSIDE = "10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.0/8, fc00::/7, ::1"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform that this program runs on.

    Arguments:
        title: its name as people write it.
        sign: what it was recognised by, for messages.
        strong: settings that the platform decides, whatever the application's configuration or code says.
        weak: settings used where nothing else sets them.
    """

    title: str
    sign: str
    strong: Mapping[str, str]
    weak: Mapping[str, str]

    def layer(self) -> Layer:
        """Its settings, as the layer after all others."""

        def given(values: Mapping[str, str]) -> dict[str, Given]:
            return {name: Given(value=value, spelling=f"{self.title} ({self.sign})") for name, value in values.items()}

        return Layer(name="platform", given=given(self.strong), fallback=given(self.weak))


def find_platform(environ: Mapping[str, str] = os.environ) -> Platform | None:
    """The platform that this environment belongs to; None for any other."""
    port = environ.get("PORT", "")
    if not environ.get("DYNO") or not port:
        return None
    weak = {"server": USUAL, "trusted_proxies": _INSIDE, "proxy": "heroku"}
    if environ.get("WEB_CONCURRENCY"):
        weak["workers"] = environ["WEB_CONCURRENCY"]
    return Platform(
        title="Heroku",
        sign="DYNO and PORT in the environment",
        strong={"host": "0.0.0.0", "port": port},  # noqa: S104 -- its router alone reaches it
        weak=weak,
    )


def resolve_behind(platform: Platform, layers: Sequence[Layer]) -> Resolution | None:
    """The settings on ``platform``; None if a certificate is set: TLS is then terminated here, as anywhere else.

    Arguments:
        layers: as `tlsrun.settings.layers.resolve` takes them.
    """
    if any("cert" in layer.given and layer.given["cert"].value not in (None, "", ADHOC) for layer in layers):
        return None
    theirs = [_without(layer, platform.strong) for layer in layers]
    return resolve([*theirs, platform.layer()])


def _without(layer: Layer, names: Mapping[str, str]) -> Layer:
    """Drop ``names`` from the program's own layers, meant for other machines; command line and environment count."""
    if layer.name in ("command line", "environment"):
        return layer
    return replace(layer, given={name: value for name, value in layer.given.items() if name not in names})
