"""A server that runs, looked at from outside: what it answers to clients of many kinds, within a few seconds."""
