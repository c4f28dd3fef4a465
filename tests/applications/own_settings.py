"""Applications that bring their settings with them, and say what their framework knows of the connection."""

from __future__ import annotations

import json
import os
from typing import Any

import bottle
from flask import Flask

import bottle_tls
import flask_tlsrun


def _said(tls: Any) -> str:
    """What a view can ask for."""
    client = tls.client
    return json.dumps(
        {
            "secure": tls.secure,
            "version": tls.version,
            "sni": tls.sni,
            "client": bool(client),
            "verified": client.verified,
            "subject": client.subject,
            "issuer": client.issuer,
            "serial": client.serial,
            "sans": client.sans,
            "parsed": None if client.certificate is None else client.certificate.subject.rfc4514_string(),
        }
    )


def flask_app() -> Flask:
    """Takes its settings from a variable, as a dict that stands in `app.config`."""
    app = Flask(__name__)
    app.secret_key = "for these tests only"  # noqa: S105
    app.config.update(json.loads(os.environ.get("SITE_CONFIG", "{}")))
    app.add_url_rule("/", "index", lambda: _said(flask_tlsrun.tls))
    app.add_url_rule("/all", "all", flask_tlsrun.require_client_cert(lambda: "in"))
    only_jo = flask_tlsrun.require_client_cert(subject="CN=Jo,O=Acme\\, Inc.,C=DE")
    app.add_url_rule("/jo", "jo", only_jo(lambda: "in"))
    return app


def bottle_app() -> bottle.Bottle:
    """Takes its settings from an ini file, if one is named."""
    app = bottle.Bottle()
    if "SITE_INI" in os.environ:
        app.config.load_config(os.environ["SITE_INI"])
    app.route("/", callback=lambda: _said(bottle_tls.tls))
    app.route("/all", callback=bottle_tls.require_client_cert(lambda: "in"))
    only_jo = bottle_tls.require_client_cert(subject="CN=Jo,O=Acme\\, Inc.,C=DE")
    app.route("/jo", callback=only_jo(lambda: "in"))
    return app
