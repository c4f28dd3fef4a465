"""The command `flask tlsrun`: everything that `flask run` takes, and every setting."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo, SeparatedPathType, pass_script_info
from flask.helpers import get_debug_flag

from flask_tlsrun.extension import app_layers, prefer_https
from flask_tlsrun.run_variables import run_layer
from tlsrun.apps import import_hint, second_import_warning
from tlsrun.cli.console import fail_import
from tlsrun.cli.launching import Job, serve_or_exit
from tlsrun.cli.options import command_line_layers, setting_options
from tlsrun.deciding.plan import Development
from tlsrun.settings.layers import Given, Layer, environment_layer
from tlsrun.started import WERKZEUG_CHILD


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool | None) -> None:
    if value is not None:
        os.environ["FLASK_DEBUG"] = "1" if value else "0"


@click.command("tlsrun", short_help="Serve the application over HTTPS.")
@setting_options
@click.option(
    "--debug/--no-debug", default=None, is_eager=True, expose_value=False, callback=_set_debug, help="Set debug mode."
)
@click.option("--reload/--no-reload", default=None, help="Restart when code changes. Active with --debug.")
@click.option("--debugger/--no-debugger", default=None, help="The debugger in the browser. Active with --debug.")
@click.option("--with-threads/--without-threads", default=True, help="Answer requests in threads (built-in server).")
@click.option("--extra-files", type=SeparatedPathType(), help=f"More files to reload on, separated by {os.pathsep!r}.")
@click.option(
    "--exclude-patterns",
    type=SeparatedPathType(),
    help=f"Patterns (fnmatch) of files not to reload on, separated by {os.pathsep!r}.",
)
@click.option("--quiet", is_flag=True, help="Print no banner and no access log.")
@pass_script_info
@click.pass_context
def tlsrun_command(
    context: click.Context,
    info: ScriptInfo,
    /,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
    quiet: bool,
    **values: Any,
) -> None:
    """Serve the Flask application over HTTPS.

    \b
    flask tlsrun                                      TLS_CERT and TLS_KEY of app.config, or a development certificate
    flask tlsrun --server gunicorn --workers 2        the same application and settings, under gunicorn
    flask --app pkg.main:create_app tlsrun --port 8443 --debug
    flask tlsrun --host 0.0.0.0 --port 443 --cert fullchain.pem --key privkey.pem

    Settings that are not given here come from the environment (FLASK_TLSRUN_*, TLSRUN_*), then from app.config; host,
    port, certificate and key at last from FLASK_RUN_HOST, FLASK_RUN_PORT, FLASK_RUN_CERT and FLASK_RUN_KEY.
    """
    app, broken = _load(info)
    layers = command_line_layers(context, values)
    if not with_threads:
        layers.insert(0, Layer(name="command line", given={"threads": Given(value=1, spelling="--without-threads")}))
    layers += app_layers(app) if app else [environment_layer()]
    warning = second_import_warning(app.import_name) if app else None
    job = Job(
        application=app or broken,
        framework="flask",
        layers=[*layers, run_layer(os.environ, layers)],
        name=info.app_import_path or (app.import_name if app else ""),
        development=Development(
            reload=reload,
            debugger=debugger,
            debug=get_debug_flag(),
            extra_files=tuple(extra_files or ()),
            exclude_patterns=tuple(exclude_patterns or ()),
        ),
        quiet=quiet,
        warnings=(warning,) if warning else (),
    )
    context.exit(serve_or_exit(job))


def _load(info: ScriptInfo) -> tuple[Flask | None, Callable[..., Any]]:
    """The application; or, while the reloader waits for an error to be fixed, one that raises that error."""
    try:
        app = info.load_app()
        prefer_https(app)
        return app, _nothing
    except click.UsageError as error:
        failed = _raised_in_the_import(error)
        if failed is not None:
            return _not_imported(failed, info)
        hint = import_hint(error, info.app_import_path or "")
        if hint:
            raise click.UsageError(f"{error.message}\n\nHint: {hint}", error.ctx) from error
        raise
    except Exception as error:
        return _not_imported(error, info)


def _raised_in_the_import(error: click.UsageError) -> ImportError | None:
    """An ImportError from inside the application that Flask reports as a usage error; None for a real usage error.

    As in Flask: the module itself was found if the traceback has more than its import.
    """
    raised = error.__context__
    if isinstance(raised, ImportError) and raised.__traceback__ is not None and raised.__traceback__.tb_next:
        return raised
    return None


def _not_imported(error: Exception, info: ScriptInfo) -> tuple[None, Callable[..., Any]]:
    if os.environ.get(WERKZEUG_CHILD) != "true":
        fail_import(error, info.app_import_path or "")
    traceback.print_exception(error)
    return None, _raising(error)


def _nothing(environ: Any, start_response: Any) -> list[bytes]:
    return []


def _raising(error: Exception) -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise error from None

    return application
