"""Findings in the application: whether it can be imported, and knows that it is served over HTTPS."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS501",
        "app-not-found",
        "The application that is named does not exist",
        "There is nothing to serve.",
        "Write it as `module:name`, a file, or `module:factory()`.",
    ),
    error(
        "TLS502",
        "import-fails",
        "The application cannot be imported as a library",
        "So flask, gunicorn, uWSGI and mod_wsgi import it: under its dotted name, from the folder above its packages.",
        "Fix what the message says; docs/how-to/import-errors.md explains the usual ones.",
    ),
    warning(
        "TLS503",
        "script-fails",
        "The application cannot be run as a script",
        "`python main.py` runs the file as `__main__`, with its own folder first on the path; imports that need the "
        "package fail then.",
        "Start it as `python -m pkg.main`, or as a library: `tlsrun run pkg.main:app`.",
    ),
    warning(
        "TLS504",
        "imports-differ",
        "The application differs between script and library",
        "An import finds another module, or none, or pages are missing, depending on how it is started.",
        "Write imports that work both ways; docs/how-to/import-errors.md shows how.",
    ),
    warning(
        "TLS505",
        "imported-twice",
        "One file is imported twice, and makes two applications",
        "Under two names it is two modules: what one registers, the other does not know. Pages answer 404 that are "
        "there in the source.",
        "Move the application into a file of its own that all others import.",
    ),
    warning(
        "TLS506",
        "run-unguarded",
        "run() is called while the module is imported",
        "flask, gunicorn and uWSGI import the module; a server that starts itself then never comes back. Here such a "
        "call is ignored. gunicorn's own command would start the development server instead, without TLS.",
        'Call it under a guard: `if __name__ == "__main__":`.',
    ),
    error(
        "TLS507",
        "https-unseen",
        "The application does not see that the connection is HTTPS",
        "It makes links and redirects that begin with http://, and cookies that are not Secure. Something between "
        "server and application changes `wsgi.url_scheme`.",
        "Find the middleware that does, in what is put around `app.wsgi_app`.",
    ),
    warning(
        "TLS508",
        "headers-believed",
        "The application believes X-Forwarded headers from anybody",
        "tlsrun removes these headers, but of trusted proxies, whose word it writes into environ itself: so ProxyFix "
        "does nothing here. Under a server without tlsrun clients can claim another scheme, host or address with it.",
        "Take ProxyFix out; if a proxy stands in front, set TLS_TRUSTED_PROXIES to its address, and TLS_PROXY.",
    ),
    warning(
        "TLS509",
        "url-for-http",
        "Links made with url_for(_external=True) begin with http://",
        "They are sent by mail and to other services, and lead to plain HTTP.",
        'Set PREFERRED_URL_SCHEME to "https"; `TLSRun(app)` does it.',
    ),
    warning(
        "TLS510",
        "cookie-insecure",
        "The session cookie is sent over plain HTTP too",
        "Without Secure a browser sends it to http:// as well, where anybody on the way reads it and is logged in.",
        "Put `TLSRun(app)` around the application, start it with `flask tlsrun`, or set SESSION_COOKIE_SECURE = True.",
    ),
    warning(
        "TLS511",
        "cookie-scripts",
        "Scripts may read the session cookie",
        "One hole in a page, through which somebody's script gets in, and the session is stolen.",
        "Leave SESSION_COOKIE_HTTPONLY out; Flask's default is on.",
    ),
    info(
        "TLS512",
        "set-cookie",
        "A cookie is set without secure=True",
        "A browser sends it to http:// as well.",
        "Add it: `response.set_cookie(name, value, secure=True, httponly=True)`.",
    ),
    error(
        "TLS513",
        "import-hangs",
        "The import does not come to an end",
        "It waits for something (a database, another service, input), or starts a server that is not known here.",
        'Move what waits out of the module\'s body, and the start of a server under `if __name__ == "__main__":`.',
    ),
    info(
        "TLS514",
        "no-application",
        "No application was looked at",
        "None is named, and there is no wsgi.py or app.py here: what its configuration says is not known.",
        "Name it: `tlsrun check hello:app`.",
    ),
    info(
        "TLS515",
        "run-keywords",
        "Settings are given to run() itself",
        "They count when the script is started, and there only: `flask tlsrun`, `tlsrun run` and this check do not "
        "see them.",
        "Write them into the application's configuration, where every way to start it reads them; or check with the "
        "same flags.",
    ),
    error(
        "TLS516",
        "patched",
        "gevent or eventlet has replaced Python's threads and sockets",
        "The servers here are made of Python's own when they are imported, and no longer fit what has been put in "
        "their place afterwards: a context calls itself without an end, a lock is of another kind. So none of them "
        "starts.",
        "Leave the call out: a thread for each request does what it was for, until there are thousands at a time. Or "
        "serve with gevent behind a front that ends TLS: docs/how-to/imported-once.md shows how.",
    ),
    info(
        "TLS517",
        "import-threads",
        "The import starts threads",
        "gunicorn, uWSGI, Granian and Hypercorn fork their workers from the process that has imported the application, "
        "and a fork takes no thread along but its own: a scheduler, a cache or a queue that is started by the import "
        "does nothing where requests are answered, unless its library starts it again.",
        "Start them in each worker, or in a process of their own: docs/how-to/imported-once.md.",
    ),
)
