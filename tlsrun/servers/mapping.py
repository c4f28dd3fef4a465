"""How settings take effect on a server by default: in our TLS, and in the middleware around the application."""

from __future__ import annotations

from tlsrun.settings.mapping import Cell, Ours

_AROUND = Ours("the middleware around the application")
_REDIRECT = Ours("the redirect listener")

_USUAL: dict[str, Cell] = {
    "server": Ours("this one"),
    "client_facts": Ours("a client's certificate is in environ"),
    "redirect_port": Ours("a listener of its own"),
    "hosts": _REDIRECT,
    "acme_webroot": _REDIRECT,
    "hsts": Ours("a header added to the application's answers"),
    "trusted_proxies": _AROUND,
    "proxy": _AROUND,
    "proxy_drops_underscores": Ours("dropped here in any case"),
    "redirect_exempt": _AROUND,
}

_TLS = (
    "cert", "key", "key_password", "key_password_file", "key_password_command", "chain", "profile", "min_version",
    "max_version", "ciphers", "groups", "context_hook", "sni", "sni_strict", "client_ca", "client_auth", "client_crl",
)  # fmt: skip


def cells(*, tls: Cell, listener: Cell, **own: Cell) -> dict[str, Cell]:
    """Return a server's cell for each setting, as in the table of the documentation.

    Arguments:
        tls: the cell of all settings about certificates and TLS.
        listener: the cell of the settings for addresses and ports.
        own: cells that differ from the usual ones, by setting.
    """
    return {**dict.fromkeys(_TLS, tls), **dict.fromkeys(("host", "port", "bind"), listener), **_USUAL, **own}
