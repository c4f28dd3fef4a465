"""A headless Chromium with a profile of its own, driven over its debugging pipe; what it shows, as a person sees it."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support.process import environment, eventually

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--window-size=900,600",
    "--lang=en-US", "--remote-debugging-pipe",
)  # fmt: skip
_SECONDS = 90

#: Becomes the browser, its pipes moved to the descriptors that it expects them on.
_START = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for descriptor, wanted in zip(ours, (3, 4)):
    os.dup2(descriptor, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""


def installed() -> str:
    """The program; CI must have it."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        assert os.environ.get("CI") != "true", "Chromium must be there in CI: apt-get install chromium"
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    return found


class Chromium:
    """A browser that is started for one page and ended with the block.

    Its NSS database is the one of ``$HOME``, as for a person. It reads commands from descriptor 3 and answers on 4,
    each message ended by a zero byte (Chrome DevTools Protocol).
    """

    def __enter__(self) -> Chromium:
        try:
            self._start()
            targets = self._ask("Target.getTargets")["targetInfos"]
            page = next(one["targetId"] for one in targets if one["type"] == "page")
            self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        words = [installed(), *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(theirs_in), str(theirs_out), *words],
            pass_fds=(theirs_in, theirs_out),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._session: str | None = None
        self._number, self._buffer = 0, b""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.close(self._to)  # it ends when nobody commands it any more
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait(30)
        os.close(self._from)
        self._profile.cleanup()

    def open(self, url: str) -> str | None:
        """Open a page; the network error that kept it from loading (``net::ERR_…``), or None."""
        error: str | None = self._ask("Page.navigate", url=url).get("errorText")
        eventually(lambda: self._evaluate("document.readyState") == "complete", what=f"the page {url}")
        return error

    def text(self) -> str:
        """What a person reads on it."""
        return str(self._evaluate("document.body.innerText"))

    def screenshot(self, path: Path) -> None:
        """The page as a picture (PNG)."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _evaluate(self, expression: str) -> Any:
        return self._ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], _SECONDS)
            assert ready, "Chromium does not answer"
            data = os.read(self._from, 65536)
            assert data, "Chromium has ended"
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(head)
        return answer
