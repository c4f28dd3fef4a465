"""When the log warns that a certificate expires: once for each stage, and daily after it has expired.

    lifetime               warnings when there is left
    90 days and more       30 days, 7 days, 1 day
    30 to 90 days          a third of it, 7 days, 1 day
    less                   a third of it, a sixth, a twentieth

If something renews the certificate automatically, only the stages after the time of that renewal count.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum

DAY = datetime.timedelta(days=1)

#: The value of `soon` for lifetimes that are long enough.
SOON = 21 * DAY


class Life(str, Enum):
    """The state of a certificate."""

    WELL = "well"
    SOON = "expires soon"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Term:
    """The validity of a certificate.

    Arguments:
        begins: in UTC.
        ends: in UTC.
        renewed: how long before its end something renews it automatically; None if nothing does.
    """

    begins: datetime.datetime
    ends: datetime.datetime
    renewed: datetime.timedelta | None = None

    @property
    def stages(self) -> tuple[datetime.timedelta, ...]:
        """The remaining times at which to warn, the longest first."""
        lifetime = self.ends - self.begins
        if lifetime < 30 * DAY:
            stages = (lifetime / 3, lifetime / 6, lifetime / 20)
        else:
            stages = (min(30 * DAY, lifetime / 3), 7 * DAY, DAY)
        return tuple(stage for stage in stages if self.renewed is None or stage < self.renewed)

    def life(self, now: datetime.datetime) -> Life:
        """The state at ``now``, for `tlsrun status` and `tlsrun check`."""
        left = self.ends - now
        if left < datetime.timedelta(0):
            return Life.EXPIRED
        limit = soon(self.begins, self.ends) if self.renewed is None else max(self.stages, default=DAY)
        return Life.SOON if left <= limit else Life.WELL

    def mark(self, now: datetime.datetime) -> datetime.datetime | None:
        """The time of the latest warning due by ``now``; None if none is due yet.

        Each stage has one warning; after the end, each day has one.
        """
        if now > self.ends:
            return self.ends + (now - self.ends) // DAY * DAY
        passed = [self.ends - stage for stage in self.stages if now >= self.ends - stage]
        return max(passed, default=None)

    def next_mark(self, now: datetime.datetime) -> datetime.datetime:
        """The time of the next warning after ``now``."""
        if now > self.ends:
            return self.ends + ((now - self.ends) // DAY + 1) * DAY
        # The certificate is still valid in its last second (RFC 5280, section 4.1.2.5).
        moments = [*(self.ends - stage for stage in self.stages), self.ends + datetime.timedelta(microseconds=1)]
        return next(moment for moment in moments if moment > now)


def soon(begins: datetime.datetime, ends: datetime.datetime) -> datetime.timedelta:
    """How long before its end a certificate counts as expiring soon: 21 days, or a third of its lifetime if that is
    less.

    This is later than the log's first stage, since certbot and others renew when a third is left, within some days.
    """
    return min(SOON, (ends - begins) / 3)
