"""Asks a running server all questions, several at a time, and returns within 15 seconds whatever the server does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from tlsrun.check.live import probes, suites
from tlsrun.check.live.client import HandshakeResult
from tlsrun.check.live.hello import VERSIONS, Flight
from tlsrun.check.live.http import ResponseHead
from tlsrun.check.live.observation import Observation
from tlsrun.check.live.target import Deadline, ProbeTarget
from tlsrun.check.live.walk import walk
from tlsrun.check.trust import Trust

#: Seconds: in total, for the first connection, for the first handshakes, for the last question, which is asked alone.
_IN_ALL, _TO_REACH, _TO_BEGIN, _TO_STALL = 14.0, 3.0, 5.0, 3.5
#: Number of questions asked at the same time.
_AT_ONCE = 6

_RESUMABLE = ("TLS 1.2", "TLS 1.3")
_REFUSED = ("certificate required", "tlsv13 alert certificate required")


def observe(target: ProbeTarget, trust: Trust) -> Observation:
    """Ask ``target`` all questions.

    Arguments:
        trust: the known roots.
    """
    whole = Deadline(_IN_ALL)
    reached = _ask_all({"reach": lambda deadline: probes.reach(target, deadline)}, _TO_REACH)
    unreachable = reached.get("reach", "no answer in time")
    if unreachable is not None:
        return Observation(target=target, unreachable=unreachable)
    answers = _ask_all(_first_questions(target), _TO_BEGIN)
    seen = _put_together(target, answers)
    if seen.failure is not None:
        return seen
    questions = _questions(target, trust)
    answers |= _ask_all(questions, whole.left - _TO_STALL)
    unfinished = tuple(name for name in questions if name not in answers)
    stalls = _ask_all({"stalls": lambda deadline: probes.stalls(target, deadline)}, whole.left)
    return replace(_put_together(target, answers), unfinished=unfinished, stalls=stalls.get("stalls"))


def _first_questions(target: ProbeTarget) -> Mapping[str, Callable[[Deadline], Any]]:
    """The questions that show whether this is TLS; if not, there is nothing more to ask."""
    return {
        "handshake": lambda deadline: probes.handshake(target, deadline),
        "flight": lambda deadline: probes.first_flight(target, deadline),
        "plain": lambda deadline: probes.plain(target, deadline),
    }


def _questions(target: ProbeTarget, trust: Trust) -> Mapping[str, Callable[[Deadline], Any]]:
    """The other questions, by name; the most important first, in case time runs out."""
    return {
        "verdict": lambda deadline: probes.verdict(target, trust, deadline),
        "answer": lambda deadline: probes.answer(target, deadline),
        **{version: _speaks(target, version) for version in ("TLS 1.3", *reversed(VERSIONS))},
        **{fault: _accepts(target, offered) for fault, offered in suites.WEAK.items()},
        "other": _accepts(target, suites.OTHER),
        "redirect": lambda deadline: probes.redirect(target, deadline),
        "way": lambda deadline: walk(target, deadline),
        **{f"resumption {version}": _resumes(target, version) for version in _RESUMABLE},
    }


def _speaks(target: ProbeTarget, version: str) -> Callable[[Deadline], Any]:
    return lambda deadline: probes.speaks(target, version, deadline)


def _accepts(target: ProbeTarget, offered: Mapping[int, str]) -> Callable[[Deadline], Any]:
    return lambda deadline: probes.accepts(target, offered, deadline)


def _resumes(target: ProbeTarget, version: str) -> Callable[[Deadline], Any]:
    return lambda deadline: probes.resumes(target, version, deadline)


def _ask_all(questions: Mapping[str, Callable[[Deadline], Any]], seconds: float) -> dict[str, Any]:
    """The answers that arrived in time, by the names of the questions.

    Daemon threads ask, since a DNS lookup may take longer than any timeout.
    """
    deadline = Deadline(seconds)
    waiting: queue.SimpleQueue[tuple[str, Callable[[Deadline], Any]]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    for item in questions.items():
        waiting.put(item)

    def ask() -> None:
        while not deadline.is_over:
            try:
                name, question = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                answered.put((name, question(deadline)))
            except OSError:  # no connection for this one: left unanswered
                answered.put((name, None))

    for _ in range(min(_AT_ONCE, len(questions))):
        threading.Thread(target=ask, name="tlsrun-check", daemon=True).start()
    answers: dict[str, Any] = {}
    while len(answers) < len(questions) and not deadline.is_over:
        try:
            name, answer = answered.get(timeout=deadline.left)
        except queue.Empty:
            break
        answers[name] = answer
    return answers


def _put_together(target: ProbeTarget, answers: Mapping[str, Any]) -> Observation:
    shaken = answers.get("handshake", "no answer in time")
    flight = cast("Flight | None", answers.get("flight"))
    page = answers.get("answer")
    certificates, whole = _certificates(shaken, flight)
    return Observation(
        target=target,
        failure=None if isinstance(shaken, HandshakeResult) or flight is not None else str(shaken),
        certificates=certificates,
        whole=whole,
        verdict=answers.get("verdict"),
        versions={name: answers[name] for name in (*VERSIONS, "TLS 1.3") if answers.get(name) is not None},
        weak={fault: answers[fault] for fault in suites.WEAK if answers.get(fault)},
        other=answers.get("other"),
        asks=flight is not None and flight.asks,
        refused_without_certificate=_is_refused(shaken, page, flight),
        resumption={
            version: answers[f"resumption {version}"]
            for version in _RESUMABLE
            if answers.get(f"resumption {version}") is not None
        },
        answer=page if isinstance(page, ResponseHead) else None,
        plain=answers.get("plain"),
        redirect=answers.get("redirect"),
        way=answers.get("way"),
    )


def _certificates(shaken: HandshakeResult | str, flight: Flight | None) -> tuple[Any, bool]:
    """The certificates from the handshake; from the first flight if it failed or Python does not give them all."""
    if isinstance(shaken, HandshakeResult) and (shaken.whole or flight is None):
        return shaken.certificates, shaken.whole
    if flight is not None:
        return probes.certificates_in(flight), True
    return (), False


def _is_refused(shaken: HandshakeResult | str, page: ResponseHead | str | None, flight: Flight | None) -> bool:
    """Whether a client without a certificate is refused: in the handshake, or with TLS 1.3 right after it."""
    if isinstance(page, str) and any(word in page for word in _REFUSED):
        return True
    return not isinstance(shaken, HandshakeResult) and flight is not None and flight.asks
