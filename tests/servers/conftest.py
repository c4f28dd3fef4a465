"""What several tests of one server start."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers.site import Serve, Site, serving
from tests.support.certs import Paths
from tests.support.servers import need


@pytest.fixture
def hypercorn(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> Serve:
    """Starts the site under Hypercorn, with further flags."""
    need("hypercorn")

    def start(*flags: str | Path, cert: Paths = localhost_cert, workers: int = 2) -> AbstractContextManager[Site]:
        return serving(cert, ca_file, tmp_path, *flags, server="hypercorn", workers=workers)

    return start
