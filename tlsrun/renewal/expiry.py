"""How near its end a certificate is, and when that is said: once for each stage, and daily once it has expired.

    lifetime               is said when there is left
    90 days and more       30 days, 7 days, 1 day
    30 to 90 days          a third of it, 7 days, 1 day
    less                   a third of it, a sixth, a twentieth

Where something renews the certificate by itself, a stage counts only when it is past the time at which that was due.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum

DAY = datetime.timedelta(days=1)

#: What `soon` is, for lifetimes that are long enough.
SOON = 21 * DAY


class Life(str, Enum):
    """How a certificate stands."""

    WELL = "well"
    SOON = "expires soon"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Term:
    """From when until when a certificate is valid.

    Arguments:
        begins, ends: UTC.
        renewed: how long before its end something renews it by itself; None where nothing does.
    """

    begins: datetime.datetime
    ends: datetime.datetime
    renewed: datetime.timedelta | None = None

    @property
    def stages(self) -> tuple[datetime.timedelta, ...]:
        """How much is left when it is said that it expires, the longest first."""
        lifetime = self.ends - self.begins
        if lifetime < 30 * DAY:
            stages = (lifetime / 3, lifetime / 6, lifetime / 20)
        else:
            stages = (min(30 * DAY, lifetime / 3), 7 * DAY, DAY)
        return tuple(stage for stage in stages if self.renewed is None or stage < self.renewed)

    def life(self, now: datetime.datetime) -> Life:
        """How it stands at ``now``: what `tlsrun status` and `tlsrun check` say."""
        left = self.ends - now
        if left < datetime.timedelta(0):
            return Life.EXPIRED
        limit = soon(self.begins, self.ends) if self.renewed is None else max(self.stages, default=DAY)
        return Life.SOON if left <= limit else Life.WELL

    def mark(self, now: datetime.datetime) -> datetime.datetime | None:
        """The moment of the latest thing that is to be said by ``now``; None when there is nothing yet.

        A stage has one moment; from the end on, each day has one.
        """
        if now > self.ends:
            return self.ends + (now - self.ends) // DAY * DAY
        passed = [self.ends - stage for stage in self.stages if now >= self.ends - stage]
        return max(passed, default=None)

    def next_mark(self, now: datetime.datetime) -> datetime.datetime:
        """When there is something new to be said, after ``now``."""
        if now > self.ends:
            return self.ends + ((now - self.ends) // DAY + 1) * DAY
        # The last second belongs to the certificate still (RFC 5280, section 4.1.2.5).
        moments = [*(self.ends - stage for stage in self.stages), self.ends + datetime.timedelta(microseconds=1)]
        return next(moment for moment in moments if moment > now)


def soon(begins: datetime.datetime, ends: datetime.datetime) -> datetime.timedelta:
    """How long before its end a certificate counts as expiring soon: 21 days; a third of its lifetime, if that is less.

    Later than the first stage of the log: certbot and its like renew when a third is left, and take some days.
    """
    return min(SOON, (ends - begins) / 3)
