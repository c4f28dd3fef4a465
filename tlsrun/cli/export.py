"""`tlsrun export`: the configuration as another program's own file."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tlsrun import export
from tlsrun.apps import App
from tlsrun.apps.layers import app_layers
from tlsrun.cli.console import fail, say, warn
from tlsrun.cli.loading import load_app
from tlsrun.cli.options import command_line_layers, setting_options, with_options
from tlsrun.cli.writing import write_file
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, TLSRunError, did_you_mean
from tlsrun.export.given import given, given_here, unwritable
from tlsrun.export.lists import unlisted
from tlsrun.export.notes import notes
from tlsrun.export.paths import awkward
from tlsrun.export.planning import Decided, plan_for
from tlsrun.export.site import Site
from tlsrun.export.versions import nginx_version
from tlsrun.settings.layers import Layer, default_layer, environment_layer, resolve

#: The options that every form of the command has, besides those of the settings.
export_options = with_options(
    click.option(
        "--upstream",
        metavar="FORM",
        help="What requests are handed to. nginx: http or uwsgi; apache: "
        "wsgi (mod_wsgi) or proxy; haproxy: http, or tls to pass TLS through; systemd: tls to end it "
        "there, http or uwsgi behind a front; uwsgi-ini: edge, or native for a uWSGI with SSL.",
    ),
    click.option(
        "--socket",
        metavar="SOCKET",
        help="Where the application listens, behind a front: a path, or HOST:PORT.  [default: /run/NAME/app.sock]",
    ),
    click.option("--name", metavar="NAME", help="Of sockets, units and upstreams.  [default: the module's]"),
    click.option(
        "--machine",
        "machines",
        metavar="HOST:PORT",
        multiple=True,
        help="A machine that TLS is passed through to (haproxy --upstream tls); may be repeated.",
    ),
    click.option(
        "--nginx-version",
        metavar="VERSION",
        help="Of the nginx that the file is for.  [default: of the one that is installed here]",
    ),
    click.option(
        "--certificates",
        metavar="FOLDER",
        default="/etc/haproxy/certs",
        show_default=True,
        help="Where HAProxy's own files of certificate and key are.",
    ),
    click.option(
        "-o",
        "--output",
        type=click.Path(allow_dash=True, path_type=Path),
        default="-",
        metavar="FILE",
        help="What to write; for systemd the folder of its units, which is made.  [default: standard output]",
    ),
    click.option("--force", is_flag=True, help="Write over another file."),
)


@click.command("export")
@click.argument("target")
@click.argument("app", required=False)
@export_options
@setting_options
@click.pass_context
def export_command(context: click.Context, /, target: str, app: str | None, **values: Any) -> None:
    """Write the configuration as another program's own file.

    \b
    tlsrun export nginx hello:app --cert fullchain.pem --key privkey.pem
    tlsrun export nginx hello:app --cert fullchain.pem --key privkey.pem --upstream uwsgi -o hello.conf
    tlsrun export caddy hello:app --hosts example.org      with a certificate that Caddy obtains
    tlsrun export haproxy --upstream tls --machine 10.0.0.1:443 --machine 10.0.0.2:443
    tlsrun export systemd hello:app --cert fullchain.pem --key privkey.pem -o units
    tlsrun export procfile hello:app -o Procfile

    \b
    TARGET is one of
      nginx, apache, haproxy, caddy             TLS ends there, in front of the application
      uwsgi-ini, gunicorn-conf, hypercorn-toml  a server by its own command
      systemd, procfile                         a service; Heroku and its like
      dockerfile, compose, kubernetes           containers

    APP and the settings are those of `tlsrun run`, and the certificate is what is set there: TLS_CERT and TLS_KEY in
    the application's configuration, TLSRUN_CERT and TLSRUN_KEY in the environment, or --cert and --key. A front listens
    on the ports 443 and 80 of all addresses unless told otherwise. What the target cannot say is an error, and nothing
    is written. The comment on top of the file says where it belongs and how the application's side is started.
    """
    export_file(context, values, target=target, app=app)


def export_file(context: click.Context, values: dict[str, Any], *, target: str, app: str | None) -> None:
    """Do what `tlsrun export` and `flask tls export` do.

    Arguments:
        values: click's parameters.
        app: the application's name; None for the one that is found without a name.

    Raises:
        SystemExit: with the code 2 if something that was given cannot be exported.
    """
    known_target(target)
    needs_app = not (target == "haproxy" and values["upstream"] == "tls")
    found = load_app(app) if needs_app or app is not None else None
    layers = [environment_layer(), *(app_layers(found) if found else [])]
    write_export(context, values, target=target, app=found, layers=layers)


def known_target(target: str) -> None:
    """Exit with an error if there is no such target.

    Raises:
        SystemExit: with the code 2.
    """
    if target in export.TARGETS:
        return
    meant = export.MEANT.get(target.lower())
    remedy = did_you_mean(meant or target.lower(), export.TARGETS, f"There is {', '.join(export.TARGETS)}")
    fail(ConfigurationError.of(where=target, what="no such target", remedy=remedy))


def write_export(
    context: click.Context, values: dict[str, Any], *, target: str, app: App | None, layers: Sequence[Layer]
) -> None:
    """Decide, render, write.

    Arguments:
        values: click's parameters.
        layers: the layers below the command line.

    Raises:
        SystemExit: with the code 2 if something that was given cannot be exported.
    """
    try:
        chosen = export.load(target)
        form = _form(target, chosen, values["upstream"])
        usual = default_layer(chosen.defaults, f"tlsrun export {target}")
        # Below the application's own configuration, above its framework's defaults.
        ordered = [*command_line_layers(context, values), *layers[:2], usual, *layers[2:]]
        resolution = resolve(ordered)
        now = datetime.datetime.now(datetime.timezone.utc)
        decided = plan_for(target, resolution, form=form, app=app, now=now)
        site = _site(target, app, values, form, decided)
        carried, said = given_here(resolution), given(resolution)
        problems = list(awkward(target, decided.plan, site, chosen.title, resolution))
        known = {problem.where for problem in problems}
        problems += [
            problem
            for problem in unwritable(
                target, chosen.title, site, said if target == "uwsgi-ini" else carried, resolution
            )
            if not any(where.startswith(f"{problem.where} ") for where in known)
        ]
        if problems:
            raise ConfigurationError(problems)
        unsaid = list(notes(target, resolution, site))
        site = dataclasses.replace(
            site,
            carried=carried,
            said=said,
            peers=resolution.settings.trusted_proxies,
            proxy=resolution.settings.proxy,
            bind=resolution.settings.bind,
            notes=tuple(map(str, unsaid)),
            unlisted=unlisted(decided.plan),
        )
        _write(values["output"], chosen, decided.plan, site, force=values["force"])
        warn([*decided.plan.warnings, *unsaid])
    except TLSRunError as error:
        fail(error)


def _form(target: str, chosen: export.ExportTarget, given: str | None) -> str:
    forms = list(chosen.forms)
    if given is None:
        return forms[0] if forms else ""
    if given in forms:
        return given
    there = ", ".join(f"{form} ({words})" for form, words in chosen.forms.items())
    remedy = f"There is {there}" if forms else "Leave it out"
    raise ConfigurationError.of(where=f"--upstream {given}", what=f"{target} has no such form", remedy=remedy)


def _site(target: str, app: App | None, values: dict[str, Any], form: str, decided: Decided) -> Site:
    module = "site" if app is None else app.target.partition(":")[0].rpartition(".")[2]
    name = values["name"] or re.sub(r"[^a-z0-9]+", "-", module.lower()).strip("-") or "site"
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
        what, remedy = "is no name for sockets and units", "Use letters from a to z, digits and hyphens"
        raise ConfigurationError.of(where=f"--name {name}", what=what, remedy=remedy)
    return Site(
        app="" if app is None else app.target,
        name=name,
        folder=Path.cwd(),
        environment=Path(sys.prefix),
        server=decided.server,
        version=nginx_version(target, values["nginx_version"]),
        form=form,
        socket=_socket(values["socket"] or f"/run/{name}/app.sock"),
        machines=tuple(_address("--machine", one) for one in values["machines"]),
        proxy_protocol_peers=decided.proxy_protocol_peers,
        has_certificate=decided.has_certificate,
        certificates=values["certificates"],
        command=shlex.join([_program(), *sys.argv[1:]]) if _is_ours() else f"tlsrun export {target}",
        written="" if str(values["output"]) == "-" else str(values["output"]),
    )


def _program() -> str:
    """``tlsrun`` or ``flask``, also if started by ``python -m``."""
    path = Path(sys.argv[0])
    return path.parent.name if path.stem == "__main__" else path.name


def _is_ours() -> bool:
    """Whether the command line is that of `tlsrun` or `flask`, and not of a program that calls this function."""
    return "export" in sys.argv[1:]


def _socket(given: str) -> str:
    return given if given.startswith("/") else _address("--socket", given)


def _address(option: str, given: str) -> str:
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or re.search(r"[\s;{}\"']", given):
        remedy = "Write HOST:PORT" + (", or a path that begins with /" if option == "--socket" else "")
        raise ConfigurationError.of(where=f"{option} {given}", what="is no address", remedy=remedy)
    return given


def _write(output: Path, chosen: export.ExportTarget, plan: Plan, site: Site, *, force: bool) -> None:
    """Write to standard output, to a file, or several files into a folder.

    Raises:
        ConfigurationError: see `write_file`; or a target with several files is to be written to one.
    """
    several = chosen.files
    if str(output) == "-":
        click.echo(chosen.render(plan, site), nl=False)
    elif several is None:
        _write_one(output, chosen.render(plan, site), force=force)
    elif output.is_dir() or (not output.exists() and not output.suffix):
        _make_folder(output)
        for name, text in several(plan, site).items():
            _write_one(output / name, text, force=force)
    else:
        what, remedy = f"{chosen.title} has several files", "Name a folder, such as /etc/systemd/system"
        raise ConfigurationError.of(where=f"-o {output}", what=what, remedy=remedy)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made: {error.strerror or error}"
        raise ConfigurationError.of(where=f"-o {path}", what=what, remedy="Name one that is there") from error


def _write_one(path: Path, text: str, *, force: bool) -> None:
    written = write_file(path, text.encode(), force=force)
    say(f"{'Wrote' if written else 'Already there:'} {path}")
