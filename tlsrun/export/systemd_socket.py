"""The .socket unit of a service (systemd.socket(5)): where systemd listens, and who may connect."""

from __future__ import annotations

from collections.abc import Sequence

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.export.quoting import specifiers
from tlsrun.export.site import Site
from tlsrun.listening.address import Place, UnixSocket, takes_both_families


def listened_at(places: Sequence[Place]) -> tuple[list[str], list[str]]:
    """The values of ListenStream=, and the options that they need (systemd.socket(5)).

    Raises:
        ConfigurationError: there are Unix sockets with different permissions, which one unit cannot express.
    """
    streams, lines = [], []
    unix = [place for place in places if isinstance(place, UnixSocket)]
    for place in places:
        if isinstance(place, UnixSocket):
            streams.append(specifiers(place.path))
        elif place.host in ("", "::"):
            streams.append(str(place.port))
            both = not place.host or takes_both_families(place, places)
            lines.append(f"BindIPv6Only={'both' if both else 'ipv6-only'}")
        else:
            streams.append(place.authority)
    if len(unix) < len(places):
        lines.append("NoDelay=yes")
    rights = dict.fromkeys((place.mode, place.owner, place.group) for place in unix)
    if len(rights) > 1:
        raise ConfigurationError.of(
            where="bind",
            what="one .socket unit gives all Unix sockets the same mode, owner and group",
            remedy="Give them the same, or write a unit for each",
        )
    for mode, owner, group in rights:
        lines += [f"SocketMode=0{mode:o}", *([f"SocketUser={owner}"] if owner else [])]
        lines += [f"SocketGroup={group}"] if group else []
    return streams, list(dict.fromkeys(lines))


def socket_unit(plan: Plan, site: Site, described: str) -> str:
    """The text of the unit.

    Arguments:
        described: the application, for Description=.

    Raises:
        ConfigurationError: see `listened_at`.
    """
    if site.form == "tls":
        places, more = listened_at([listener.place for listener in plan.listeners])
        what = "HTTPS port"
    else:
        places = [site.socket]
        what = "Socket"
        more = ["# Who may connect: the account of the front.", "SocketMode=0660", "SocketGroup=www-data"]
        if not site.is_unix:
            more = ["NoDelay=yes"]
    lines = [
        "[Unit]",
        f"Description={what} of {described}",
        "",
        "[Socket]",
        *(f"ListenStream={place}" for place in places),
        "Backlog=1024",
        *more,
        "",
        "[Install]",
        "WantedBy=sockets.target",
    ]
    return "\n".join(lines) + "\n"
