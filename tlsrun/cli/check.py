"""`tlsrun check`: the report, as text or as JSON."""

from __future__ import annotations

import datetime
import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from tlsrun.check.code import Area, Severity
from tlsrun.check.codes import CODES
from tlsrun.check.examination import Scope, examine
from tlsrun.check.finding import Finding
from tlsrun.check.reference import listing, page
from tlsrun.check.report import Report
from tlsrun.cli.console import fail
from tlsrun.cli.options import command_line_layers, setting_options, with_options
from tlsrun.errors import TLSRunError
from tlsrun.settings.layers import Layer, environment_layer

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
_HEADINGS = {
    Area.FILES: "Files",
    Area.CONFIGURATION: "Configuration",
    Area.SERVER: "Server",
    Area.LIVE: "Live",
    Area.APPLICATION: "Application",
}
_UNITS = {"d": "days", "h": "hours", "w": "weeks", "": "days"}
_WIDTH = 100


def _span(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime.timedelta | None:
    """Parse a length of time: ``21d``, ``12h``, ``3w``."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,5})\s*([dhw]?)", value.strip().lower())
    if match is None:
        raise click.BadParameter(f"{value!r} is no length of time; write it as 21d, 12h or 3w")
    return datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})


def _explain(context: click.Context, parameter: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    known = {**CODES, **{one.slug: one for one in CODES.values()}}
    found = known.get(code.upper()) or known.get(code.lower())
    if found is None:
        raise click.BadParameter(f"there is no finding {code}; `tlsrun check --list` lists them all")
    click.echo(page(found), nl=False)
    context.exit()


def _list(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(listing(), nl=False)
        context.exit()


#: The options that every form of the command has, besides those of the settings.
check_options = with_options(
    click.option(
        "--url",
        metavar="URL",
        help="The running server to ask, as https://example.org. Without it, the one that is configured, if it runs.",
    ),
    click.option(
        "--ca", type=click.Path(path_type=Path), metavar="FILE", help="Roots to trust, in place of the system's."
    ),
    click.option(
        "--expires-within",
        callback=_span,
        metavar="SPAN",
        help="What counts as expiring soon: 21d, 12h, "
        "3w.  [default: 21d, or a third of the certificate's lifetime when that is less]",
    ),
    click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object."),
    click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings."),
    click.option(
        "--list",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_list,
        help="Print all that can be found, in Markdown, and exit.",
    ),
    click.option(
        "--explain",
        metavar="CODE",
        is_eager=True,
        expose_value=False,
        callback=_explain,
        help="Print why a finding matters and how to fix it, and exit.",
    ),
)


@click.command("check")
@click.argument("app", required=False)
@check_options
@setting_options
@click.pass_context
def check_command(context: click.Context, /, app: str | None, **values: Any) -> None:
    """Say what is wrong, what is odd, and how to fix it: files, configuration, server, live socket, application.

    \b
    tlsrun check hello:app                       all of it; the server that is configured is asked too, if it runs
    tlsrun check hello:app --url https://example.org       the same, and the server there
    tlsrun check --url https://example.org       a running server alone, from outside
    tlsrun check --cert fullchain.pem --key privkey.pem    two files
    tlsrun check hello:app --json --strict       for machines: exit code 1 for warnings, 2 for errors
    tlsrun check --explain TLS111                why a finding matters, and how to fix it

    It starts nothing and changes nothing. The application is imported in processes of their own, once as a library
    and once as a script.
    """
    only_live = app is None and values["url"] is not None and not _says_something(context, values)
    application = app if app is not None else default_application()
    check(context, values, application=application, layers=[environment_layer()], only_live=only_live)


def check(
    context: click.Context,
    values: dict[str, Any],
    *,
    application: str | None,
    layers: Sequence[Layer],
    framework: str = "",
    prepare: str = "",
    only_live: bool = False,
) -> NoReturn:
    """Examine, print, and exit.

    Arguments:
        values: click's parameters.
        application: its name; empty for wsgi.py or app.py; None for no application.
        layers: the layers below the command line and above the application's own configuration.
        framework: see `Scope`.
        prepare: see `Scope`.
        only_live: whether to examine only the server at ``--url``.

    Raises:
        SystemExit: always.
    """
    request = Scope(
        application=application,
        layers=[*command_line_layers(context, values), *layers],
        framework=framework,
        prepare=prepare,
        url=values["url"],
        ca=values["ca"],
        within=values["expires_within"],
        only_live=only_live,
    )
    try:
        report = examine(request)
    except TLSRunError as error:
        fail(error)
    strict = values["strict"]
    if values["as_json"]:
        click.echo(json.dumps(report.as_json(strict=strict), indent=2))
    else:
        for line in report_lines(report):
            click.echo(line)
    raise SystemExit(report.exit_code(strict=strict))


def _says_something(context: click.Context, values: dict[str, Any]) -> bool:
    """Whether a setting is given on the command line, so that files and configuration are examined too."""
    return any(layer.given for layer in command_line_layers(context, values))


def default_application() -> str | None:
    """Empty for the application that `tlsrun run` finds without a name; None if there is none."""
    named = any(os.environ.get(name) for name in ("TLSRUN_APP", "FLASK_APP"))
    there = any(Path(name).is_file() for name in ("wsgi.py", "app.py", "wsgi/__init__.py", "app/__init__.py"))
    return "" if named or there else None


def report_lines(report: Report) -> Iterator[str]:
    """The report as lines of text."""
    yield from _head(report)
    for phase, heading in _HEADINGS.items():
        findings = [one for one in report.findings if one.code.phase is phase]
        if findings:
            yield ""
            yield click.style(heading, bold=True)
            for finding in findings:
                yield from _finding_lines(finding)
    yield ""
    if report.grade is not None:
        yield from textwrap.wrap(f"Grade: {report.grade.words}", _WIDTH, break_on_hyphens=False)
    elif report.resolution is not None:
        yield "Grade: none, for nothing can be served before the errors are fixed."
    yield _summary(report)


def _head(report: Report) -> Iterator[str]:
    target = "" if report.target is None else f", {report.target.url}"
    server = "" if report.server is None else f" on {report.server.title}"
    name = report.application or ("no application" if report.resolution else "a running server")
    yield f"tlsrun check: {name}{server}{target}"
    given = {name: said for name, said in report.settings.items() if said["origin"]}
    if not report.settings:
        return
    yield ""
    yield click.style("Settings", bold=True)
    for name, said in given.items():
        yield f"  {name:<20}{said['value']}  ({said['origin']})"
    rest = "all" if not given else f"the other {len(report.settings) - len(given)}"
    yield f"  {rest} have their defaults: tlsrun settings show"


def _finding_lines(finding: Finding) -> Iterator[str]:
    severity = click.style(f"{finding.severity.value:<8}", fg=_COLOURS[finding.severity])
    yield f"  {severity}{finding.code.code}  {finding.code.title}"
    yield from _wrapped("seen", f"{finding.where}: {finding.what}")
    if finding.severity is not Severity.INFO:
        yield from _wrapped("why", finding.code.why)
    if finding.remedy != "Nothing.":
        yield from _wrapped("fix", finding.remedy)


def _wrapped(label: str, text: str) -> list[str]:
    """A paragraph with a label in front; words are not broken, so that commands can be copied."""
    first, rest = f"    {label:<6}", " " * 10
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(report: Report) -> str:
    counts = []
    for severity, plural in (
        (Severity.ERROR, "errors"),
        (Severity.WARNING, "warnings"),
        (Severity.INFO, "notes"),
    ):
        count = report.count(severity)
        word = plural.removesuffix("s") if count == 1 else plural
        counts.append(click.style(f"{count} {word}", fg=_COLOURS[severity] if count else None))
    return ", ".join(counts)
