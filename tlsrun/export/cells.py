"""The cells of a target's MAPPING: which settings its file can express, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tlsrun.settings.mapping import Cell, Ours, Unsupported
from tlsrun.settings.table import SPECS

_SAID = Ours("in the file")
_ONE_PLACE = Unsupported("is told host and port (TLS_HOST, TLS_PORT)", accepts=((),))


@dataclass(frozen=True)
class LeftOut(Ours):
    """A setting that the file leaves out without harm; if it is given, a note in the file says who handles it.

    Arguments:
        how: why it is left out, as a clause whose subject is the setting.
        remedy: what to do instead.
        accepts: values that need no note.
    """

    remedy: str = "Leave it out"
    accepts: tuple[Any, ...] = ()


_PASSWORD = Unsupported("is given no passwords: its keys are files that only root reads", accepts=(None,))
_ACCOUNT = Unsupported("has its own account, set where it is started", accepts=(None,))

#: For every program that terminates TLS itself: what only our own TLS can do, and what the program handles.
FOREIGN: Mapping[str, Cell] = {
    "context_hook": Unsupported("ends TLS itself, so no Python function can adapt it", accepts=(None,)),
    "key_password": _PASSWORD,
    "key_password_file": _PASSWORD,
    "key_password_command": _PASSWORD,
    "chain": Unsupported("wants certificate and chain in one file (`tlsrun cert bundle` makes it)", accepts=((),)),
    "user": _ACCOUNT,
    "group": _ACCOUNT,
    "server_options": Unsupported("has no options of a Python server", accepts=({},)),
    "client_facts": Ours("told to the application"),
    "trusted_proxies": Ours("the application's side; with proxy_protocol, who says there who the client is"),
    "proxy": Ours("the application's side"),
    "redirect_exempt": Ours("the application's side"),
    "proxy_drops_underscores": Ours("the application's side"),
}


def cells(*parts: Mapping[str, Cell], **cannot: Cell) -> dict[str, Cell]:
    """A cell for every setting; by default the file expresses it.

    Arguments:
        parts: cells for several settings; later ones win.
        cannot: cells for single settings; they win over ``parts``.
    """
    made: dict[str, Cell] = {**dict.fromkeys(SPECS, _SAID), "bind": _ONE_PLACE}
    for part in (*parts, cannot):
        made.update(part)
    return made


def no_option(what: str, *accepts: object) -> Unsupported:
    """The program has no option for this setting.

    Arguments:
        what: completes "has no …".
        accepts: values that need no such option.
    """
    return Unsupported(f"has no {what}", accepts=accepts)


def read_when_told(when: str) -> LeftOut:
    """The setting ``reload`` for a program that does not watch files.

    Arguments:
        when: when it reads certificates.
    """
    return LeftOut(f"the program reads certificates {when} only", "Let certbot's deploy hook do that", accepts=(False,))


#: For a file that starts `tlsrun run`, which takes every setting from its environment.
OURS: Mapping[str, Cell] = dict.fromkeys(SPECS, Ours("in the environment of `tlsrun run`"))

#: For a container that runs the Dockerfile's image.
_EVERY_ADDRESS = "place to listen but every address of its container"
_OWN_ACCOUNT = no_option("account of this machine; the image has its own", None)
CONTAINER: Mapping[str, Cell] = {
    **OURS,
    "bind": no_option(_EVERY_ADDRESS, ()),
    "host": no_option(_EVERY_ADDRESS, "0.0.0.0", "::"),  # noqa: S104 -- text of a file
    "user": _OWN_ACCOUNT,
    "group": _OWN_ACCOUNT,
}

#: Settings that concern TLS and its port, for files of an application whose TLS ends elsewhere.
OF_TLS = (
    "cert", "key", "key_password", "key_password_file", "key_password_command", "chain", "http", "profile",
    "min_version", "max_version", "ciphers", "groups", "context_hook", "reload", "sni", "sni_strict", "client_ca",
    "client_auth", "client_crl", "client_facts", "redirect_port", "acme_webroot", "proxy_protocol",
    "handshake_timeout",
)  # fmt: skip
