"""Findings on pages, seen from outside: usually the application does not know of the proxy in front of it."""

from __future__ import annotations

from tlsrun.check.code import error, warning

_TELL = "name the proxy in TLS_TRUSTED_PROXIES (`--trusted-proxies`), and which it is in TLS_PROXY (`--proxy`)"

CODES = (
    error(
        "TLS430",
        "redirect-loop",
        "Redirects lead round in a circle",
        "Browsers give up (ERR_TOO_MANY_REDIRECTS). Usually the proxy speaks plain HTTP to the application, which "
        "takes that for the client's and redirects to https, for ever.",
        f'Let the application hear of the client\'s https: {_TELL}. At Cloudflare: SSL mode "Full (strict)", not '
        '"Flexible".',
    ),
    warning(
        "TLS431",
        "http-links",
        "Pages over https lead back to http://",
        "The application takes the client's scheme for http: url_for(_external=True) and redirects give away that "
        "somebody was here, and fail where plain HTTP is closed.",
        f"Behind a proxy, {_TELL}. Links that are written out: make them https://, or begin with a slash.",
    ),
    warning(
        "TLS432",
        "mixed-content",
        "A page over https loads parts over http://",
        "Browsers block scripts, styles and frames that come over http, so the page is broken; pictures can be seen "
        "and changed on the way.",
        f"Make their addresses https://, or begin with a slash. Where url_for makes them, {_TELL}.",
    ),
    warning(
        "TLS433",
        "address-lost",
        "A proxy stands in front, and the application does not trust it",
        "The application sees the proxy's address for every client: logs say nothing, limits for each address hit "
        "everybody at once. Its scheme is the one that the proxy speaks.",
        f"{_TELL[0].upper()}{_TELL[1:]}.",
    ),
    warning(
        "TLS434",
        "double-hsts",
        "Strict-Transport-Security is sent more than once",
        "A browser goes by the first one alone (RFC 6797, section 8.1), so what the other says is void, and whoever "
        "changes it wonders.",
        "Let one send it: TLS_HSTS = 0 (`--hsts 0`) leaves it to the proxy; or take it out there. An answer of the "
        "application's that has one keeps it: tlsrun adds no second.",
    ),
    warning(
        "TLS435",
        "cookie-unprotected",
        "A cookie is set over https without Secure",
        "A browser sends it over plain HTTP too, where anybody on the way can read it. Usually the application takes "
        "the connection for http.",
        f"Behind a proxy, {_TELL}; then the session cookie is Secure by itself under tlsrun. For others: "
        "SESSION_COOKIE_SECURE = True, set_cookie(…, secure=True).",
    ),
)
