"""What ends the client before it is done."""

from __future__ import annotations


class Failed(Exception):
    """What was asked for cannot be done; one line for the user, which says what they can do. The exit status is 1."""


class OutputClosed(Exception):
    """Nobody reads the standard output any more: the end, and nothing to complain about."""
