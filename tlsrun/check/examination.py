"""The whole check: files, configuration, server, live socket, application; it starts and changes nothing."""

from __future__ import annotations

import datetime
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlsrun import servers
from tlsrun.certificates.identity import Identity
from tlsrun.check.application import ApplicationFacts, check_application, check_hook
from tlsrun.check.certificate import View
from tlsrun.check.configuration import check_configuration
from tlsrun.check.development import check_development
from tlsrun.check.files import check_files
from tlsrun.check.finding import Finding, found, in_order
from tlsrun.check.grade import grade
from tlsrun.check.grade_input import grade_input_of_server, grade_input_of_settings
from tlsrun.check.live.judge import Expected, judge
from tlsrun.check.live.observation import Observation
from tlsrun.check.live.observe import observe
from tlsrun.check.live.target import ProbeTarget, target_of_settings, target_of_url
from tlsrun.check.report import Report
from tlsrun.check.server import check_server
from tlsrun.check.trust import Trust, read_trust
from tlsrun.deciding.choosing import may_use_development_certificate
from tlsrun.deciding.facts import Facts, gather
from tlsrun.deciding.places import endpoint_of
from tlsrun.deciding.plan import Plan, decide
from tlsrun.errors import ConfigurationError
from tlsrun.listening.address import UnixSocket, public_first, spell
from tlsrun.settings.layers import Layer, Resolution, resolve
from tlsrun.status import running


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What to examine.

    Arguments:
        application: its name; empty for wsgi.py or app.py in the current folder; None for no application.
        layers: the settings besides the application's own, the strongest first.
        framework: the framework to look for first in its module; empty for any.
        prepare: ``module:function`` that the command which would serve it calls with it; empty for none.
        url: the running server, if the user named one.
        ca: a file of roots to use in place of the system's.
        within: how long before its end a certificate counts as expiring soon; None for the default.
        only_live: whether to examine only the server at ``url``.
    """

    application: str | None = None
    layers: Sequence[Layer] = ()
    framework: str = ""
    prepare: str = ""
    url: str | None = None
    ca: Path | None = None
    within: datetime.timedelta | None = None
    only_live: bool = False


def examine(request: Scope) -> Report:
    """Examine everything and report it.

    Raises:
        ConfigurationError: ``url`` or ``ca`` cannot be used.
    """
    trust = read_trust(request.ca)
    view = View(now=datetime.datetime.now(datetime.timezone.utc), within=request.within)
    named = None if request.url is None else target_of_url(request.url)
    if request.only_live and named is not None:
        seen = observe(named, trust)
        findings = list(judge(seen, Expected(view=view, trust=trust)))
        given = grade_input_of_server(seen, trust)
        return Report(findings=in_order(findings), target=named, grade=grade(given) if given else None)
    return _Examination(request, trust, view, named).report()


class _Examination:
    """One check, with the facts that it gathers."""

    def __init__(self, request: Scope, trust: Trust, view: View, named: ProbeTarget | None) -> None:
        self.request, self.trust, self.view, self.named = request, trust, view, named
        self.application = _application(request)
        self.resolution = resolve([*request.layers, *self.application.layers])
        self.facts, self.development = _facts(self.resolution, view)

    def report(self) -> Report:
        target = self.named or self._configured_target()
        seen = None if target is None else observe(target, self.trust)
        if seen is not None and self.named is None:
            self.facts = _less_our_own_ports(self.facts, seen)
        self.facts = _less_our_own_sockets(self.facts)
        findings = [*self._configured(), *self.application.findings]
        if seen is not None:
            expected = Expected(
                view=self.view,
                trust=self.trust,
                identities=self.identities,
                trusts=bool(self.resolution.settings.trusted_proxies),
                named=self.named is not None,
            )
            findings += judge(seen, expected)
        given = None if seen is None else grade_input_of_server(seen, self.trust)
        if given is None:
            given = grade_input_of_settings(self.resolution.settings, self.facts.loaded.identity, findings)
        return Report(
            findings=in_order(findings),
            target=target,
            resolution=self.resolution,
            application=self.application.target,
            server=self.facts.server,
            grade=grade(given) if given else None,
        )

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities on the disk that the server may serve."""
        return self.facts.identities

    def _configured_target(self) -> ProbeTarget | None:
        """The address of the server that the settings describe; None if it listens at no address."""
        settings = self.resolution.settings
        endpoint = endpoint_of(settings, self.facts)
        listens = not settings.bind or public_first(one.place for one in self.facts.listeners)
        if endpoint.port == 0 or self.resolution.problems or not listens:
            return None
        return target_of_settings(endpoint, self.facts.loaded.identity, settings.redirect_port)

    def _configured(self) -> Iterator[Finding]:
        """Findings on the configuration, whether the server runs or not."""
        yield from self.development
        yield from check_files(self.resolution, self.facts, self.view, self.trust)
        yield from check_configuration(self.resolution, self.facts, debug=self.application.debug)
        yield from check_server(self.resolution, self.facts, self._plan())
        hook = self.resolution.settings.context_hook
        if hook is not None:
            yield from check_hook(str(hook), self.resolution.spelling("context_hook"), self.application.file)

    def _plan(self) -> Plan | None:
        """The plan that the server would be started with if its ports were free; None if the settings prevent that."""
        facts = replace(self.facts, bind_errnos={}, redirect_errnos={})
        try:
            return decide(_without_hook(self.resolution), facts, framework=self.application.framework)
        except ConfigurationError:
            return None


