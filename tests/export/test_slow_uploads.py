"""An upload that keeps coming arrives whole behind each front, however long it takes: all of them side by side."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import Curl, curl, free_port
from tests.support.process import Server

#: What is uploaded and how: bytes, bytes a second. One is longer than any buffer, one fits into them.
_UPLOADS = ((700_000, 20_000), (30_000, 850))
_VERSIONS = ("--http1.1", "--http2")
_LONG = 33.0  # seconds: longer than the 30 s that a front may give to a whole body


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One of them.

    Arguments:
        program: the front.
        answer: and the seconds until it was there.
    """

    name: str
    size: int
    program: Server
    answer: Future[tuple[Curl, float]]


def send(port: int, ca: Path, *words: str) -> tuple[Curl, float]:
    """What curl says, and the seconds that it took."""
    begun = time.monotonic()
    answer = curl(f"https://localhost:{port}/upload", ca, *words, deadline=120)
    return answer, time.monotonic() - begun


@pytest.mark.soak
def test_slow_uploads(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Each front, by HTTP/1.1 and HTTP/2, with a large body and with one that a front holds whole."""
    with ExitStack() as stack, ThreadPoolExecutor(len(fronts.CASES) * len(_UPLOADS) * len(_VERSIONS)) as pool:
        uploads = []
        for target, form in fronts.CASES:
            place = Path(tempfile.mkdtemp(prefix="u-", dir=project))
            place.chmod(0o755)
            stack.callback(shutil.rmtree, place)
            port = free_port()
            text = fronts.export(
                project, target, "inwsgi:app", "--upstream", form, "--cert", localhost_cert.fullchain,
                "--key", localhost_cert.key, "--host", "127.0.0.1", "--port", str(port), "--redirect-port",
                str(free_port()), "--socket", place / "s", "--certificates", place, "--threads", "8",
            )  # fmt: skip
            program = stack.enter_context(fronts.front(target, form, text, place, project, port))
            for size, rate in _UPLOADS:
                upload = place / f"upload-{size}"
                upload.write_bytes(bytes(size))
                for version in _VERSIONS:
                    words = [version, "--limit-rate", str(rate), "--data-binary", f"@{upload}"]
                    answer = pool.submit(send, port, ca_file, *words)
                    name = f"{target}-{form}{version}-{size}"
                    uploads.append(Upload(name=name, size=size, program=program, answer=answer))
        wrong = {}
        for upload in uploads:
            found, took = upload.answer.result()
            if (found.status, found.body) != (200, str(upload.size)) or took < _LONG:
                wrong[upload.name] = found, took, upload.program.log()[-1000:]
        assert wrong == {}
