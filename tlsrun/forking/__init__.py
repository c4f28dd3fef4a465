"""Workers that are forked from the process that has the application: started, watched, replaced and ended, for Granian
and Hypercorn alike. What is done when is decided in `decide.py`, by values; `supervisor.py` does it.

Why ours: Hypercorn's own starts new interpreters, each of which imports the application again, and Granian's ends a
worker before the one in its place serves.
"""
