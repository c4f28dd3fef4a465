"""The settings: THE TABLE (`table`), what each kind of value is (`kinds`), and how layers merge (`layers`)."""

from tlsrun.settings.layers import (
    Given,
    Layer,
    Origin,
    Resolution,
    bottle_layer,
    default_layer,
    environment_layer,
    flask_layer,
    keyword_layer,
    resolve,
)
from tlsrun.settings.table import DEFAULTS, SPECS, Settings, Spec

__all__ = [
    "DEFAULTS",
    "SPECS",
    "Given",
    "Layer",
    "Origin",
    "Resolution",
    "Settings",
    "Spec",
    "bottle_layer",
    "default_layer",
    "environment_layer",
    "flask_layer",
    "keyword_layer",
    "resolve",
]