def _application(request: Scope) -> ApplicationFacts:
    if request.application is None:
        finding = found("no-application", "the application", "none is named, and there is no wsgi.py or app.py here")
        return ApplicationFacts(findings=(finding,))
    return check_application(request.application, framework=request.framework, prepare=request.prepare)


def _without_hook(resolution: Resolution) -> Resolution:
    """Without ``context_hook``, which would be imported into this process."""
    return replace(resolution, settings=replace(resolution.settings, context_hook=None))


def _facts(resolution: Resolution, view: View) -> tuple[Facts, tuple[Finding, ...]]:
    """The facts, and findings on the development certificate, which is not made here."""
    settings = resolution.settings
    probes = servers.probe_all()
    facts = gather(_without_hook(resolution), probes, may_develop=False, starting=False)
    may_develop = may_use_development_certificate(settings, probes.get(settings.server))
    if settings.names_certificate or resolution.problems or not may_develop:
        return facts, ()
    loaded, findings = check_development(endpoint_of(settings, facts).host, view.now)
    return replace(facts, loaded=replace(loaded, problems=(*facts.loaded.problems, *loaded.problems))), findings


def _less_our_own_sockets(facts: Facts) -> Facts:
    """Without errors for Unix sockets on which a server of ours is known to listen."""
    taken = [place for place, number in facts.bind_errnos.items() if number == errno.EADDRINUSE]
    if not any(isinstance(place, UnixSocket) for place in taken):
        return facts
    try:
        served = {word for status in running() for word in status.endpoint.split(", ")}
    except OSError:
        return facts
    ours = [place for place in taken if isinstance(place, UnixSocket) and spell(place) in served]
    return replace(facts, bind_errnos={place: why for place, why in facts.bind_errnos.items() if place not in ours})


def _less_our_own_ports(facts: Facts, seen: Observation) -> Facts:
    """Without errors for ports that the running server itself has taken."""
    if errno.EADDRINUSE in facts.bind_errnos.values() and seen.unreachable is None and seen.failure is None:
        others = {place: number for place, number in facts.bind_errnos.items() if number != errno.EADDRINUSE}
        facts = replace(facts, bind_errnos=others)
        if errno.EADDRINUSE in facts.redirect_errnos.values() and seen.redirect is not None:
            facts = replace(facts, redirect_errnos={})
    return facts
