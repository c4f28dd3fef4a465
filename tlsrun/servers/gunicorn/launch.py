"""One start of gunicorn: over our TLS, or over plain HTTP behind a platform's edge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.forking.main_thread import need_the_main_thread
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.gunicorn.options import read


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until gunicorn is told to stop (SIGTERM, SIGINT).

    ``gunicorn.conf.py`` and ``GUNICORN_CMD_ARGS`` are not read: ``server_options`` takes their place.

    Returns:
        the master's exit code. In the workers, which are forked from here, SystemExit passes through.

    Raises:
        ConfigurationError: see `tlsrun.servers.server.Server.launch`.
    """
    need_the_main_thread("gunicorn", "gunicorn")
    settings = read(plan)
    # Imported here, because gunicorn cannot be imported everywhere.
    if plan.platform is not None:
        from tlsrun.servers.gunicorn.plain import serve

        return serve(plan, application, settings)
    from tlsrun.servers.gunicorn import application as embedded
    from tlsrun.servers.gunicorn import sockets, workers

    classes = {"gthread": workers.TLSThreadWorker, "sync": workers.TLSSyncWorker}
    settings["worker_class"] = classes[settings["worker_class"]]
    ends_here(partial(certificates_of, plan))
    taken_over = sockets.are_handed_over()
    plan, settings["bind"] = sockets.prepare(plan, settings["bind"], backlog=settings.get("backlog", 2048))
    try:
        return embedded.exit_code(embedded.HTTPSApplication(plan, application, settings))
    except Exception:
        # The master did not start: workers leave by SystemExit only.
        if not taken_over:
            sockets.remove_files(plan)
        raise
