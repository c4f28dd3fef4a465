"""What the tests of the check share: one examination, and the findings in it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from tests.support.clients import free_port
from tlsrun.check.examination import Scope, examine
from tlsrun.check.finding import Finding
from tlsrun.check.report import Report
from tlsrun.settings.layers import keyword_layer


def check(
    *,
    application: str | None = None,
    url: str | None = None,
    ca: Path | None = None,
    within: datetime.timedelta | None = None,
    only_live: bool = False,
    framework: str = "",
    **settings: Any,
) -> Report:
    """Examine ``settings``; on a port where nothing listens, unless they say otherwise."""
    settings.setdefault("port", free_port())
    return examine(
        Scope(
            application=application,
            layers=[keyword_layer(settings, "the test", layer="command line")],
            url=url,
            ca=ca,
            within=within,
            only_live=only_live,
            framework=framework,
        )
    )


def live(url: str, ca: Path | None = None) -> Report:
    """Examine a running server alone."""
    return check(url=url, ca=ca, only_live=True)


def codes(report: Report) -> set[str]:
    """The codes of all findings."""
    return {one.code.code for one in report.findings}


def only(report: Report, code: str) -> Finding:
    """The one finding with this code."""
    found = [one for one in report.findings if one.code.code == code]
    seen = [f"{one.code.code} {one.where}: {one.what}" for one in report.findings]
    assert len(found) == 1, f"{len(found)} findings of {code}, in:\n" + "\n".join(seen)
    return found[0]
