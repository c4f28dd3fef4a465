"""An application's layers of settings: its own configuration, and its framework's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tlsrun.apps.app import App
from tlsrun.settings.layers import Layer, bottle_layer, default_layer, flask_layer


def app_layers(app: App) -> list[Layer]:
    """The application's own configuration, and its framework's defaults below it."""
    config: Mapping[str, Any] = app.config or {}
    if app.framework == "flask":
        return [flask_layer(config)]
    if app.framework == "bottle":
        return [bottle_layer(config), default_layer({"port": 8080}, "Bottle's default port")]
    return []
