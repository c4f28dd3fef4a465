"""Findings about the server that is chosen: whether it can run here, and what it can."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS301",
        "server-missing",
        "The server cannot run here",
        "It is not installed, or not made for this system.",
        'Install it, as `pip install "tlsrun[gunicorn]"`, or choose another: TLS_SERVER (`--server`).',
    ),
    info(
        "TLS302",
        "server-version",
        "The server, and what it runs on",
        "To compare with what others report.",
        "Nothing.",
    ),
    info(
        "TLS303",
        "uwsgi-ssl",
        "Whether this uWSGI can speak TLS itself",
        "PyPI's wheels are built without SSL: `--https` is an unknown option, and `https =` in an ini file is ignored "
        "without a word. Here the edge ends TLS in front of it, so that either kind serves HTTPS alike.",
        "Nothing, under `tlsrun run` and `flask tlsrun`. For uWSGI's own `--https`, build it with SSL: "
        "`pip install --no-binary=pyuwsgi pyuwsgi`.",
    ),
    info(
        "TLS304",
        "http-versions",
        "The HTTP versions that are spoken",
        "HTTP/1.1 is spoken by every client. HTTP/2 asks for many things at once over one connection.",
        "Nothing. For HTTP/2 use a server that speaks it (`--server granian`), or a proxy in front.",
    ),
    warning(
        "TLS305",
        "openssl-old",
        "Python uses an OpenSSL that gets no security fixes any more",
        "OpenSSL 1.1.1 ended in September 2023. What is found in it since stays open.",
        'Use a Python that is linked with OpenSSL 3: `python -c "import ssl; print(ssl.OPENSSL_VERSION)"`.',
    ),
    warning(
        "TLS306",
        "builtin-public",
        "The built-in server on an address that others can reach",
        "It is made for a person who develops: one process, and no limits against clients that mean harm.",
        "Use gunicorn or uWSGI: TLS_SERVER (`--server gunicorn`).",
    ),
)
