"""A pre-fork supervisor for Granian and Hypercorn: starts, monitors, replaces and stops workers that are forked from
the process that has loaded the application. `decide.py` decides what to do, as a pure function; `supervisor.py` carries
it out.

The servers' own supervisors do not fit: Hypercorn's starts new interpreters, each of which imports the application
again, and Granian's stops a worker before its replacement serves.
"""
