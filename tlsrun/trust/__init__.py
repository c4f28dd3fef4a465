"""Having this machine trust the development CA: finding the stores of roots, deciding what to do, and doing it.

Deciding (`decide`) is separate from reading (`find_stores`, each store's `held`) and acting (`apply_task`). Only the
CA's certificate is read here, never its key.
"""

from tlsrun.trust.apply import TaskOutcome, apply_task
from tlsrun.trust.by_hand import Hint, hints
from tlsrun.trust.find import find_stores
from tlsrun.trust.machine import Machine, look
from tlsrun.trust.plan import Goal, StoreAction, StoreTask, decide
from tlsrun.trust.root import Root, read_root
from tlsrun.trust.store import KINDS, Held, Obstacle, TrustStore

__all__ = [
    "KINDS",
    "Goal",
    "Held",
    "Hint",
    "Machine",
    "Obstacle",
    "TaskOutcome",
    "Root",
    "TrustStore",
    "StoreTask",
    "StoreAction",
    "apply_task",
    "decide",
    "find_stores",
    "hints",
    "look",
    "read_root",
]
