"""The application of a newcomer."""

from flask import Flask, request

import flask_tlsrun

app = Flask(__name__)
flask_tlsrun.TLSRun(app)


@app.get("/")
def index():
    return f"hello {request.scheme}"


@app.post("/size")
def size():
    return str(len(request.get_data()))


@app.get("/fails")
def fails():
    raise RuntimeError("on purpose")


if __name__ == "__main__":
    import os

    app.run(port=int(os.environ["PORT"]), debug="DEBUG" in os.environ)
