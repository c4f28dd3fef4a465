"""Tests of `tlsrun.listening`."""
