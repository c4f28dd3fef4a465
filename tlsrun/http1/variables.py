"""Header fields as variables of environ (RFC 3875, section 4.1.18), for every server whose parser we control."""

from __future__ import annotations

import functools
from collections.abc import Iterable

#: Fields that never reach the application. ``Proxy`` would become HTTP_PROXY, where programs started by the application
#: look for their proxy (httpoxy, CVE-2016-5385). Transfer-Encoding was about the connection: the body is already
#: decoded.
NEVER = frozenset((b"proxy", b"transfer-encoding"))

_COOKIE = "HTTP_COOKIE"


def variables(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The variables for a request's header lines.

    A field that comes again is one more member of a list (RFC 9110, section 5.3); cookies are joined as browsers
    write them (RFC 9113, section 8.2.3).

    Arguments:
        lines: names and values.
    """
    found: dict[str, str] = {}
    for name, octets in lines:
        variable = variable_of(name)
        if variable is None:
            continue
        value = octets.decode("latin-1")
        if variable in found:
            between = "; " if variable == _COOKIE else ","
            value = f"{found[variable]}{between}{value}"
        found[variable] = value
    return found


@functools.lru_cache(maxsize=512)
def variable_of(name: bytes) -> str | None:
    """The variable for a field; None for one of `NEVER`, and for one that could be mistaken for another field's.

    A name with an underscore is the same variable as the one with a hyphen (CVE-2015-0219).
    """
    if b"_" in name or name.lower() in NEVER:
        return None
    variable = name.decode("ascii").upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"
