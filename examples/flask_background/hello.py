"""A Flask application with a thread of its own in each process, which keeps something up to date."""

from __future__ import annotations

import os
import threading

from flask import Flask, url_for
from per_process import PerProcess

from flask_tlsrun import TLSRun

app = Flask(__name__)
TLSRun(app)


class Rates(threading.Thread):
    """Here it would fetch them from somewhere."""

    def __init__(self) -> None:
        super().__init__(name="rates", daemon=True)
        self.fetched = 0
        self.start()

    def run(self) -> None:
        """Fetch them again and again."""
        while True:
            self.fetched += 1
            threading.Event().wait(0.1)


rates = PerProcess(Rates)  # not Rates(): this module is imported once, before the workers are forked


@app.get("/")
def index() -> str:
    """Say how often the rates were fetched in this process."""
    return f"{os.getpid()}: {rates().fetched} times, at {url_for('index', _external=True)}\n"


if __name__ == "__main__":
    app.run()
