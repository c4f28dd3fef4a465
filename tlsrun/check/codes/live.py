"""Findings on a server that runs, seen from outside as a client sees it."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS401",
        "no-answer",
        "Nothing answers at the address",
        "No connection can be made, so nobody is served.",
        "Start the server; then see whether it listens there (`ss -ltn`), and whether a firewall is in the way.",
    ),
    error(
        "TLS402",
        "handshake-fails",
        "The TLS handshake fails",
        "Every client with current software fails in the same way.",
        "Look into the server's log. `openssl s_client -connect HOST:PORT -servername HOST` shows the same from "
        "outside.",
    ),
    error(
        "TLS403",
        "not-trusted",
        "The certificate is not trusted",
        "Browsers show a warning in place of the page; programs stop.",
        "Serve a certificate of a CA that your clients know, with its chain. For an authority of your own: "
        "`tlsrun check --ca ca.pem`.",
    ),
    error(
        "TLS404",
        "wrong-name",
        "The certificate served is not for this host",
        "Browsers show a warning in place of the page; programs stop.",
        "Have one issued for this name, or, where several certificates are served, one for it in TLS_SNI (`--sni`).",
    ),
    info(
        "TLS405",
        "development-trust",
        "Only programs that know the development CA trust the certificate",
        "It is this machine's own. Browsers accept it once they are told to.",
        "`tlsrun trust` tells browsers and programs on this machine; curl takes `--cacert rootCA.pem`.",
    ),
    error(
        "TLS406",
        "sent-incomplete",
        "The chain that the server sends is incomplete",
        "Clients know roots, not intermediates. Browsers fetch or remember some of them, so it seems to work; curl, "
        "Python, Java and phones fail.",
        "Let the server send the intermediate: name certbot's `fullchain.pem`, or put it behind the certificate.",
    ),
    warning(
        "TLS407",
        "sent-disorder",
        "The chain that the server sends is out of order, or holds what does not belong",
        "Older clients take the chain as it comes (RFC 5246, section 7.4.2), and refuse this one.",
        "Send the server's own certificate first, then each one's issuer, and nothing else.",
    ),
    info(
        "TLS408",
        "sent-root",
        "The server sends the root as well",
        "Clients must have it themselves. It makes every handshake longer.",
        "Remove the root from the file with the chain.",
    ),
    warning(
        "TLS409",
        "suite-weak",
        "The server accepts weak cipher suites",
        "A client that offers nothing better gets them. Static RSA has no forward secrecy; CBC, 3DES and RC4 can be "
        "attacked; anonymous and NULL suites protect nothing (RFC 9325, section 4).",
        "Leave TLS_CIPHERS out for the suites of Mozilla's profile. nginx: the `ssl_ciphers` of Mozilla's generator.",
    ),
    warning(
        "TLS410",
        "old-protocol",
        "The server speaks a version of TLS that is forbidden",
        "TLS 1.0 and 1.1 rest on MD5 and SHA-1 (RFC 8996), SSL 3.0 is broken (RFC 7568).",
        "Allow 1.2 and 1.3 only. nginx: `ssl_protocols TLSv1.2 TLSv1.3;`.",
    ),
    warning(
        "TLS411",
        "no-tls13",
        "The server does not speak TLS 1.3",
        "It saves a round trip, hides the certificate from listeners, and has no weak suites left to choose.",
        "Leave TLS_MAX_VERSION out. nginx: `ssl_protocols TLSv1.2 TLSv1.3;`. Behind other servers: OpenSSL 1.1.1 or "
        "newer.",
    ),
    info(
        "TLS412",
        "no-tls12",
        "The server speaks TLS 1.3 only",
        "So the profile *modern* wants it. Clients from before 2019 cannot connect.",
        "If they should: TLS_PROFILE = intermediate.",
    ),
    error(
        "TLS413",
        "not-the-one-on-disk",
        "The certificate that is served is not the one on the disk",
        "It was renewed, and the server still serves the old one: it expires while everything looks well.",
        "Let the server read it again: SIGHUP, or a restart; with `reload` on, tlsrun does so by itself within "
        "seconds. `tlsrun status` says what the last attempt failed of.",
    ),
    error(
        "TLS414",
        "stalls",
        "A few clients that stay silent stop the server",
        "They connect and say nothing; the server waits for them inside `accept()`, or with all its threads, and "
        "answers nobody else. A phone that loses its network is enough.",
        'Serve with `flask tlsrun`, `tlsrun run` or `bottle.run(server="tls")`, which hold such clients off, or put '
        "a proxy in front.",
    ),
    info(
        "TLS415",
        "http-unanswered",
        "Plain HTTP on the TLS port gets no answer",
        "Who types http:// with the port sees an error of the browser.",
        "Nothing. The built-in server, gunicorn and uWSGI send a redirect under tlsrun.",
    ),
    warning(
        "TLS416",
        "http-content",
        "The TLS port serves pages over plain HTTP as well",
        "What was meant to be protected is served without protection.",
        "Turn plain HTTP on this port off.",
    ),
    warning(
        "TLS417",
        "no-redirect",
        "Plain HTTP is not redirected to HTTPS",
        "Who types the name without https:// stays unprotected.",
        "Answer with 308 and a Location of https://: TLS_REDIRECT_PORT = 80 (`--redirect-port 80`). "
        "nginx: `return 308 https://$host$request_uri;`.",
    ),
    info(
        "TLS418",
        "http-closed",
        "Nothing listens for plain HTTP",
        "Browsers try https:// first by now; older ones and scripts say that the site is down.",
        "TLS_REDIRECT_PORT = 80 (`--redirect-port 80`) opens a port that redirects, and does nothing else.",
    ),
    info(
        "TLS419",
        "no-hsts",
        "No Strict-Transport-Security is sent",
        "Who types the name without https:// comes over plain HTTP first, where anybody on the way can answer "
        "(RFC 6797). It takes HSTS for a grade of A+.",
        "When every page works over HTTPS: TLS_HSTS = 63072000 (`--hsts 63072000`).",
    ),
    info(
        "TLS420",
        "short-hsts",
        "Strict-Transport-Security holds for less than 180 days",
        "Who comes seldom is not protected. It takes 180 days for a grade of A+; Mozilla wants two years.",
        "TLS_HSTS = 63072000 (`--hsts 63072000`).",
    ),
    warning(
        "TLS421",
        "hsts-localhost",
        "Strict-Transport-Security is sent for localhost",
        "A browser then refuses plain HTTP on every port of localhost, for all other projects too.",
        "Do not send it there; tlsrun never does.",
    ),
    info(
        "TLS422",
        "no-resumption",
        "Sessions are not resumed, or not by every process",
        "Each connection pays a whole handshake. Usually the workers do not share a ticket key.",
        "Serve with tlsrun, which makes one context before the workers are forked. "
        "nginx: `ssl_session_cache shared:…`.",
    ),
    warning(
        "TLS423",
        "http-fails",
        "The handshake works, and the request gets no good answer",
        "Nothing came that is HTTP, or a status from 500 up: TLS is well, what is behind it is not.",
        "Look into the server's log; behind a proxy, see whether the application runs.",
    ),
    info(
        "TLS424",
        "client-certificate",
        "The server asks for a client certificate",
        "Without one only the handshake can be looked at, not what is behind it.",
        "Nothing, if so it is meant (TLS_CLIENT_AUTH = required).",
    ),
    info(
        "TLS425",
        "not-running",
        "The server does not run now",
        "What is configured was looked at, not what is served.",
        "Start it, and check again; or name what runs: `tlsrun check --url https://example.org`.",
    ),
    info(
        "TLS426",
        "unfinished",
        "There was no time for everything",
        "The server answers too slowly for all questions to be asked.",
        "Check again when it is less busy.",
    ),
)
