"""The environment variables of `flask run`, as fallbacks for `flask tlsrun`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlsrun.settings.layers import Given, Layer


def run_layer(environ: Mapping[str, str], others: Sequence[Layer]) -> Layer:
    """``FLASK_RUN_HOST``, ``FLASK_RUN_PORT``, ``FLASK_RUN_CERT`` and ``FLASK_RUN_KEY``, below every setting of ours.

    Certificate and key belong together: if either is given elsewhere, neither is used; nor are host and port with
    ``bind``.

    Arguments:
        others: all other layers.
    """
    given = {name for layer in others for name in (*layer.given, *layer.fallback)}
    taken: list[str] = []
    if not given & {"cert", "key"}:
        taken += ["cert", "key"]
    if "bind" not in given:
        taken += ["host", "port"]
    found = {name: environ.get(f"FLASK_RUN_{name.upper()}", "") for name in taken}
    return Layer(
        name="environment",
        fallback={
            name: Given(value=value, spelling=f"FLASK_RUN_{name.upper()} in the environment")
            for name, value in found.items()
            if value
        },
    )
