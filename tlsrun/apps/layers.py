"""The settings that an application brings along: its own configuration, and its framework's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tlsrun.apps.app import App
from tlsrun.settings.layers import Layer, bottle_layer, default_layer, flask_layer


def app_layers(app: App) -> list[Layer]:
    """The application's own configuration, and what its framework uses by default."""
    config: Mapping[str, Any] = app.config or {}
    if app.framework == "flask":
        return [flask_layer(config)]
    if app.framework == "bottle":
        return [bottle_layer(config), default_layer({"port": 8080}, "Bottle's default port")]
    return []
